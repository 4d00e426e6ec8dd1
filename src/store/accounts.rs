//! Accounts at identity providers, invitations to link one, and who bears a national number.

use super::Store;
use super::registry::read_party;
use super::rows::PartyRow;
use crate::clock::Timestamp;
use crate::db::DbError;
use crate::id::PatientId;

/// A row of `account` or of `invitation`.
#[derive(Clone, Debug)]
pub struct TaggedRow {
    /// Whose.
    pub patient: PatientId,
    /// When an account was linked; when an invitation ends.
    pub moment: Timestamp,
    /// MAC over the row.
    pub seal: Vec<u8>,
}

impl Store {
    /// The account with this keyed tag.
    pub async fn account(&self, tag: &[u8; 32]) -> Result<Option<TaggedRow>, DbError> {
        self.tagged("account", "SELECT patient, since, seal FROM account WHERE tag = $1", tag).await
    }

    /// The invitation with this keyed tag.
    pub async fn invitation(&self, tag: &[u8; 32]) -> Result<Option<TaggedRow>, DbError> {
        self.tagged("invitation", "SELECT patient, expires, seal FROM invitation WHERE tag = $1", tag).await
    }

    /// Enrolments of a kind that bear a national number. The column is a hint: compare what the enrolment says.
    pub async fn parties_by_number(&self, kind: &'static str, number: &str) -> Result<Vec<PartyRow>, DbError> {
        const SQL: &str =
            "SELECT party, revision, body, signature FROM party WHERE kind = $1 AND number = $2 ORDER BY party";
        self.db().all("party", SQL, &[kind.into(), number.into()], read_party).await
    }

    async fn tagged(
        &self,
        table: &'static str,
        sql: &'static str,
        tag: &[u8; 32],
    ) -> Result<Option<TaggedRow>, DbError> {
        self.db()
            .maybe(table, sql, &[tag.into()], |row| {
                let patient = PatientId::from_bytes(row.array(0)?);
                Ok(TaggedRow { patient, moment: Timestamp(row.int(1)?), seal: row.bytes(2)?.to_vec() })
            })
            .await
    }
}
