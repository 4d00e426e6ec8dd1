//! A small HTTP client, for those who play the outside world.

use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::keys::{OutsideKey, Proven, proof};
use super::stage::{Cast, Patient, Professional, Software, Staging};
use crate::clock::Clock;
use crate::proof::base64url;

/// Someone outside, speaking to a server at `address`.
pub struct Outside {
    client: Client<HttpConnector, Full<Bytes>>,
    /// `http://127.0.0.1:PORT`: where the server really listens.
    pub address: String,
    /// The FHIR base URL the server calls itself by.
    pub base_url: String,
    clock: Box<dyn Clock>,
    /// The nonce the server gave last (RFC 9449 §8.2).
    nonce: Mutex<Option<String>>,
}

/// An answer.
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An access token and who holds it.
pub struct Token<'c> {
    /// The token.
    pub text: String,
    /// The software whose key it is bound to, if it is.
    bound: Option<&'c Software>,
}

impl Answer {
    /// Whether it is the server's wish for its nonce: at the token endpoint in the body, elsewhere in the challenge.
    fn asks_for_nonce(&self) -> bool {
        let challenge = self.headers.get("www-authenticate").and_then(|v| v.to_str().ok()).unwrap_or_default();
        challenge.contains("use_dpop_nonce")
            || self.json().is_ok_and(|body| body.get("error").and_then(|e| e.as_str()) == Some("use_dpop_nonce"))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(&self) -> Result<serde_json::Value, Staging> {
        serde_json::from_slice(&self.body).map_err(|e| format!("{} {e}", self.status).into())
    }
}

impl Outside {
    /// Someone who speaks to the server at `address`.
    #[must_use]
    pub fn new(address: String, base_url: String, clock: Box<dyn Clock>) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            address,
            base_url,
            clock,
            nonce: Mutex::default(),
        }
    }

    fn issuer(&self) -> &str {
        self.base_url.strip_suffix("/fhir").unwrap_or(&self.base_url)
    }

    /// Sends a request to `path` (from the server's root).
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Staging> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.client.request(request.body(Full::new(body.into()))?).await?;
        let (parts, body) = answer.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.collect().await?.to_bytes() })
    }

    /// Sends a request with a token, and with a fresh proof where the token is bound to a key.
    ///
    /// # Errors
    /// As [`Outside::send`].
    pub async fn ask(
        &self,
        token: &Token<'_>,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Staging> {
        let media =
            ("content-type", if path.starts_with("/fhir") { "application/fhir+json" } else { "application/json" });
        match token.bound {
            None => {
                let bearer = format!("Bearer {}", token.text);
                self.send(method, path, &[("authorization", &bearer), media], body).await
            }
            Some(software) => {
                let bound = format!("DPoP {}", token.text);
                let key = software.key()?;
                self.proven(&key, Some(&token.text), (method, path), &[("authorization", &bound), media], body).await
            }
        }
    }

    /// Sends a request with a fresh proof by `key`; once more with the server's nonce when it asks for one.
    async fn proven(
        &self,
        key: &OutsideKey,
        token: Option<&str>,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Staging> {
        let (url, body) = (format!("{}{path}", self.issuer()), body.into());
        let held = || self.nonce.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let nonce = held().clone();
            let url = url.split('?').next().unwrap_or_default();
            let proven = Proven { method, url, token, nonce: nonce.as_deref(), now: self.clock.now() };
            let proof = proof(key, &proven)?;
            let headers = [headers, &[("dpop", proof.as_str())]].concat();
            let answer = self.send(method, path, &headers, body.clone()).await?;
            let given = answer.headers.get("dpop-nonce").and_then(|v| v.to_str().ok()).map(str::to_owned);
            let another = given.is_some() && given != nonce;
            *held() = given.or(nonce);
            if !(another && answer.asks_for_nonce()) {
                return Ok(answer);
            }
        }
    }

    /// A token for software, in the name of a professional or of nobody.
    ///
    /// # Errors
    /// When the server gives none.
    pub async fn token<'c>(&self, software: &'c Software, who: Option<&Professional>) -> Result<Token<'c>, Staging> {
        let assertion = software.assertion(who, self.issuer(), self.clock.now())?;
        let form = format!(
            "grant_type=client_credentials&scope={}&client_assertion_type={}&client_assertion={assertion}",
            escape(&software.scope),
            escape("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        );
        let media = ("content-type", "application/x-www-form-urlencoded");
        let answer = if software.bound {
            self.proven(&software.key()?, None, ("POST", "/oauth/token"), &[media], form).await?
        } else {
            self.send("POST", "/oauth/token", &[media], form).await?
        };
        let text = taken(&answer)?;
        Ok(Token { text, bound: software.bound.then_some(software) })
    }

    /// A token for someone of the cast: a professional through their software, a patient from the development
    /// identity provider.
    ///
    /// # Errors
    /// When there is nobody of that name or the server gives none.
    pub async fn token_as<'c>(&self, cast: &'c Cast, name: &str) -> Result<Token<'c>, Staging> {
        if let Some(who) = cast.professional(name) {
            let software = cast.software(&who.client).ok_or("the cast is incomplete")?;
            return self.token(software, Some(who)).await;
        }
        if let Some(software) = cast.software(name) {
            return self.token(software, None).await;
        }
        let patient = cast.patient(name).ok_or_else(|| format!("nobody in the demonstration is called {name}"))?;
        self.patient_token(patient).await
    }

    /// A token for a patient, from the development identity provider.
    ///
    /// # Errors
    /// When the server gives none.
    pub async fn patient_token(&self, patient: &Patient) -> Result<Token<'static>, Staging> {
        let body = serde_json::json!({ "patient": patient.id }).to_string();
        let answer = self.send("POST", "/development/token", &[("content-type", "application/json")], body).await?;
        Ok(Token { text: taken(&answer)?, bound: None })
    }

    /// The patient decides: prepare, read, sign on the device, hand in. Gives the answer and the sentence shown.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn decide(
        &self,
        patient: &Patient,
        token: &Token<'_>,
        wish: &serde_json::Value,
    ) -> Result<(Answer, String), Staging> {
        let prepared = self.ask(token, "POST", "/api/consents/prepare", wish.to_string()).await?;
        if prepared.status != StatusCode::OK {
            return Ok((prepared, String::new()));
        }
        let draft = prepared.json()?;
        let text = draft.get("text").and_then(|t| t.as_str()).unwrap_or_default().to_owned();
        let said = draft.get("statement").and_then(|s| s.as_str()).ok_or("nothing to sign")?;
        let jws = patient.sign(&base64url::decode(said)?)?;
        let body = serde_json::json!({ "statement": said, "signature": { "kind": "device", "jws": jws } });
        Ok((self.ask(token, "POST", "/api/consents", body.to_string()).await?, text))
    }
}

fn taken(answer: &Answer) -> Result<String, Staging> {
    let json = answer.json()?;
    let token = json.get("access_token").and_then(|t| t.as_str());
    Ok(token.ok_or_else(|| format!("no token: {} {json}", answer.status))?.to_owned())
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}
