//! Grants that people gave to software, and the secrets given out for them.

use super::Store;
use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::id::{ClientId, GrantId};
use crate::model::Sealed;

/// A row of `oauth_grant`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantRow {
    /// Which grant.
    pub id: GrantId,
    /// To which software.
    pub client: ClientId,
    /// Keyed tag of the person.
    pub person: [u8; 32],
    /// The session in which it was given.
    pub session: [u8; 32],
    /// Whether it goes on when that session ends.
    pub outlives: bool,
    /// When it ends whatever happens.
    pub expires: Timestamp,
    /// MAC over the row.
    pub seal: Vec<u8>,
}

/// A row of `oauth_secret`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretRow {
    /// SHA-256 of the secret.
    pub secret: [u8; 32],
    /// `request`, `page`, `code` or `refresh`.
    pub kind: &'static str,
    /// The grant it belongs to, or empty.
    pub family: Vec<u8>,
    /// What it stands for.
    pub body: Sealed,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used up; 0 while it was not.
    pub used: Timestamp,
}

impl Store {
    /// Writes a grant, and forgets those that are over.
    pub async fn begin_grant(&self, row: &GrantRow, now: Timestamp) -> Result<(), DbError> {
        const FORGET: &str = "DELETE FROM oauth_grant WHERE expires < $1";
        const SQL: &str = "INSERT INTO oauth_grant (id, client, person, session, outlives, expires, seal, \
             updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, 'begin_grant')";
        let args = vec![
            row.id.as_bytes().to_vec().into(),
            row.client.as_bytes().to_vec().into(),
            row.person.to_vec().into(),
            row.session.to_vec().into(),
            i64::from(row.outlives).into(),
            row.expires.0.into(),
            row.seal.clone().into(),
        ];
        self.db.transact("begin_grant", vec![(FORGET, vec![now.0.into()]), (SQL, args)]).await.map(|_| ())
    }

    /// A grant, while it has not ended.
    pub async fn grant(&self, id: GrantId) -> Result<Option<GrantRow>, DbError> {
        const SQL: &str = "SELECT id, client, person, session, outlives, expires, seal FROM oauth_grant WHERE id = $1";
        let read = |row: &Row<'_>| {
            Ok(GrantRow {
                id: GrantId::from_bytes(row.array(0)?),
                client: ClientId::from_bytes(row.array(1)?),
                person: row.array(2)?,
                session: row.array(3)?,
                outlives: row.int(4)? != 0,
                expires: Timestamp(row.int(5)?),
                seal: row.bytes(6)?.to_vec(),
            })
        };
        self.db.maybe("oauth_grant", SQL, &[id.as_bytes().into()], read).await
    }

    /// Ends a grant; its secrets stay as used up, so that whoever brings one later is known.
    pub async fn end_grant(&self, id: GrantId) -> Result<bool, DbError> {
        const SQL: &str = "DELETE FROM oauth_grant WHERE id = $1";
        let touched = self.db.transact("end_grant", vec![(SQL, vec![id.as_bytes().to_vec().into()])]).await?;
        Ok(touched.last() == Some(&1))
    }

    /// Ends every grant of a person, those that outlive their session too; how many.
    pub async fn end_grants_of(&self, person: &[u8; 32]) -> Result<u64, DbError> {
        const SQL: &str = "DELETE FROM oauth_grant WHERE person = $1";
        let touched = self.db.transact("end_grants_of", vec![(SQL, vec![person.to_vec().into()])]).await?;
        Ok(touched.last().copied().unwrap_or(0))
    }

    /// Keeps a secret's hash and what it stands for, and forgets those that are over.
    pub async fn keep_secret(&self, row: &SecretRow, now: Timestamp) -> Result<(), DbError> {
        const FORGET: &str = "DELETE FROM oauth_secret WHERE expires < $1";
        const SQL: &str = "INSERT INTO oauth_secret (secret, kind, family, body, expires, used, updated_by) \
             VALUES ($1, $2, $3, $4, $5, 0, 'keep_secret')";
        let args = vec![
            row.secret.to_vec().into(),
            row.kind.into(),
            row.family.clone().into(),
            row.body.0.clone().into(),
            row.expires.0.into(),
        ];
        self.db.transact("keep_secret", vec![(FORGET, vec![now.0.into()]), (SQL, args)]).await.map(|_| ())
    }

    /// What a secret of this kind stands for.
    pub async fn secret(&self, kind: &'static str, secret: &[u8; 32]) -> Result<Option<SecretRow>, DbError> {
        const SQL: &str =
            "SELECT secret, family, body, expires, used FROM oauth_secret WHERE secret = $1 AND kind = $2";
        let read = |row: &Row<'_>| {
            Ok(SecretRow {
                secret: row.array(0)?,
                kind,
                family: row.bytes(1)?.to_vec(),
                body: Sealed(row.bytes(2)?.to_vec()),
                expires: Timestamp(row.int(3)?),
                used: Timestamp(row.int(4)?),
            })
        };
        self.db.maybe("oauth_secret", SQL, &[secret.into(), kind.into()], read).await
    }

    /// Uses a secret up; `false` when it was used before. Decided by the row alone, so that of any number of racing
    /// uses on any node exactly one succeeds (P48).
    pub async fn spend_secret(&self, secret: &[u8; 32], now: Timestamp) -> Result<bool, DbError> {
        const SQL: &str = "UPDATE oauth_secret SET used = $1, updated_by = 'spend_secret' \
             WHERE secret = $2 AND used = 0 AND expires >= $1";
        let args = vec![now.0.into(), secret.to_vec().into()];
        let touched = self.db.transact("spend_secret", vec![(SQL, args)]).await?;
        Ok(touched.last() == Some(&1))
    }

    /// Lets a secret that is not used live until `until`; it never lives shorter by this.
    pub async fn prolong_secret(&self, secret: &[u8; 32], until: Timestamp, now: Timestamp) -> Result<(), DbError> {
        const SQL: &str = "UPDATE oauth_secret SET expires = $1, updated_by = 'prolong_secret' \
             WHERE secret = $2 AND used = 0 AND expires >= $3 AND expires < $1";
        let args = vec![until.0.into(), secret.to_vec().into(), now.0.into()];
        self.db.transact("prolong_secret", vec![(SQL, args)]).await.map(|_| ())
    }
}
