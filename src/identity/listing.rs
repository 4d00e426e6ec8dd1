//! Where else a person is signed in, and the end of any of it.

use super::session::{IDLE_SECONDS, SessionError, Sessions, SignedIn, Who};
use crate::clock::Timestamp;
use crate::store::sessions::Ending;

/// A session as its person sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// SHA-256 of its cookie: names it and opens nothing.
    pub session: [u8; 32],
    /// When it began.
    pub began: Timestamp,
    /// When it was last seen, to the minute.
    pub used: Timestamp,
}

impl Sessions {
    /// The sessions of a person that stand, the newest first.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn list(&self, signed_in: &SignedIn) -> Result<Vec<Listed>, SessionError> {
        let person = match &signed_in.who {
            Who::Patient(id) => *id.as_bytes(),
            Who::Professional(person) => *person.id.as_bytes(),
        };
        let now = self.clock.now();
        let rows = self.store.sessions_of(&person).await?;
        let standing = rows.iter().filter(|r| self.mac_holds(r).is_ok());
        let standing = standing.filter(|r| now < r.expires && now < r.used.plus_secs(IDLE_SECONDS));
        Ok(standing.map(|r| Listed { session: r.session, began: r.began, used: r.used }).collect())
    }

    /// Ends one of the person's sessions, named in hexadecimal as [`list`](Self::list) showed it; of anybody else's
    /// nothing happens.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn end_other(&self, signed_in: &SignedIn, named: &str) -> Result<(), SessionError> {
        for listed in self.list(signed_in).await? {
            let name: String = listed.session.iter().map(|b| format!("{b:02x}")).collect();
            if name == named {
                self.finish(Ending::One(&listed.session)).await?;
            }
        }
        Ok(())
    }
}
