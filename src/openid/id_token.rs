//! ID tokens and `userinfo`: what a provider says of a person, checked (OpenID Connect Core §3.1.3.7, §5.3).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreClient, CoreGenderClaim, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, IssuerUrl, Nonce, SubjectIdentifier, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::known::Metadata;
use super::{Ask, Provider, Unproved};
use crate::clock::Timestamp;
use crate::json::{self, Limits, Node};
use crate::proof::base64url;

/// What a signature may be made with: never a shared secret (J01; HS256 would let whoever knows our public
/// configuration or our secret write tokens), never RSA with PKCS#1 weaker than SHA-256.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 6] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// How old an ID token may be when it is redeemed.
const OLDEST_SECONDS: i64 = 600;
/// How far clocks may differ.
const AHEAD_SECONDS: i64 = 10;

/// Claims beside the standard ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Further(BTreeMap<String, Value>);

impl AdditionalClaims for Further {}

/// A person whom a provider has identified just now.
#[derive(Debug)]
pub struct Arrival {
    /// The provider.
    pub issuer: String,
    /// Its name for the person; a name at this issuer only (O22).
    pub subject: String,
    /// Its session, if it named one.
    pub session: Option<String>,
    /// The level of authentication.
    pub acr: String,
    /// The methods, as it names them.
    pub methods: Vec<String>,
    /// When the person authenticated.
    pub authenticated: Timestamp,
    /// The ID token itself, as a hint for logout.
    pub id_token: String,
    claims: BTreeMap<String, Value>,
}

impl Arrival {
    /// Whether the claim `name` is there.
    #[must_use]
    pub fn says(&self, name: &str) -> bool {
        self.claims.contains_key(name)
    }

    /// The texts of the claim `name`: one, or each of an array.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.claims.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        }
    }
}

