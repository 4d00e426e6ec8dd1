//! Making access tokens for enrolled software: `client_credentials` with `private_key_jwt` (RFC 6749 §4.4,
//! RFC 7523, SMART Backend Services), at most five minutes long.

use std::sync::Arc;

use super::bearer::{LONGEST_SECONDS, Unauthenticated, use_once};
use super::possession::{Possession, Unproved};
use crate::chance::{self, Chance};
use crate::clock::{Clock, Timestamp};
use crate::directory::{Client, Profile, Register};
use crate::id::{ClientId, PatientId, ProfessionalId};
use crate::model::{ClinicalScope, Coding, Purpose};
use crate::proof::{
    self, AccessToken, ClientAssertion, Iua, PublicKey, Thumbprint, access_token, client_assertion, dpop,
};
use crate::store::Store;
use crate::vault::TokenSigner;

/// The code system of French profession codes.
pub const PROFESSIONS: &str = "urn:oid:1.2.250.1.71.1.2.7";

/// Makes access tokens.
pub struct Issuer {
    /// Our issuer.
    pub issuer: String,
    /// The URL of the token endpoint.
    pub token_url: String,
    /// Our FHIR base URL.
    pub audience: String,
    /// Signs.
    pub signer: TokenSigner,
    /// Believes enrolments.
    pub register: Arc<Register>,
    /// Takes proofs of possession.
    pub possession: Arc<Possession>,
    /// Where enrolments and used assertions are.
    pub store: Store,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Chance, for token ids.
    pub chance: Arc<dyn Chance>,
}

/// The parameters of a token request, each at most once.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenRequest<'r> {
    /// `grant_type`
    pub grant_type: &'r str,
    /// `client_assertion_type`
    pub assertion_type: &'r str,
    /// `client_assertion`
    pub assertion: &'r str,
    /// `client_id`, optional beside the assertion.
    pub client_id: Option<&'r str>,
    /// `scope`
    pub scope: &'r str,
    /// The `DPoP` header.
    pub dpop: Option<&'r str>,
}

/// A token and what the response says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// `Bearer` or `DPoP`.
    pub kind: &'static str,
    /// Seconds it lives.
    pub seconds: i64,
    /// The scopes granted, separated by blanks.
    pub scope: String,
}

