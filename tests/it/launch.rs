//! The authorization server over HTTP: what is advertised is served, a browser gets from the request to the code,
//! and nothing is sent to an address that is not enrolled.

use std::net::SocketAddr;

use garant::directory::Profile;
use garant::identity::Person;
use serde_json::Value;

use crate::apps::{App, CHALLENGE, STATE, VERIFIER, sign_in};
use crate::cast::{self, Clinic, Patient};
use crate::doors::Served;
use crate::house::{BASE, Engine, Home, on};
use crate::wire::{self, Answer};

/// The session's cookie in development; elsewhere its name begins with `__Host-`.
const COOKIE: &str = "garant-session";

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

async fn get(at: SocketAddr, path: &str, cookie: &str) -> Answer {
    let headers = if cookie.is_empty() { vec![] } else { vec![format!("Cookie: {COOKIE}={cookie}")] };
    wire::send(at, &wire::request("GET", path, &headers, b"")).await.unwrap()
}

async fn post(at: SocketAddr, path: &str, cookie: &str, more: &[&str], form: &str) -> Answer {
    let mut headers = vec![FORM.to_owned()];
    headers.extend(more.iter().map(ToString::to_string));
    if !cookie.is_empty() {
        headers.push(format!("Cookie: {COOKIE}={cookie}"));
    }
    wire::send(at, &wire::request("POST", path, &headers, form.as_bytes())).await.unwrap()
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// The query of a good request.
fn query(app: &App) -> String {
    format!(
        "response_type=code&client_id={}&redirect_uri={}&scope={}&state={STATE}&aud={}&code_challenge={CHALLENGE}\
         &code_challenge_method=S256",
        app.client,
        escaped(cast::REDIRECT),
        escaped("launch/patient openid patient/Observation.rs"),
        escaped(BASE)
    )
}

/// The value of the page's hidden input.
fn secret(page: &str) -> String {
    page.split("name=\"page\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn oi_01_sm_01_iu_10_what_is_advertised_is_served_and_told_the_same_everywhere() {
    on(Engine::Sqlite, "discovery", &async |home: &Home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let read = async |path: &str| {
            let answer = get(served.at, path, "").await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}");
            answer.json()
        };
        let openid = read("/.well-known/openid-configuration").await;
        let server = read("/.well-known/oauth-authorization-server").await;
        let smart = read("/fhir/.well-known/smart-configuration").await;
        assert_eq!(openid, server);
        let issuer = open.house.config.issuer().to_owned();
        assert_eq!(openid["issuer"], issuer.as_str());
        for (name, value) in smart.as_object().unwrap() {
            assert!(name == "capabilities" || &openid[name] == value, "{name}");
        }
        // Every endpoint answers, with anything but "not found".
        for (name, value) in openid.as_object().unwrap() {
            let Some(path) = value.as_str().and_then(|v| v.strip_prefix(&issuer)).filter(|p| !p.is_empty()) else {
                continue;
            };
            let answer = if name == "jwks_uri" || name == "authorization_endpoint" {
                get(served.at, path, "").await
            } else {
                post(served.at, path, "", &[], "").await
            };
            assert!(answer.status < 500 && answer.status != 404 && answer.status != 405, "{name}: {}", answer.status);
        }
        for (name, wanted) in [
            ("code_challenge_methods_supported", "S256"),
            ("response_types_supported", "code"),
            ("grant_types_supported", "authorization_code"),
            ("token_endpoint_auth_methods_supported", "private_key_jwt"),
            ("scopes_supported", "openid"),
        ] {
            assert!(openid[name].as_array().unwrap().contains(&wanted.into()), "{name}");
        }
        let never = ["plain", "implicit", "password", "token", "RS256", "none\",\"HS256"];
        let told = openid.to_string();
        assert!(never.iter().all(|word| !told.contains(&format!("\"{word}\""))), "{told}");
        let keys: Value = read("/oauth/jwks").await;
        let kids: std::collections::BTreeSet<&str> =
            keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!((kids.len(), keys.to_string().contains("\"d\"")), (2, false));
        served.end().await;
        open.close().await;
    });
}

