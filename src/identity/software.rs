//! Believing software: enrolled, standing, and shown to be itself (RFC 7523, OpenID Connect Core §9).

use super::bearer::{Unauthenticated, use_once};
use super::{Issuer, Refusal};
use crate::directory::{Client, Profile};
use crate::id::ClientId;
use crate::json::{self, Limits};
use crate::proof::{self, ClientAssertion, PublicKey, client_assertion};

/// How software says who it is, at any endpoint that asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientProof<'r> {
    /// `client_assertion_type`
    pub assertion_type: Option<&'r str>,
    /// `client_assertion`
    pub assertion: Option<&'r str>,
    /// `client_id`, optional beside the assertion.
    pub client_id: Option<&'r str>,
}

/// Software that was believed; its assertion is not used up yet.
#[derive(Debug)]
pub(super) struct Believed {
    pub(super) client: Client,
    /// Absent for a public client, which proves nothing.
    pub(super) assertion: Option<ClientAssertion>,
}

impl Issuer {
    /// The client that `proof` is from. A client that has keys is believed by an assertion only.
    pub(super) async fn believe(&self, proof: &ClientProof<'_>) -> Result<Believed, Refusal> {
        const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let (assertion, claimed) = match (proof.assertion, proof.assertion_type, proof.client_id) {
            (Some(assertion), Some(TYPE), claimed) => {
                let from = client_assertion::unverified_client(assertion).map_err(|r| Refusal::Client(r.reason()))?;
                if claimed.is_some_and(|id| id != from.to_string()) {
                    return Err(Refusal::Client("client_id"));
                }
                (Some(assertion), from)
            }
            (None, None, Some(claimed)) => (None, claimed.parse().map_err(|_| Refusal::Client("client_id"))?),
            _ => return Err(Refusal::Client("assertion type")),
        };
        let client = self.client(claimed).await?;
        match assertion {
            Some(assertion) => {
                let assertion = self.verify(assertion, &client)?;
                Ok(Believed { client, assertion: Some(assertion) })
            }
            None if client.is_public() => Ok(Believed { client, assertion: None }),
            None => Err(Refusal::Client("no assertion")),
        }
    }

    /// The client, and its assertion used up at once.
    pub(super) async fn authenticate(&self, proof: &ClientProof<'_>) -> Result<Client, Refusal> {
        let believed = self.believe(proof).await?;
        self.spend(&believed).await?;
        Ok(believed.client)
    }

    /// Uses up an assertion, on every node at once (D14).
    pub(super) async fn spend(&self, believed: &Believed) -> Result<(), Refusal> {
        let Some(assertion) = &believed.assertion else { return Ok(()) };
        let (issuer, now) = (format!("assertion {}", assertion.client), self.clock.now());
        match use_once(&self.store, &issuer, &assertion.id, now, assertion.expires.plus_secs(60)).await {
            Ok(()) => Ok(()),
            Err(Unauthenticated::Unavailable(_)) => Err(Refusal::Unavailable),
            Err(_) => Err(Refusal::Client("used before")),
        }
    }

    /// A client that is enrolled and stands, as its organisation does.
    pub(super) async fn client(&self, id: ClientId) -> Result<Client, Refusal> {
        let row = self.store.party(id.as_bytes()).await.map_err(|_| Refusal::Unavailable)?;
        let party = self.register.check(&row.ok_or(Refusal::Client("unknown"))?).map_err(|n| Refusal::Client(n.0))?;
        let client = party.client().map_err(|n| Refusal::Client(n.0))?.clone();
        let row = self.store.party(client.organisation.as_bytes()).await.map_err(|_| Refusal::Unavailable)?;
        let place = self.register.check(&row.ok_or(Refusal::Client("no organisation"))?);
        let place = place.map_err(|n| Refusal::Client(n.0))?;
        if client.active && place.active() { Ok(client) } else { Err(Refusal::Client("suspended")) }
    }

    fn verify(&self, assertion: &str, client: &Client) -> Result<ClientAssertion, Refusal> {
        let expected = client_assertion::Expected {
            client: client.id,
            profile: match client.profile {
                Profile::Smart => proof::Profile::Smart,
                Profile::Fapi2 => proof::Profile::Fapi2,
            },
            issuer: &self.issuer,
            token_url: &self.token_url,
            now: self.clock.now(),
        };
        client_assertion::verify(assertion, &expected, |kid| key(&client.keys, kid))
            .map_err(|r| Refusal::Client(r.reason()))
    }
}

/// The enrolled key of this name; one that was enrolled without a name answers to any, if it is the only one.
fn key(keys: &[String], kid: &str) -> Option<PublicKey> {
    let named = |text: &String| {
        json::parse(text.as_bytes(), Limits::TOKEN).ok().and_then(|tree| tree.text_of("kid").map(str::to_owned))
    };
    let mut fitting = keys.iter().filter(|text| named(text).as_deref() == Some(kid));
    // Two keys of one name: nobody can say which is meant (SM-42).
    let found = match (fitting.next(), fitting.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => return None,
        (None, _) => match keys {
            [only] if named(only).is_none() => only,
            _ => return None,
        },
    };
    PublicKey::from_jwk(found.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "e2gpyEz_wBIRtGGs2xw_tIZcCFEvlIzFgaYT_KEJm9U";

    #[test]
    fn a_key_is_found_by_its_name_and_a_nameless_one_only_when_alone() {
        let jwk = |kid: &str| {
            let kid = if kid.is_empty() { String::new() } else { format!(r#","kid":"{kid}""#) };
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{X}"{kid}}}"#)
        };
        assert!(PublicKey::from_jwk(jwk("").as_bytes()).is_ok());
        assert!(key(&[jwk("")], "any").is_some());
        assert!(key(&[jwk("a"), jwk("b")], "b").is_some());
        assert!(key(&[jwk("a"), jwk("a")], "a").is_none());
        assert!(key(&[jwk("a")], "b").is_none());
        assert!(key(&[jwk(""), jwk("a")], "b").is_none());
        assert!(key(&[], "a").is_none());
    }
}
