//! What software may learn of tokens, and how it gives them back (RFC 7662, RFC 7009).
//!
//! Software learns of its own tokens alone: to everybody else a token is not active, whatever it is (CF-07).

use super::authorize::Authorizer;
use super::bearer::LONGEST_SECONDS;
use super::exchange::opened;
use super::software::ClientProof;
use super::voucher::Kind;
use super::{Issuer, Refusal};
use crate::directory::Client;
use crate::proof::{AccessToken, Memo, PublicKey, Window, access_token};

/// What is said of every token that is not the caller's or not good (OA-12).
const INACTIVE: &str = r#"{"active":false}"#;

impl Authorizer {
    /// What a token says, as JSON.
    ///
    /// # Errors
    /// [`Refusal`] when the software does not show who it is.
    pub async fn introspect(&self, proof: &ClientProof<'_>, token: Option<&str>) -> Result<String, Refusal> {
        let client = self.issuer.authenticate(proof).await?;
        let token = token.ok_or(Refusal::Request("token"))?;
        if client.is_public() {
            return Err(Refusal::Client("public"));
        }
        let now = self.issuer.clock.now();
        if let Some(said) = self.issuer.read(token) {
            let window = Window::of_ours(now, LONGEST_SECONDS);
            if said.client != client.id || said.holds(&window).is_err() || !self.grant_stands(&said, &client).await? {
                return Ok(INACTIVE.to_owned());
            }
            return Ok(active(&said));
        }
        let Some(voucher) = self.vouchers.find(Kind::Refresh, token).await? else { return Ok(INACTIVE.to_owned()) };
        let Ok((grant, ticket)) = opened(&voucher) else { return Ok(INACTIVE.to_owned()) };
        let stands = self.grants.stands(grant, client.id).await.map_err(|_| Refusal::Unavailable)?;
        if voucher.used || ticket.client != client.id || !stands {
            return Ok(INACTIVE.to_owned());
        }
        let body = serde_json::json!({
            "active": true, "scope": ticket.scope, "client_id": client.id.to_string(), "iss": self.issuer.issuer,
            "exp": voucher.expires.secs(),
        });
        Ok(body.to_string())
    }

    /// Takes a token back. Whatever it belongs to ends with it; a token that is not the caller's is left alone, and
    /// nobody learns of it (OA-15, OA-16).
    ///
    /// # Errors
    /// [`Refusal::TokenType`] for an access token of software itself, which names no grant and ends by itself.
    pub async fn revoke(&self, proof: &ClientProof<'_>, token: Option<&str>) -> Result<(), Refusal> {
        let client = self.issuer.authenticate(proof).await?;
        let token = token.ok_or(Refusal::Request("token"))?;
        let grant = if let Some(said) = self.issuer.read(token).filter(|said| said.client == client.id) {
            Some(said.person.ok_or(Refusal::TokenType)?.grant)
        } else {
            let voucher = self.vouchers.find(Kind::Refresh, token).await?;
            let opened = voucher.and_then(|voucher| opened(&voucher).ok());
            opened.filter(|(_, ticket)| ticket.client == client.id).map(|(grant, _)| grant)
        };
        match grant {
            Some(grant) => self.grants.end(grant).await.map_err(|_| Refusal::Unavailable),
            None => Ok(()),
        }
    }

    async fn grant_stands(&self, said: &AccessToken, client: &Client) -> Result<bool, Refusal> {
        match &said.person {
            Some(person) => self.grants.stands(person.grant, client.id).await.map_err(|_| Refusal::Unavailable),
            None => Ok(true),
        }
    }
}

impl Issuer {
    /// What an access token of ours says, good now or not.
    fn read(&self, token: &str) -> Option<AccessToken> {
        let now = self.clock.now();
        let window = Window::of_ours(now, LONGEST_SECONDS);
        let (issuer, audience) = (&self.issuer, &self.audience);
        let expected = access_token::Expected { issuer, audience, window, memo: None::<&Memo> };
        let key = |kid: &str| self.signer.find(kid, now).and_then(|key| PublicKey::from_enrolled(&key).ok());
        access_token::verify_but_for_time(token, &expected, key).ok()
    }
}

fn active(said: &AccessToken) -> String {
    let claims: serde_json::Value = serde_json::from_str(&said.to_claims_json()).unwrap_or_default();
    let mut body =
        serde_json::json!({ "active": true, "token_type": if said.bound_to.is_some() { "DPoP" } else { "Bearer" } });
    if let (Some(body), serde_json::Value::Object(claims)) = (body.as_object_mut(), claims) {
        body.extend(claims);
    }
    body.to_string()
}
