//! The built-in identity providers of development mode: small, real OpenID providers that believe anyone.
//!
//! One is for patients and one for professionals, each an issuer of its own. The house reaches them over HTTP as it
//! would any other; nothing in it knows that they are built in. They know no session of their own: whoever comes is
//! asked who they want to be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::keys::{OutsideKey, jti};
use super::stage::{Persona, Staging};
use crate::clock::{Clock, Timestamp};
use crate::http::{Fields, Routes, get, page, post, problem, see_other};
use crate::proof::key::Algorithm;
use crate::proof::{PublicKey, base64url, jws};

const JSON: &str = "application/json";
/// The house's name at these providers.
pub const CLIENT: &str = "garant";
/// The level of authentication that they claim.
pub const ACR: &str = "eidas2";
const CODE_SECONDS: i64 = 60;
const TOKEN_SECONDS: i64 = 300;
/// Codes that may be open at once.
const MOST_CODES: usize = 1000;

/// A provider.
pub struct Provider {
    issuer: String,
    /// The house: redirects lead there and nowhere else.
    house: String,
    personas: Vec<Persona>,
    /// The key with which the house shows who it is.
    client_key: PublicKey,
    key: OutsideKey,
    codes: Mutex<HashMap<String, Grant>>,
    clock: Arc<dyn Clock>,
}

/// The providers that are served, by [`path`].
pub type Providers = Arc<HashMap<&'static str, Provider>>;

/// Their routes, to be served at the root of the house.
pub fn router(providers: Providers) -> Routes {
    Routes::new(include_str!("told.json"))
        .route("/development/{who}/.well-known/openid-configuration", get("providerMetadata", discovery))
        .route("/development/{who}/jwks", get("providerKeys", jwks))
        .route("/development/{who}/authorize", get("choosePersona", ask).post("becomePersona", choose))
        .route("/development/{who}/token", post("providerToken", token))
        .route("/development/{who}/logout", get("leaveProvider", logout))
        .with_state(providers)
}

/// What stands where there is no such provider.
fn nobody() -> Response<Body> {
    problem(StatusCode::NOT_FOUND, JSON, r#"{"error":"not_found"}"#)
}

struct Grant {
    subject: String,
    nonce: String,
    challenge: String,
    expires: Timestamp,
}

#[derive(Template)]
#[template(path = "development/provider.html")]
struct Page<'p> {
    action: &'p str,
    personas: &'p [Persona],
    asked: [(&'static str, &'p str); 8],
}

/// The parameters of an authorization request that are carried through the page.
const ASKED: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// The path of a provider, for example `/development/patients`.
#[must_use]
pub fn path(who: &str) -> String {
    format!("/development/{who}")
}

impl Provider {
    /// A provider at [`path`]`(who)` of the house at `house`, which authenticates with `client_key`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(
        who: &str,
        house: &str,
        personas: Vec<Persona>,
        client_key: PublicKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Staging> {
        Ok(Self {
            issuer: format!("{house}{}", path(who)),
            house: house.to_owned(),
            personas,
            client_key,
            key: OutsideKey::read(&OutsideKey::generate()?)?,
            codes: Mutex::default(),
            clock,
        })
    }

    /// Whether an authorization request is one that the house makes.
    fn is_ours(&self, asked: &Fields) -> bool {
        asked.get("client_id") == Some(CLIENT)
            && asked.get("redirect_uri") == Some(&*format!("{}/login/callback", self.house))
            && asked.get("response_type") == Some("code")
            && asked.get("scope").is_some_and(|s| s.split(' ').any(|s| s == "openid"))
            && asked.get("code_challenge_method") == Some("S256")
            && ["state", "nonce", "code_challenge"].iter().all(|name| asked.get(name).is_some_and(|v| !v.is_empty()))
    }

    fn grant(&self, asked: &Fields, subject: &str) -> Result<String, &'static str> {
        let text = |name| asked.get(name).unwrap_or_default().to_owned();
        let now = self.clock.now();
        let grant = Grant {
            subject: subject.to_owned(),
            nonce: text("nonce"),
            challenge: text("code_challenge"),
            expires: now.plus_secs(CODE_SECONDS),
        };
        let code = jti()?;
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, grant| now < grant.expires);
        if codes.len() >= MOST_CODES {
            return Err("too many codes");
        }
        codes.insert(code.clone(), grant);
        Ok(code)
    }

    /// The tokens for a code, or an error code of RFC 6749 §5.2.
    fn redeem(&self, form: &Fields) -> Result<Value, &'static str> {
        if form.get("grant_type") != Some("authorization_code") {
            return Err("unsupported_grant_type");
        }
        self.authenticate(form).ok_or("invalid_client")?;
        let code = form.get("code").unwrap_or_default();
        let grant = self.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(code).ok_or("invalid_grant")?;
        let verifier = form.get("code_verifier").unwrap_or_default();
        let challenge = base64url::encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        let redirect = format!("{}/login/callback", self.house);
        let now = self.clock.now();
        if challenge != grant.challenge || form.get("redirect_uri") != Some(&redirect) || now >= grant.expires {
            return Err("invalid_grant");
        }
        self.tokens(&grant, now).map_err(|_| "server_error")
    }

    /// `private_key_jwt` (RFC 7523 §3).
    fn authenticate(&self, form: &Fields) -> Option<()> {
        const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let assertion = form.get("client_assertion").filter(|_| form.get("client_assertion_type") == Some(KIND))?;
        let rules = jws::Rules::of("JWT", &[Algorithm::Es256]);
        let verified = jws::verify(assertion, &rules, None, |_| Some(self.client_key)).ok()?;
        let claims = verified.claims().ok()?;
        let us = claims.exact("iss", CLIENT, "iss").and_then(|()| claims.exact("sub", CLIENT, "sub"));
        us.and_then(|()| claims.audience(&[&self.issuer], false)).ok()?;
        (self.clock.now() < claims.time("exp").ok()?).then_some(())
    }

    fn tokens(&self, grant: &Grant, now: Timestamp) -> Result<Value, Staging> {
        let persona = self.personas.iter().find(|p| p.subject == grant.subject).ok_or("nobody")?;
        let access = jti()?;
        let half = digest(&SHA256, access.as_bytes());
        let half = base64url::encode(half.as_ref().get(..16).ok_or("a short digest")?);
        let mut claims = json!({
            "iss": self.issuer, "sub": persona.subject, "aud": CLIENT, "iat": now.secs(),
            "exp": now.secs() + TOKEN_SECONDS, "auth_time": now.secs(), "nonce": grant.nonce, "acr": ACR,
            "amr": ["user"], "sid": jti()?, "at_hash": half, "name": persona.name,
        });
        if let Some(claims) = claims.as_object_mut() {
            claims.extend(persona.claims.clone());
        }
        let id_token = self.key.jws("JWT", "development", claims.to_string().as_bytes())?;
        Ok(json!({ "access_token": access, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "id_token": id_token }))
    }
}