/// Why no token is made: an error code of RFC 6749 §5.2, and a word for the log.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The client is not who it says, or not enrolled.
    #[error("invalid_client: {0}")]
    Client(&'static str),
    /// Another grant than `client_credentials`.
    #[error("unsupported_grant_type")]
    Grant,
    /// None of the scopes asked for can be given, or one is not a scope.
    #[error("invalid_scope")]
    Scope,
    /// A parameter is missing or malformed.
    #[error("invalid_request: {0}")]
    Request(&'static str),
    /// The proof of possession is not good.
    #[error("invalid_dpop_proof: {0}")]
    Proof(&'static str),
    /// The proof of possession needs a nonce of ours (RFC 9449 §8).
    #[error("use_dpop_nonce")]
    Stale,
    /// Something below does not answer.
    #[error("temporarily_unavailable")]
    Unavailable,
}

impl Issuer {
    /// Makes a token for software.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is said about why a client was not believed.
    pub async fn issue(&self, request: TokenRequest<'_>) -> Result<Issued, Refusal> {
        const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        if request.grant_type != "client_credentials" {
            return Err(Refusal::Grant);
        }
        if request.assertion_type != ASSERTION {
            return Err(Refusal::Client("assertion type"));
        }
        let claimed =
            client_assertion::unverified_client(request.assertion).map_err(|r| Refusal::Client(r.reason()))?;
        if request.client_id.is_some_and(|id| id != claimed.to_string()) {
            return Err(Refusal::Client("client_id"));
        }
        let client = self.client(claimed).await?;
        let assertion = self.believe(request.assertion, &client)?;
        let bound_to = self.possession(request.dpop, client.profile).await?;
        // Last of the three: who is sent back for a nonce may come with the same assertion again.
        self.spend(&assertion).await?;
        let scope = granted(request.scope, &client.scopes)?;
        let iua = self.iua(&client, &assertion).await?;
        let token = AccessToken {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            subject: client.id.to_string(),
            client: client.id,
            issued: self.now_in_seconds(),
            expires: self.now_in_seconds().plus_secs(LONGEST_SECONDS),
            id: self.token_id()?,
            scope: scope.clone(),
            patient: None,
            bound_to,
            iua,
        };
        self.sign(&token)
    }

    /// Makes a token for a patient, who was identified by other means (a login, or the development provider).
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when it cannot be signed.
    pub fn issue_to_patient(&self, patient: PatientId, app: ClientId) -> Result<Issued, Refusal> {
        let token = AccessToken {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            subject: patient.to_string(),
            client: app,
            issued: self.now_in_seconds(),
            expires: self.now_in_seconds().plus_secs(LONGEST_SECONDS),
            id: self.token_id()?,
            scope: "patient/*.rs".to_owned(),
            patient: Some(patient),
            bound_to: None,
            iua: Iua { purpose: Some(Purpose::Patrqt), ..Iua::default() },
        };
        self.sign(&token)
    }

    /// The public keys of our tokens (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> String {
        self.signer.jwk_set().to_owned()
    }

    async fn client(&self, id: ClientId) -> Result<Client, Refusal> {
        let row = self.store.party(id.as_bytes()).await.map_err(|_| Refusal::Unavailable)?;
        let party = self.register.check(&row.ok_or(Refusal::Client("unknown"))?).map_err(|n| Refusal::Client(n.0))?;
        let client = party.client().map_err(|n| Refusal::Client(n.0))?.clone();
        let row = self.store.party(client.organisation.as_bytes()).await.map_err(|_| Refusal::Unavailable)?;
        let place = self.register.check(&row.ok_or(Refusal::Client("no organisation"))?);
        let place = place.map_err(|n| Refusal::Client(n.0))?;
        if client.active && place.active() { Ok(client) } else { Err(Refusal::Client("suspended")) }
    }

    fn believe(&self, assertion: &str, client: &Client) -> Result<ClientAssertion, Refusal> {
        let now = self.clock.now();
        let expected = client_assertion::Expected {
            client: client.id,
            profile: match client.profile {
                Profile::Smart => proof::Profile::Smart,
                Profile::Fapi2 => proof::Profile::Fapi2,
            },
            issuer: &self.issuer,
            token_url: &self.token_url,
            now,
        };
        let key = PublicKey::from_jwk(client.key.as_bytes()).map_err(|r| Refusal::Client(r.reason()))?;
        client_assertion::verify(assertion, &expected, |_kid| Some(key)).map_err(|r| Refusal::Client(r.reason()))
    }

    /// Uses up an assertion, on every node at once (D14).
    async fn spend(&self, assertion: &ClientAssertion) -> Result<(), Refusal> {
        let (issuer, now) = (format!("assertion {}", assertion.client), self.clock.now());
        match use_once(&self.store, &issuer, &assertion.id, now, assertion.expires.plus_secs(60)).await {
            Ok(()) => Ok(()),
            Err(Unauthenticated::Unavailable(_)) => Err(Refusal::Unavailable),
            Err(_) => Err(Refusal::Client("used before")),
        }
    }

    /// The key the token is to be bound to: always under FAPI 2.0, when offered under SMART.
    async fn possession(&self, header: Option<&str>, profile: Profile) -> Result<Option<Thumbprint>, Refusal> {
        let Some(header) = header else {
            return match profile {
                Profile::Smart => Ok(None),
                Profile::Fapi2 => Err(Refusal::Proof("missing")),
            };
        };
        let now = self.clock.now();
        let expected = dpop::Expected { method: "POST", url: &self.token_url, access_token: None, key: None, now };
        self.possession.prove(header, &expected).await.map(Some).map_err(|unproved| match unproved {
            Unproved::Refused(reason) => Refusal::Proof(reason),
            Unproved::Stale => Refusal::Stale,
            Unproved::Unavailable(_) => Refusal::Unavailable,
        })
    }

    /// Organisation, professional and purpose: what the client says, as far as the register bears it out.
    async fn iua(&self, client: &Client, assertion: &ClientAssertion) -> Result<Iua, Refusal> {
        let said = &assertion.iua;
        let organisation = client.organisation.to_string();
        if said.organisation.as_deref().is_some_and(|o| o != organisation) {
            return Err(Refusal::Client("another organisation"));
        }
        let purpose = said.purpose.ok_or(Refusal::Request("purpose_of_use"))?;
        let mut iua = Iua { organisation: Some(organisation), purpose: Some(purpose), professional: None, role: None };
        if let Some(id) = &said.professional {
            let id: ProfessionalId = id.parse().map_err(|_| Refusal::Request("national_provider_identifier"))?;
            let row = self.store.party(id.as_bytes()).await.map_err(|_| Refusal::Unavailable)?;
            let row = row.ok_or(Refusal::Client("unknown professional"))?;
            let party = self.register.check(&row).map_err(|n| Refusal::Client(n.0))?;
            let person = party.professional().map_err(|n| Refusal::Client(n.0))?;
            if !person.active || !person.organisations.contains(&client.organisation) {
                return Err(Refusal::Client("professional not of this organisation"));
            }
            iua.professional = Some(id.to_string());
            iua.role = Some(Coding { system: PROFESSIONS.to_owned(), code: person.profession.code().to_owned() });
        }
        Ok(iua)
    }

    fn sign(&self, token: &AccessToken) -> Result<Issued, Refusal> {
        let signed =
            self.signer.sign(access_token::TYP, token.to_claims_json().as_bytes()).map_err(|_| Refusal::Unavailable)?;
        Ok(Issued {
            token: signed,
            kind: if token.bound_to.is_some() { "DPoP" } else { "Bearer" },
            seconds: LONGEST_SECONDS,
            scope: token.scope.clone(),
        })
    }

    fn now_in_seconds(&self) -> Timestamp {
        Timestamp::from_secs(self.clock.now().secs())
    }

    fn token_id(&self) -> Result<String, Refusal> {
        let bytes = chance::bytes::<16>(&*self.chance).map_err(|_| Refusal::Unavailable)?;
        Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }
}

/// What is asked for and enrolled; a scope that is not within an enrolled one is dropped, never reinterpreted.
fn granted(asked: &str, enrolled: &[ClinicalScope]) -> Result<String, Refusal> {
    let mut scopes = Vec::new();
    for text in asked.split(' ').filter(|t| !t.is_empty()) {
        let scope: Option<ClinicalScope> = text.strip_prefix("system/").and_then(|t| t.parse().ok());
        if scope.is_some_and(|s| enrolled.iter().any(|e| s.within(e))) {
            scopes.push(text);
        }
    }
    if scopes.is_empty() { Err(Refusal::Scope) } else { Ok(scopes.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_given_whole_or_dropped() {
        let enrolled = ["Observation.rs".parse().unwrap(), "Condition.r".parse().unwrap()];
        let granted = |asked| granted(asked, &enrolled);
        assert_eq!(granted("system/Observation.r system/Condition.rs").unwrap(), "system/Observation.r");
        for none in ["", "patient/Observation.r", "system/*.r", "system/Observation.read", "openid"] {
            assert!(matches!(granted(none), Err(Refusal::Scope)), "{none}");
        }
    }
}
