//! Telling software that a person's session here is over (OpenID Connect Back-Channel Logout 1.0).
//!
//! The session, and with it what does not outlive it, has ended before anybody is told. Each is told once; whoever
//! does not answer learns it from the next token that is refused.

use std::sync::Arc;

use super::session::sid;
use super::{Issuer, Refusal};
use crate::id::{PatientId, ProfessionalId};
use crate::openid::{self, Unproved};
use crate::store::sessions::Allowed;

/// How long a logout token is good, in seconds.
const SECONDS: i64 = 120;

/// Takes farewells to be said; it must return at once.
pub type Bid = Arc<dyn Fn(Farewell) + Send + Sync>;

/// One piece of software to be told of the end of one session.
#[derive(Debug)]
pub struct Farewell(pub(super) Allowed);

/// Tells software.
pub struct Farewells {
    /// Knows software, and signs.
    pub issuer: Arc<Issuer>,
    /// Whether software on this machine itself may be told in the clear.
    pub development: bool,
}

/// Why software was not told.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// It is suspended, or nothing can be signed now.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The session's row names nobody.
    #[error("nobody's session")]
    Nobody,
    /// It did not take it.
    #[error(transparent)]
    Unanswered(#[from] Unproved),
}

impl Farewells {
    /// Tells one piece of software, if it wants to know.
    ///
    /// # Errors
    /// [`Untold`].
    pub async fn tell(&self, farewell: &Farewell) -> Result<(), Untold> {
        let Allowed { client, session, kind, person } = &farewell.0;
        let client = self.issuer.client(*client).await?;
        if client.logout.is_empty() {
            return Ok(());
        }
        let subject = match kind.as_str() {
            "patient" => PatientId::from_bytes(*person).to_string(),
            "professional" => ProfessionalId::from_bytes(*person).to_string(),
            _ => return Err(Untold::Nobody),
        };
        let now = self.issuer.now_in_seconds();
        // Never a nonce: no identity token can be taken for it, nor it for one (§2.4).
        let claims = serde_json::json!({
            "iss": self.issuer.issuer, "aud": client.id.to_string(), "iat": now.secs(),
            "exp": now.plus_secs(SECONDS).secs(), "jti": self.issuer.token_id()?, "sub": subject,
            "sid": sid(session, client.id), "events": { openid::LOGOUT_EVENT: {} },
        });
        let signer = self.issuer.identity.signer(self.issuer.clock.now());
        let token = signer.sign("logout+jwt", claims.to_string().as_bytes()).map_err(|_| Refusal::Unavailable)?;
        Ok(openid::tell(&client.logout, &token, self.development).await?)
    }
}