async fn discovery(State(all): State<Providers>, Path(who): Path<String>) -> Response<Body> {
    let Some(provider) = all.get(who.as_str()) else { return nobody() };
    let issuer = &provider.issuer;
    let body = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/logout"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": [ACR],
        "authorization_response_iss_parameter_supported": true,
    });
    problem(StatusCode::OK, JSON, body.to_string())
}

async fn jwks(State(all): State<Providers>, Path(who): Path<String>) -> Response<Body> {
    let Some(provider) = all.get(who.as_str()) else { return nobody() };
    let Ok(mut key) = serde_json::from_str::<Value>(&provider.key.jwk()) else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, JSON, "{}");
    };
    if let Some(key) = key.as_object_mut() {
        key.extend([("kid", "development"), ("alg", "ES256"), ("use", "sig")].map(|(n, v)| (n.to_owned(), v.into())));
    }
    problem(StatusCode::OK, JSON, json!({ "keys": [key] }).to_string())
}

/// The page on which to choose whom to be.
async fn ask(State(all): State<Providers>, Path(who): Path<String>, RawQuery(query): RawQuery) -> Response<Body> {
    let Some(provider) = all.get(who.as_str()) else { return nobody() };
    let asked = Fields::read(&query.unwrap_or_default()).unwrap_or_default();
    if !provider.is_ours(&asked) {
        return page(StatusCode::BAD_REQUEST, "<!doctype html><title>400</title>".to_owned(), &[]);
    }
    let shown = Page {
        action: &format!("{}/authorize", provider.issuer),
        personas: &provider.personas,
        asked: ASKED.map(|name| (name, asked.get(name).unwrap_or_default())),
    };
    match shown.render() {
        Ok(html) => page(StatusCode::OK, html, &[]),
        Err(_) => page(StatusCode::INTERNAL_SERVER_ERROR, String::new(), &[]),
    }
}

/// Back to the house as the person chosen.
async fn choose(
    State(all): State<Providers>,
    Path(who): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Some(provider) = all.get(who.as_str()) else { return nobody() };
    let asked = Fields::of(&headers, body).await.ok().flatten().unwrap_or_default();
    let (Some(back), true) = (asked.get("redirect_uri"), provider.is_ours(&asked)) else {
        return page(StatusCode::BAD_REQUEST, "<!doctype html><title>400</title>".to_owned(), &[]);
    };
    let subject = asked.get("subject").unwrap_or_default();
    let known = provider.personas.iter().any(|p| p.subject == subject);
    let (name, value) = match provider.grant(&asked, subject) {
        Ok(code) if known => ("code", code),
        Ok(_) => ("error", "access_denied".to_owned()),
        Err(_) => ("error", "temporarily_unavailable".to_owned()),
    };
    tracing::info!("a built-in identity provider believed somebody; this must never happen with real data");
    let Ok(mut url) = url::Url::parse(back) else { return page(StatusCode::BAD_REQUEST, String::new(), &[]) };
    url.query_pairs_mut()
        .append_pair(name, &value)
        .append_pair("state", asked.get("state").unwrap_or_default())
        .append_pair("iss", &provider.issuer);
    see_other(url.as_str())
}

async fn token(
    State(all): State<Providers>,
    Path(who): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Some(provider) = all.get(who.as_str()) else { return nobody() };
    let form = Fields::of(&headers, body).await.ok().flatten().unwrap_or_default();
    match provider.redeem(&form) {
        Ok(tokens) => problem(StatusCode::OK, JSON, tokens.to_string()),
        Err(code) => problem(StatusCode::BAD_REQUEST, JSON, json!({ "error": code }).to_string()),
    }
}

/// There is no session to end here: back to the house.
async fn logout(State(all): State<Providers>, Path(who): Path<String>, RawQuery(query): RawQuery) -> Response<Body> {
    let Some(provider) = all.get(who.as_str()) else { return nobody() };
    let asked = Fields::read(&query.unwrap_or_default()).unwrap_or_default();
    let home = format!("{}/login", provider.house);
    if asked.get("post_logout_redirect_uri") == Some(&home) {
        return see_other(&home);
    }
    page(StatusCode::OK, "<!doctype html><title>Déconnecté</title><p>Déconnecté.</p>".to_owned(), &[])
}
