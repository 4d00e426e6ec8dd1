//! The end of sessions: the person leaves, or their provider says that they have left.

use super::{Kind, LoginError, Logins, Way};
use crate::identity::session::SessionError;
use crate::openid::{Unproved, unverified_issuer};

/// Why a provider's word ended nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotEnded {
    /// The logout token is not good, or was taken before.
    #[error("the logout token: {0}")]
    Refused(String),
    /// Ours or theirs does not answer; the provider should try again.
    #[error("this cannot be done now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Logins {
    /// Ends the session of `cookie`; where to end the provider's own session too, for whom it is offered.
    ///
    /// # Errors
    /// [`LoginError::Unavailable`] when our session could not be ended: the person must be told.
    pub async fn leave(&self, cookie: &str, hint: Option<&str>, back: &str) -> Result<Option<String>, LoginError> {
        self.sessions.end(cookie).await?;
        let issuer = hint.and_then(unverified_issuer);
        let way = self.ways().find(|way| issuer.as_deref() == Some(way.provider.issuer()));
        let Some(way) = way else { return Ok(None) };
        // Our own session is over, whatever the provider does.
        Ok(way.provider.end_session(hint, &format!("{}{back}", self.base_url)).await.ok().flatten())
    }

    /// Ends what a provider says is over (Back-Channel Logout 1.0), at once and for every node; how many sessions.
    ///
    /// # Errors
    /// [`NotEnded`].
    pub async fn end_by_provider(&self, token: &str) -> Result<u64, NotEnded> {
        let issuer = unverified_issuer(token).ok_or_else(|| NotEnded::Refused("not a token".to_owned()))?;
        let mut refused = "unknown issuer".to_owned();
        // Both kinds may sign in at one issuer, under two names of ours: the token's audience says which is meant.
        for way in self.ways().filter(|way| way.provider.issuer() == issuer) {
            let ended = match way.provider.logout_token(token).await {
                Ok(ended) => ended,
                Err(Unproved::Refused(word)) => {
                    refused = word;
                    continue;
                }
                Err(error) => return Err(NotEnded::Unavailable(Box::new(error))),
            };
            let fresh = self.once(&format!("logout {issuer}"), &ended.id, ended.forget).await;
            if !fresh.map_err(|error| NotEnded::Unavailable(Box::new(error)))? {
                return Err(NotEnded::Refused("used before".to_owned()));
            }
            let (subject, session) = (ended.subject.as_deref(), ended.session.as_deref());
            let count = self.sessions.end_of_provider(&issuer, subject, session).await;
            return count.map_err(|error: SessionError| NotEnded::Unavailable(Box::new(error)));
        }
        Err(NotEnded::Refused(refused))
    }

    fn ways(&self) -> impl Iterator<Item = &Way> {
        [Kind::Patient, Kind::Professional].into_iter().filter_map(|kind| self.way(kind).ok())
    }
}
