//! Finding whom to give access: by name or number, among those who stand.

use std::sync::Arc;

use super::party::Party;
use super::register::{NotEnrolled, Register};
use crate::db::DbError;
use crate::model::fold;
use crate::store::Store;

/// The register cannot be searched now.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A row does not prove what it says.
    #[error(transparent)]
    NotEnrolled(#[from] NotEnrolled),
}

/// The public part of the register.
pub struct Lookup {
    /// Where it is kept.
    pub store: Store,
    /// Believes enrolments.
    pub register: Arc<Register>,
}

impl Lookup {
    /// Professionals and organisations in good standing whose name holds every word of `text`, or whose number it is;
    /// at most `most` of them, in the order of their names.
    ///
    /// Looks at the whole register.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn find(&self, text: &str, most: usize) -> Result<Vec<Arc<Party>>, LookupError> {
        let words: Vec<String> = fold(text).split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<(String, Arc<Party>)> = Vec::new();
        for kind in ["professional", "organisation"] {
            for row in self.store.parties(kind).await? {
                let party = self.register.check(&row)?;
                let (name, number, active) = match &*party {
                    Party::Professional(person) => (fold(&person.name), &person.number, person.active),
                    Party::Organisation(place) => (fold(&place.name), &place.number, place.active),
                    Party::Client(_) => continue,
                };
                let named = words.iter().all(|word| name.contains(word.as_str()));
                if active && (named || (!number.is_empty() && number == text.trim())) {
                    found.push((name, party));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.truncate(most);
        Ok(found.into_iter().map(|(_, party)| party).collect())
    }

    /// The party with this id, standing or suspended.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn party(&self, id: &[u8; 16]) -> Result<Option<Arc<Party>>, LookupError> {
        let Some(row) = self.store.party(id).await? else { return Ok(None) };
        Ok(Some(self.register.check(&row)?))
    }
}