impl Provider {
    /// Believes an ID token that came with `access`, or not.
    pub(super) async fn believe(
        &self,
        token: &CoreIdToken,
        access: &AccessToken,
        ask: &Ask<'_>,
    ) -> Result<Arrival, Unproved> {
        let text = token.to_string();
        let [header, payload] = strictly(&text)?;
        let (header, tree) = (read(&header)?, read(&payload)?);
        let known = self.known_for(header.text_of("kid")).await?;
        let now = self.clock.now();
        let verifier = self.verifier(&known, now, ask.after)?;
        let claims = token.claims(&verifier, &Nonce::new(ask.nonce.to_owned())).map_err(Unproved::refused)?;
        self.ours(claims)?;
        if let Some(hash) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(Unproved::refused)?;
            let key = token.signing_key(&verifier).map_err(Unproved::refused)?;
            let real = AccessTokenHash::from_token(access, algorithm, key).map_err(Unproved::refused)?;
            if real != *hash {
                return Err(Unproved::refused("at_hash"));
            }
        }
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > 255 || !subject.is_ascii() {
            return Err(Unproved::refused("sub"));
        }
        let further: BTreeMap<String, Value> = serde_json::from_slice(&payload).map_err(Unproved::refused)?;
        Ok(Arrival {
            issuer: claims.issuer().to_string(),
            subject: subject.to_owned(),
            session: tree.text_of("sid").map(str::to_owned),
            acr: claims.auth_context_ref().map_or_else(String::new, |acr| acr.as_str().to_owned()),
            methods: claims.auth_method_refs().into_iter().flatten().map(|m| m.as_str().to_owned()).collect(),
            authenticated: claims.auth_time().unwrap_or_else(|| claims.issue_time()).into(),
            id_token: text,
            claims: further,
        })
    }

    fn verifier(
        &self,
        known: &Metadata,
        now: Timestamp,
        after: Option<Timestamp>,
    ) -> Result<CoreIdTokenVerifier<'_>, Unproved> {
        let issuer =
            IssuerUrl::new(self.settings.issuer.clone()).map_err(|_| Unproved::Settings("the issuer is not a URL"))?;
        let at = DateTime::<Utc>::from_timestamp(now.secs(), 0).ok_or(Unproved::Settings("the clock"))?;
        // As a public client: there is then no secret with which a token could be verified.
        let verifier = CoreIdTokenVerifier::new_public_client(self.our_id(), issuer, known.jwks().clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || at)
            .set_issue_time_verifier_fn(move |issued| recent(issued, now, OLDEST_SECONDS, "iat"))
            .set_auth_context_verifier_fn(move |acr| {
                let reached = acr.is_some_and(|acr| self.settings.acr.iter().any(|wanted| wanted == acr.as_str()));
                if reached || self.settings.acr.is_empty() { Ok(()) } else { Err("acr not reached".to_owned()) }
            })
            .set_auth_time_verifier_fn(move |time| match (time.map(Timestamp::from), after) {
                (_, None) => Ok(()),
                (None, Some(_)) => Err("auth_time missing".to_owned()),
                (Some(at), Some(after)) => {
                    let fits = at.plus_secs(AHEAD_SECONDS) >= after && at <= now.plus_secs(AHEAD_SECONDS);
                    if fits { Ok(()) } else { Err("auth_time".to_owned()) }
                }
            });
        Ok(verifier)
    }

    /// Whether the token is for us and nobody else; the crate leaves `azp` to its caller.
    fn ours(&self, claims: &CoreIdTokenClaims) -> Result<(), Unproved> {
        let [audience] = claims.audiences().as_slice() else { return Err(Unproved::refused("several audiences")) };
        let us = &self.settings.client_id;
        if audience.as_str() != us || claims.authorized_party().is_some_and(|azp| azp.as_str() != us) {
            return Err(Unproved::refused("aud or azp"));
        }
        Ok(())
    }

    /// Adds what `userinfo` says; another person's answer is refused (OI-06).
    pub(super) async fn ask_more(
        &self,
        known: &Metadata,
        arrival: &mut Arrival,
        access: &AccessToken,
    ) -> Result<(), Unproved> {
        let client = CoreClient::from_provider_metadata(known.clone(), self.our_id(), None);
        let subject = SubjectIdentifier::new(arrival.subject.clone());
        let request = client.user_info(access.clone(), Some(subject)).map_err(Unproved::refused)?;
        let said: UserInfoClaims<Further, CoreGenderClaim> =
            request.request_async(&self.fetch).await.map_err(|error| {
                if let UserInfoError::Request(error) = error {
                    return Unproved::Unreachable(error.to_string());
                }
                Unproved::refused(format!("userinfo: {error}"))
            })?;
        for (name, value) in &said.additional_claims().0 {
            // What the signed token says stands.
            arrival.claims.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Ok(())
    }
}

fn recent(moment: DateTime<Utc>, now: Timestamp, oldest: i64, word: &str) -> Result<(), String> {
    let at = Timestamp::from(moment);
    let fits = at <= now.plus_secs(AHEAD_SECONDS) && at >= now.plus_secs(oldest.saturating_neg());
    if fits { Ok(()) } else { Err(word.to_owned()) }
}

/// Header and payload of a compact JWS in its one spelling.
pub(super) fn strictly(text: &str) -> Result<[Vec<u8>; 2], Unproved> {
    let refused = || Unproved::refused("not a compact JWS");
    let mut parts = text.split('.');
    let (Some(header), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(refused());
    };
    let decode = |part| base64url::decode(part).map_err(|_| refused());
    Ok([decode(header)?, decode(payload)?])
}

/// Reads header or payload; of two equal names none is believed (J06, J07).
pub(super) fn read(bytes: &[u8]) -> Result<Node<'_>, Unproved> {
    let tree = json::parse(bytes, Limits::TOKEN).map_err(|_| Unproved::refused("not strict JSON"))?;
    if tree.is_object() { Ok(tree) } else { Err(Unproved::refused("not an object")) }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self::from_secs(moment.timestamp())
    }
}
