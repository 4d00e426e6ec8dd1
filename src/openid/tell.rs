//! Telling our own clients of a logout (OpenID Connect Back-Channel Logout 1.0 §2.5).

use openidconnect::AsyncHttpClient as _;
use openidconnect::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use openidconnect::http::{HeaderValue, Method, Request};

use super::fetch::Fetch;
use super::{Unproved, origin};

/// Posts a logout token to `uri`, once: no redirect followed, bounded in size and time. `http` is spoken in
/// development alone, and to this machine alone.
///
/// # Errors
/// [`Unproved`] when it was not taken.
pub async fn tell(uri: &str, token: &str, development: bool) -> Result<(), Unproved> {
    let at = origin(uri).ok_or(Unproved::Settings("the logout URI is not a URL"))?;
    let host = url::Url::parse(uri).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
    let here = development && matches!(host.as_str(), "127.0.0.1" | "[::1]");
    if !at.starts_with("https://") && !here {
        return Err(Unproved::Settings("the logout URI is not https"));
    }
    // Base64url and dots stand in a form as they are.
    let mut request = Request::new(format!("logout_token={token}").into_bytes());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.parse().map_err(|_| Unproved::Settings("the logout URI is not a URL"))?;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, form);
    request.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let answer = Fetch::new(vec![at])?.call(request).await;
    let status = answer.map_err(|error| Unproved::Unreachable(error.to_string()))?.status();
    // Some frameworks turn an empty 200 into 204 (§2.8).
    if matches!(status.as_u16(), 200 | 204) { Ok(()) } else { Err(Unproved::refused(format!("it answered {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn oi_09_a_logout_token_goes_in_the_clear_to_this_machine_in_development_and_nowhere_else() {
        for (uri, development) in [
            ("http://127.0.0.1:9/out", false),
            ("http://app.example/out", true),
            ("http://127.0.0.1.app.example/out", true),
            ("http://localhost/out", true),
            ("ftp://127.0.0.1/out", true),
            ("/out", true),
            ("", true),
        ] {
            let told = tell(uri, "x", development).await;
            assert!(matches!(told, Err(Unproved::Settings(_))), "{uri}: {told:?}");
        }
        // Nobody listens there, but it was tried.
        let told = tell("http://127.0.0.1:9/out", "x", true).await;
        assert!(matches!(told, Err(Unproved::Unreachable(_))), "{told:?}");
    }
}
