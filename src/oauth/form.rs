//! Parameters, from a query or a form: each at most once, for a repeat could be read differently by whoever checks
//! and whoever acts (O03).

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};

use crate::http::{Pair, pairs, read_body};
use crate::identity::{AuthorizationRequest, ClientProof, TokenRequest};

const LONGEST: usize = 32 * 1024;

/// The parameters of a request, decoded.
pub(super) struct Form<'t>(Vec<Pair<'t>>);

/// The text of a form's body, read whole.
///
/// # Errors
/// The status to answer with.
pub(super) async fn text(headers: &HeaderMap, body: Body) -> Result<String, StatusCode> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if media.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(StatusCode::BAD_REQUEST);
    }
    let body = read_body(body, LONGEST).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    String::from_utf8(body.to_vec()).map_err(|_| StatusCode::BAD_REQUEST)
}

impl<'t> Form<'t> {
    /// Reads `text`; `None` when it is malformed, or anything but `repeatable` stands there twice.
    pub(super) fn read(text: &'t str, repeatable: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let pairs = pairs(text).ok()?;
        let repeated = pairs
            .iter()
            .enumerate()
            .any(|(i, (name, _))| name != repeatable && pairs.iter().skip(i + 1).any(|(other, _)| other == name));
        (!repeated).then_some(Self(pairs))
    }

    /// The value of `name`. An empty value is none (RFC 6749 §3.1).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    /// All values of `name`.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_ref()).collect()
    }

    /// How software says who it is.
    pub(super) fn client(&self) -> ClientProof<'_> {
        ClientProof {
            assertion_type: self.get("client_assertion_type"),
            assertion: self.get("client_assertion"),
            client_id: self.get("client_id"),
        }
    }

    /// A token request; parameters that are not known are ignored (RFC 6749 §3.2).
    pub(super) fn token<'f>(&'f self, dpop: Option<&'f str>) -> TokenRequest<'f> {
        TokenRequest {
            grant_type: self.get("grant_type").unwrap_or_default(),
            assertion_type: self.get("client_assertion_type"),
            assertion: self.get("client_assertion"),
            client_id: self.get("client_id"),
            scope: self.get("scope").unwrap_or_default(),
            code: self.get("code"),
            redirect_uri: self.get("redirect_uri"),
            verifier: self.get("code_verifier"),
            refresh_token: self.get("refresh_token"),
            dpop,
        }
    }

    /// An authorization request.
    pub(super) fn authorization(&self) -> AuthorizationRequest<'_> {
        AuthorizationRequest {
            client_id: self.get("client_id"),
            redirect_uri: self.get("redirect_uri"),
            response_type: self.get("response_type"),
            response_mode: self.get("response_mode"),
            scope: self.get("scope"),
            state: self.get("state"),
            nonce: self.get("nonce"),
            challenge: self.get("code_challenge"),
            challenge_method: self.get("code_challenge_method"),
            audience: self.get("aud"),
            resource: self.get("resource"),
            prompt: self.get("prompt"),
            max_age: self.get("max_age"),
            acr_values: self.get("acr_values"),
            dpop_jkt: self.get("dpop_jkt"),
            purpose: self.get("purpose_of_use"),
            request_uri: self.get("request_uri"),
            request: self.get("request"),
        }
    }
}

/// The one `DPoP` header.
///
/// # Errors
/// `Err` when there are two, or it is not text (FA-31).
pub(super) fn dpop(headers: &HeaderMap) -> Result<Option<&str>, StatusCode> {
    let mut values = headers.get_all("dpop").iter();
    let first = values.next().map(|v| v.to_str().map_err(|_| StatusCode::BAD_REQUEST)).transpose()?;
    if values.next().is_some() { Err(StatusCode::BAD_REQUEST) } else { Ok(first) }
}

/// `text` as a value in a query: everything but unreserved characters is escaped (RFC 3986 §2.3).
pub(super) fn escaped(text: &str) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(DIGITS.get(usize::from(half)).copied().unwrap_or('0'));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o03_a_parameter_given_twice_is_no_request() {
        assert!(Form::read("a=1&b=2&a=1", "").is_none());
        assert!(Form::read("a=1&%61=2", "").is_none());
        assert_eq!(Form::read("s=1&s=2", "s").unwrap().all("s"), ["1", "2"]);
        assert_eq!(Form::read("a=&b=x", "").unwrap().get("a"), None);
    }

    #[test]
    fn what_is_escaped_reads_back_the_same() {
        let text = "é &=+%/?#:'\"<>~._-aZ9\u{1f}";
        let escaped = escaped(text);
        assert!(escaped.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        assert_eq!(Form::read(&format!("x={escaped}"), "").unwrap().get("x"), Some(text));
    }
}
