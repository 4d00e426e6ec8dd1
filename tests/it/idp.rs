//! An identity provider that can be told to lie: OpenID Connect as real ones speak it, and one damage at a time.

#![expect(clippy::wildcard_enum_match_arm, reason = "each match names the damages that it does")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garant::clock::{Clock as _, SystemClock};
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jws::RS256;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// One thing that is not as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    None,
    Signature,
    AlgNone,
    Hs256WithSecret,
    Hs256WithPublicKey,
    Issuer,
    Audience,
    TwoAudiences,
    AuthorizedParty,
    Expired,
    ExpiresNever,
    IssuedAhead,
    IssuedLongAgo,
    Nonce,
    NoNonce,
    NoAcr,
    LowAcr,
    AccessTokenHash,
    UnknownKid,
    LogoutTyp,
    Critical,
    KeyInHeader,
    SubjectTwice,
    NoSubject,
    LongSubject,
    OtherKey,
}

impl Damage {
    pub const ALL: [Self; 25] = [
        Self::Signature,
        Self::AlgNone,
        Self::Hs256WithSecret,
        Self::Hs256WithPublicKey,
        Self::Issuer,
        Self::Audience,
        Self::TwoAudiences,
        Self::AuthorizedParty,
        Self::Expired,
        Self::ExpiresNever,
        Self::IssuedAhead,
        Self::IssuedLongAgo,
        Self::Nonce,
        Self::NoNonce,
        Self::NoAcr,
        Self::LowAcr,
        Self::AccessTokenHash,
        Self::UnknownKid,
        Self::LogoutTyp,
        Self::Critical,
        Self::KeyInHeader,
        Self::SubjectTwice,
        Self::NoSubject,
        Self::LongSubject,
        Self::OtherKey,
    ];
}

/// What the provider is to do.
#[derive(Clone)]
pub struct Script {
    pub damage: Damage,
    pub subject: String,
    pub sid: String,
    /// Further claims of the ID token.
    pub claims: Value,
    /// What `userinfo` says, if it is served.
    pub userinfo: Option<Value>,
    /// `iss` of the answer; the right one when `None`.
    pub answer_issuer: Option<String>,
    /// Changes to the discovery document.
    pub discovery: Value,
    pub kid: String,
    /// An answer with an error instead of a code.
    pub error: Option<String>,
}

/// The provider.
pub struct Idp {
    pub issuer: String,
    pub script: Mutex<Script>,
    pub fetches: AtomicU32,
    pub redeemed: Mutex<Vec<HashMap<String, String>>>,
    keys: Mutex<Vec<(String, RsaKeyPair)>>,
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
}

pub const SECRET: &str = "a shared secret of the tests, long enough to be one";
pub const CLIENT: &str = "garant-tests";

fn key(kid: &str) -> (String, RsaKeyPair) {
    (kid.to_owned(), RsaKeyPair::generate(2048).unwrap())
}

impl Idp {
    pub async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let script = Script {
            damage: Damage::None,
            subject: "a-subject".to_owned(),
            sid: "s-1".to_owned(),
            claims: json!({}),
            userinfo: None,
            answer_issuer: None,
            discovery: json!({}),
            kid: "k1".to_owned(),
            error: None,
        };
        let idp = Arc::new(Self {
            issuer,
            script: Mutex::new(script),
            fetches: AtomicU32::new(0),
            redeemed: Mutex::default(),
            keys: Mutex::new(vec![key("k1")]),
            codes: Mutex::default(),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/me", get(userinfo))
            .with_state(Arc::clone(&idp));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        idp
    }

    pub fn tell(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::SeqCst)
    }

    /// A new key in the place of the old one.
    pub fn rotate(&self, kid: &str) {
        *self.keys.lock().unwrap() = vec![key(kid)];
        self.tell(|script| kid.clone_into(&mut script.kid));
    }

