//! Making access tokens for enrolled software: `client_credentials` with `private_key_jwt` (RFC 6749 §4.4,
//! RFC 7523, SMART Backend Services), at most five minutes long.

use std::sync::Arc;

use super::bearer::LONGEST_SECONDS;
use super::possession::{Possession, Unproved};
use super::session::{Person, sid};
use super::software::{Believed, ClientProof};
use super::ticket::Ticket;
use crate::chance::{self, Chance};
use crate::clock::{Clock, Timestamp};
use crate::directory::{Client, Profile, Register};
use crate::id::{ClientId, PatientId, ProfessionalId};
use crate::model::{ClinicalScope, Coding, Purpose};
use crate::proof::{AccessToken, ClientAssertion, Iua, Thumbprint, access_token, dpop};
use crate::store::Store;
use crate::vault::TokenKeys;

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
    /// Sign access tokens.
    pub signer: TokenKeys,
    /// Sign identity tokens.
    pub identity: TokenKeys,
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
    pub assertion_type: Option<&'r str>,
    /// `client_assertion`
    pub assertion: Option<&'r str>,
    /// `client_id`, optional beside the assertion.
    pub client_id: Option<&'r str>,
    /// `scope`
    pub scope: &'r str,
    /// `code`
    pub code: Option<&'r str>,
    /// `redirect_uri`
    pub redirect_uri: Option<&'r str>,
    /// `code_verifier`
    pub verifier: Option<&'r str>,
    /// `refresh_token`
    pub refresh_token: Option<&'r str>,
    /// The `DPoP` header.
    pub dpop: Option<&'r str>,
}

impl<'r> TokenRequest<'r> {
    /// How the software says who it is.
    pub(super) const fn proof(&self) -> ClientProof<'r> {
        ClientProof { assertion_type: self.assertion_type, assertion: self.assertion, client_id: self.client_id }
    }
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
    /// A refresh token, where one was granted.
    pub refresh: Option<String>,
    /// An identity token, where one was granted.
    pub id_token: Option<String>,
    /// The patient of the launch context.
    pub patient: Option<PatientId>,
}

/// Why no token is made: an error code of RFC 6749 §5.2, and a word for the log.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The client is not who it says, or not enrolled.
    #[error("invalid_client: {0}")]
    Client(&'static str),
    /// A kind of grant that is not offered.
    #[error("unsupported_grant_type")]
    Grant,
    /// The code or refresh token is not good, was used, or belongs to somebody else.
    #[error("invalid_grant: {0}")]
    InvalidGrant(&'static str),
    /// What is wrong with a pushed request, as it would be said to a redirect URI.
    #[error("pushed request: {0}")]
    Pushed(&'static str),
    /// A token that cannot be taken back.
    #[error("unsupported_token_type")]
    TokenType,
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
        if request.grant_type != "client_credentials" {
            return Err(Refusal::Grant);
        }
        let believed = self.believe(&request.proof()).await?;
        let bound_to = self.possession(request.dpop, believed.client.profile, &self.token_url).await?;
        // Last of the three: whoever is sent back for a better proof may come with the same assertion again.
        self.spend(&believed).await?;
        let Believed { client, assertion: Some(assertion) } = believed else {
            return Err(Refusal::Client("public"));
        };
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
            person: None,
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
            person: None,
        };
        self.sign(&token)
    }

    /// The public keys of our tokens, a JWK set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> String {
        let now = self.clock.now();
        format!(r#"{{"keys":[{},{}]}}"#, self.signer.jwks(now), self.identity.jwks(now))
    }

    /// The key the token is to be bound to: always under FAPI 2.0, when offered under SMART.
    pub(super) async fn possession(
        &self,
        header: Option<&str>,
        profile: Profile,
        url: &str,
    ) -> Result<Option<Thumbprint>, Refusal> {
        let Some(header) = header else {
            return match profile {
                Profile::Smart => Ok(None),
                Profile::Fapi2 => Err(Refusal::Proof("missing")),
            };
        };
        let now = self.clock.now();
        let expected = dpop::Expected { method: "POST", url, access_token: None, key: None, now };
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

    pub(super) fn sign(&self, token: &AccessToken) -> Result<Issued, Refusal> {
        let signer = self.signer.signer(self.clock.now());
        let signed = signer.sign(access_token::TYP, token.to_claims_json().as_bytes());
        let signed = signed.map_err(|_| Refusal::Unavailable)?;
        Ok(Issued {
            token: signed,
            kind: if token.bound_to.is_some() { "DPoP" } else { "Bearer" },
            seconds: token.expires.secs() - token.issued.secs(),
            scope: token.scope.clone(),
            refresh: None,
            id_token: None,
            patient: None,
        })
    }

    /// An identity token beside `token` (OpenID Connect Core §2): who signed in, for the client alone.
    pub(super) fn id_token(&self, token: &AccessToken, ticket: &Ticket) -> Result<String, Refusal> {
        let kind = match ticket.person {
            Person::Patient(_) => "Patient",
            Person::Professional(_) => "Practitioner",
        };
        let mut claims = serde_json::json!({
            "iss": self.issuer, "sub": token.subject, "aud": token.client.to_string(), "iat": token.issued.secs(),
            "exp": token.expires.secs(), "auth_time": ticket.auth_time.secs(),
        });
        if let Some(claims) = claims.as_object_mut() {
            let fhir_user = format!("{}/{kind}/{}", self.audience, token.subject);
            let more = [
                ("nonce", ticket.nonce.clone()),
                ("sid", Some(sid(&ticket.session, token.client))),
                ("acr", Some(ticket.acr.clone()).filter(|acr| !acr.is_empty())),
                ("fhirUser", Some(fhir_user).filter(|_| token.scope.split(' ').any(|s| s == "fhirUser"))),
            ];
            claims.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
        }
        let signer = self.identity.signer(self.clock.now());
        signer.sign("JWT", claims.to_string().as_bytes()).map_err(|_| Refusal::Unavailable)
    }

    pub(super) fn now_in_seconds(&self) -> Timestamp {
        Timestamp::from_secs(self.clock.now().secs())
    }

    pub(super) fn token_id(&self) -> Result<String, Refusal> {
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