#[test]
fn sm_10_oa_45_a_browser_gets_from_the_request_over_the_page_to_the_code() {
    on(Engine::Sqlite, "browser", &async |home: &Home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let house = &open.house;
        let clinic = Clinic::enrol(house).await;
        let app = App::enrol(house, clinic.organisation, Profile::Smart, true).await;
        let me = Patient::enrol(house).await;
        let cookie = sign_in(house, Person::Patient(me.id)).await;
        for by_post in [false, true] {
            let begun = if by_post {
                post(served.at, "/oauth/authorize", &cookie, &[], &query(&app)).await
            } else {
                get(served.at, &format!("/oauth/authorize?{}", query(&app)), &cookie).await
            };
            let on = begun.header("location").unwrap().to_owned();
            assert_eq!((begun.status, on.starts_with("/oauth/authorize?client_id=")), (303, true), "{on}");
            // Not signed in: to the sign-in, and from there back here, by a path of ours.
            let away = get(served.at, &on, "").await;
            assert_eq!(
                (away.status, away.header("location").unwrap()),
                (303, format!("/login?continue={}", login(&on)).as_str())
            );
            let page = get(served.at, &on, &cookie).await;
            assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
            assert!(page.header("access-control-allow-origin").is_none(), "FA-24");
            assert!(
                page.header("content-security-policy").unwrap().contains("form-action 'self' https://app.example;")
            );
            let text = page.text();
            assert!(text.contains("App &lt;i&gt;") && text.contains("Clinique du Port") && !text.contains("<i>"));
            let form = format!("page={}&scope={}&decision=allow", secret(&text), escaped("patient/Observation.rs"));
            let elsewhere = post(served.at, "/oauth/answer", &cookie, &["Sec-Fetch-Site: cross-site"], &form).await;
            assert_eq!(elsewhere.status, 403);
            let answered = post(served.at, "/oauth/answer", &cookie, &["Sec-Fetch-Site: same-origin"], &form).await;
            assert_eq!(answered.status, 303);
            let location = url::Url::parse(answered.header("location").unwrap()).unwrap();
            let said: std::collections::BTreeMap<_, _> = location.query_pairs().into_owned().collect();
            assert_eq!((said["state"].as_str(), said["iss"].as_str()), (STATE, house.config.issuer()));
            // Sent again, it is over.
            assert_eq!(post(served.at, "/oauth/answer", &cookie, &[], &form).await.status, 400);
            let form = format!(
                "grant_type=authorization_code&code={}&redirect_uri={}&code_verifier={VERIFIER}&client_id={}",
                said["code"],
                escaped(cast::REDIRECT),
                app.client
            );
            let token = post(served.at, "/oauth/token", "", &[], &form).await;
            assert_eq!((token.status, token.header("pragma")), (200, Some("no-cache")), "{}", token.text());
            let said = token.json();
            assert_eq!((said["token_type"].as_str(), said["expires_in"].is_i64()), (Some("Bearer"), true));
            assert_eq!(said["patient"], me.id.to_string());
        }
        served.end().await;
        open.close().await;
    });
}

fn login(on: &str) -> String {
    on.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[test]
fn o01_o03_sm_11_nothing_wrong_is_redirected_anywhere_and_no_answer_says_why() {
    on(Engine::Sqlite, "refusals", &async |home: &Home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let house = &open.house;
        let clinic = Clinic::enrol(house).await;
        let app = App::enrol(house, clinic.organisation, Profile::Smart, true).await;
        let good = query(&app);
        let redirect = escaped(cast::REDIRECT);
        let shown = [
            String::new(),
            "x".repeat(40_000),
            "%zz".to_owned(),
            good.replace(&format!("redirect_uri={redirect}"), "redirect_uri=https%3A%2F%2Fevil.example%2Fcb"),
            good.replace(&format!("redirect_uri={redirect}"), &format!("redirect_uri={redirect}%2F")),
            good.replace("response_type=code", "response_type=token"),
            good.replace("response_type=code&", ""),
            good.replace(&app.client.to_string(), &"0".repeat(26)),
            format!("{good}&redirect_uri={redirect}"),
            format!("{good}&state=other"),
            format!("{good}&request_uri=http%3A%2F%2Finternal%2F"),
            format!("client_id={}&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax", app.client),
        ];
        let mut bodies = std::collections::BTreeSet::new();
        for query in &shown {
            let answer = get(served.at, &format!("/oauth/authorize?{query}"), "").await;
            // A line too long for any header ends earlier.
            assert!(answer.status == 400 || answer.status == 414, "{query}: {}", answer.status);
            assert!(answer.header("location").is_none(), "{query}");
            if answer.status == 400 {
                bodies.insert(answer.text());
            }
        }
        assert_eq!(bodies.len(), 1, "the pages tell one reason from another: {bodies:?}");
        for (from, to, error) in [
            ("code_challenge_method=S256", "code_challenge_method=plain", "invalid_request"),
            (CHALLENGE, "x", "invalid_request"),
            ("aud=", "aud=x", "invalid_request"),
            ("&state=", "&nonce=", "invalid_request"),
        ] {
            let answer = get(served.at, &format!("/oauth/authorize?{}", good.replace(from, to)), "").await;
            let location = answer.header("location").unwrap_or_default().to_owned();
            assert!(location.starts_with(&format!("{}?error={error}", cast::REDIRECT)), "{to}: {location}");
            assert!(location.contains("&iss=http"), "{location}");
        }
        // OA-10, OA-17, SM-17: whoever does not show who they are is told no more than that.
        for path in ["/oauth/introspect", "/oauth/par", "/oauth/token"] {
            for form in ["token=x", "token=x&grant_type=authorization_code&client_id=x", "client_assertion=x&token=x"] {
                let answer = post(served.at, path, "", &[], form).await;
                let wanted = if path == "/oauth/token" && !form.contains("grant_type") { 400 } else { 401 };
                assert_eq!(answer.status, wanted, "{path} {form} {}", answer.text());
                assert_eq!(answer.json().as_object().unwrap().len(), 1, "{}", answer.text());
            }
            assert_eq!(post(served.at, path, "", &[], "a=1&a=2").await.status, 400);
            assert_eq!(get(served.at, path, "").await.status, 405);
        }
        served.end().await;
        open.close().await;
    });
}