    pub fn sign(&self, header: &Value, payload: &[u8]) -> String {
        let keys = self.keys.lock().unwrap();
        let signed = format!("{}.{}", b64(header.to_string().as_bytes()), b64(payload));
        let signer = RS256.signer_from_der(keys[0].1.to_der_private_key()).unwrap();
        let signature = josekit::jws::JwsSigner::sign(&signer, signed.as_bytes()).unwrap();
        format!("{signed}.{}", b64(&signature))
    }

    /// A good logout token; `change` damages it.
    pub fn logout_token(&self, id: &str, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let script = self.script.lock().unwrap().clone();
        let now = SystemClock.now().secs();
        let mut header = json!({ "alg": "RS256", "kid": script.kid, "typ": "logout+jwt" });
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": id,
            "sub": script.subject, "sid": script.sid,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        change(&mut header, &mut claims);
        self.sign(&header, claims.to_string().as_bytes())
    }

    fn id_token(&self, asked: &HashMap<String, String>, access: &str) -> String {
        let script = self.script.lock().unwrap().clone();
        let damage = script.damage;
        let now = SystemClock.now().secs();
        let hash = |text: &str| b64(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
        let mut header = json!({ "alg": "RS256", "kid": script.kid, "typ": "JWT" });
        let mut claims = json!({
            "iss": self.issuer, "sub": script.subject, "aud": CLIENT, "exp": now + 300, "iat": now, "auth_time": now,
            "nonce": asked["nonce"], "acr": "eidas2", "amr": ["otp"], "sid": script.sid, "azp": CLIENT,
            "at_hash": hash(access),
        });
        for (name, value) in script.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let mut drop_claim = |name: &str| {
            claims.as_object_mut().unwrap().remove(name);
        };
        match damage {
            Damage::NoNonce => drop_claim("nonce"),
            Damage::NoAcr => drop_claim("acr"),
            Damage::NoSubject => drop_claim("sub"),
            Damage::Issuer => claims["iss"] = json!("https://another.example"),
            Damage::Audience => claims["aud"] = json!("another-client"),
            Damage::TwoAudiences => claims["aud"] = json!([CLIENT, "another-client"]),
            Damage::AuthorizedParty => claims["azp"] = json!("another-client"),
            Damage::Expired => claims["exp"] = json!(now - 1),
            Damage::ExpiresNever => claims["exp"] = json!(1e300),
            Damage::IssuedAhead => claims["iat"] = json!(now + 3600),
            Damage::IssuedLongAgo => claims["iat"] = json!(now - 7200),
            Damage::Nonce => claims["nonce"] = json!("another"),
            Damage::LowAcr => claims["acr"] = json!("eidas1"),
            Damage::AccessTokenHash => claims["at_hash"] = json!(hash("another")),
            Damage::LongSubject => claims["sub"] = json!("s".repeat(256)),
            Damage::UnknownKid => header["kid"] = json!("unheard-of"),
            Damage::LogoutTyp => header["typ"] = json!("logout+jwt"),
            Damage::Critical => {
                header["crit"] = json!(["x"]);
                header["x"] = json!(1);
            }
            _ => {}
        }
        let mut payload = claims.to_string();
        if damage == Damage::SubjectTwice {
            payload = payload.replacen('{', r#"{"sub":"somebody-else","#, 1);
        }
        self.finish(damage, &mut header, payload.as_bytes())
    }

    fn finish(&self, damage: Damage, header: &mut Value, payload: &[u8]) -> String {
        let unsigned = |header: &Value| format!("{}.{}", b64(header.to_string().as_bytes()), b64(payload));
        match damage {
            Damage::AlgNone => {
                header["alg"] = json!("none");
                format!("{}.", unsigned(header))
            }
            Damage::Hs256WithSecret | Damage::Hs256WithPublicKey => {
                header["alg"] = json!("HS256");
                let public = self.keys.lock().unwrap()[0].1.to_pem_public_key();
                let key = if damage == Damage::Hs256WithSecret { SECRET.as_bytes() } else { &public };
                let text = unsigned(header);
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
                format!("{text}.{}", b64(ring::hmac::sign(&key, text.as_bytes()).as_ref()))
            }
            Damage::KeyInHeader | Damage::OtherKey => {
                let other = RsaKeyPair::generate(2048).unwrap();
                if damage == Damage::KeyInHeader {
                    header["jwk"] = serde_json::from_str(&other.to_jwk_public_key().to_string()).unwrap();
                }
                let text = unsigned(header);
                let signer = RS256.signer_from_der(other.to_der_private_key()).unwrap();
                format!("{text}.{}", b64(&josekit::jws::JwsSigner::sign(&signer, text.as_bytes()).unwrap()))
            }
            Damage::Signature => {
                let good = self.sign(header, payload);
                let (text, signature) = good.rsplit_once('.').unwrap();
                let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
                signature[100] ^= 1;
                format!("{text}.{}", b64(&signature))
            }
            _ => self.sign(header, payload),
        }
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn discovery(State(idp): State<Arc<Idp>>) -> axum::Json<Value> {
    let issuer = &idp.issuer;
    let script = idp.script.lock().unwrap().clone();
    let mut body = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/end"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "authorization_response_iss_parameter_supported": true,
    });
    if script.userinfo.is_some() {
        body["userinfo_endpoint"] = json!(format!("{issuer}/me"));
    }
    for (name, value) in script.discovery.as_object().unwrap() {
        body[name] = value.clone();
    }
    axum::Json(body)
}

async fn jwks(State(idp): State<Arc<Idp>>) -> axum::Json<Value> {
    idp.fetches.fetch_add(1, Ordering::SeqCst);
    let keys = idp.keys.lock().unwrap();
    let keys = keys.iter().map(|(kid, key)| {
        let mut jwk: Value = serde_json::from_str(&key.to_jwk_public_key().to_string()).unwrap();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!("RS256");
        jwk
    });
    axum::Json(json!({ "keys": keys.collect::<Vec<_>>() }))
}

async fn authorize(State(idp): State<Arc<Idp>>, Query(asked): Query<HashMap<String, String>>) -> Redirect {
    let script = idp.script.lock().unwrap().clone();
    let mut back = url::Url::parse(&asked["redirect_uri"]).unwrap();
    {
        let mut pairs = back.query_pairs_mut();
        pairs.append_pair("state", &asked["state"]);
        pairs.append_pair("iss", script.answer_issuer.as_deref().unwrap_or(&idp.issuer));
        if let Some(error) = &script.error {
            pairs.append_pair("error", error);
        } else {
            let code = format!("code-{}", idp.codes.lock().unwrap().len());
            pairs.append_pair("code", &code);
            idp.codes.lock().unwrap().insert(code, asked.clone());
        }
    }
    Redirect::to(back.as_str())
}

async fn token(State(idp): State<Arc<Idp>>, headers: HeaderMap, body: String) -> Response {
    let mut form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let wrong = || (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": "invalid_grant" }))).into_response();
    let Some(asked) = idp.codes.lock().unwrap().remove(&form["code"]) else { return wrong() };
    let challenge = b64(digest(&SHA256, form["code_verifier"].as_bytes()).as_ref());
    if challenge != asked["code_challenge"] || form["redirect_uri"] != asked["redirect_uri"] {
        return wrong();
    }
    if let Some(basic) = headers.get("authorization") {
        form.insert("authorization".to_owned(), basic.to_str().unwrap().to_owned());
    }
    idp.redeemed.lock().unwrap().push(form);
    let access = "an-access-token";
    let body = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": idp.id_token(&asked, access),
    });
    axum::Json(body).into_response()
}

async fn userinfo(State(idp): State<Arc<Idp>>) -> axum::Json<Value> {
    axum::Json(idp.script.lock().unwrap().userinfo.clone().unwrap_or_default())
}
