//! A professional's way through a real browser, from the software's request to its token: what Chromium's own rules
//! (policies of pages, cookies, redirects of forms) let happen.

use std::collections::BTreeMap;

use garant::directory::{Client, Party, Profile};
use garant::id::{ClientId, OrganisationId};
use garant::identity::Identifier;
use garant::model::{Grantee, Terms};

use crate::apps::{CHALLENGE, VERIFIER};
use crate::cast::{self, Clinic, Patient};
use crate::chromium::Chromium;
use crate::doors::Served;
use crate::house::{Engine, Home, Open, on_with};
use crate::signin::{at_a_port, base, enrol, serve};
use crate::wire;

const SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.11";

/// Public software on this machine, which shows where it was sent back to.
struct Software {
    client: ClientId,
    redirect: String,
}

impl Software {
    async fn enrol(open: &Open, organisation: OrganisationId) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let redirect = format!("http://127.0.0.1:{}/cb", listener.local_addr().unwrap().port());
        let shown = axum::Router::new().fallback(async || axum::response::Html("<title>back</title>back"));
        tokio::spawn(async move { axum::serve(listener, shown).await });
        let client = ClientId::random(&*open.house.chance).unwrap();
        let party = Party::Client(Client {
            id: client,
            organisation,
            name: "Logiciel de cabinet".to_owned(),
            profile: Profile::Smart,
            keys: Vec::new(),
            redirects: vec![redirect.clone()],
            logout: String::new(),
            scopes: vec!["Condition.rs".parse().unwrap(), "Observation.rs".parse().unwrap()],
            active: true,
        });
        open.house.enrolments.enrol(&party).await.unwrap();
        Self { client, redirect }
    }

    /// Where the software sends the browser.
    fn request(&self, open: &Open, more: &[(&str, &str)]) -> String {
        let mut url = url::Url::parse(&format!("{}/oauth/authorize", open.house.config.issuer())).unwrap();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client.to_string())
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", "launch/patient openid fhirUser patient/Observation.rs patient/Condition.rs")
            .append_pair("state", "a state")
            .append_pair("aud", &open.house.config.base_url)
            .append_pair("code_challenge", CHALLENGE)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more);
        url.into()
    }

    /// What the browser brought back, once it is there.
    async fn brought(&self, browser: &mut Chromium) -> BTreeMap<String, String> {
        browser.until(&format!("location.href.startsWith({})", serde_json::json!(self.redirect))).await;
        browser.at().await.query_pairs().into_owned().collect()
    }

    async fn redeem(&self, served: &Served, code: &str) -> serde_json::Value {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("code_verifier", VERIFIER)
            .append_pair("client_id", &self.client.to_string())
            .finish();
        let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let answer = wire::send(served.at, &wire::request("POST", "/oauth/token", &headers, form.as_bytes())).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// Looks at the page on a small and on a wide screen; nothing may stand out.
async fn fits(browser: &mut Chromium, name: &str) {
    for width in [390, 1280] {
        assert_eq!(browser.overhang(name, width).await, 0, "{name} is wider than {width}");
    }
}

#[test]
fn sm_30_oa_45_a_real_browser_takes_a_professional_from_the_request_over_sign_in_and_picker_to_the_token() {
    for language in ["fr", "en"] {
        on_with(Engine::Sqlite, &format!("walk {language}"), &at_a_port, &async |home: &Home| {
            let Some(mut browser) = Chromium::start(language).await else { return };
            let open = home.found().await;
            let served = serve(home, &open).await;
            let doctor = enrol(&open, "899900000011", "10", "1990000011").await;
            let organisation = doctor.organisations[0];
            let software = Software::enrol(&open, organisation).await;
            let ins = Identifier { system: SYSTEM.to_owned(), value: "155017510000104".to_owned() };
            let id = open.house.patients.enrol(std::slice::from_ref(&ins)).await.unwrap();
            let patient = Patient::with_device(&open.house, id).await;
            let clinic = Clinic::enrol(&open.house).await;
            let terms = clinic.terms(open.house.clock.now());
            cast::grant(&open.house, &patient, Terms { grantee: Grantee::Organisation(organisation), ..terms }).await;
            let english = language == "en";
            let words = |fr: &'static str, en: &'static str| if english { en } else { fr };
            // To the sign-in, to the provider, back to the question.
            browser.go(&software.request(&open, &[])).await;
            browser.until("location.pathname === '/login'").await;
            fits(&mut browser, &format!("login-{language}")).await;
            browser.click("button", words("comme professionnel", "as a professional")).await;
            browser.until("location.pathname === '/development/professionals/authorize'").await;
            fits(&mut browser, &format!("provider-{language}")).await;
            browser.click("button", "Lefèvre").await;
            browser.until("location.pathname === '/oauth/authorize'").await;
            fits(&mut browser, &format!("ask-{language}")).await;
            // A patient whom nobody knows, then the one who consented.
            browser.fill("input[name=identifier]", "0").await;
            browser.click("button", words("Autoriser", "Allow")).await;
            browser.until("document.querySelector('[role=alert]') !== null").await;
            fits(&mut browser, &format!("again-{language}")).await;
            browser.fill("input[name=system]", SYSTEM).await;
            browser.fill("input[name=identifier]", &ins.value).await;
            browser.click("label", "Condition").await;
            browser.click("button", words("Autoriser", "Allow")).await;
            let brought = software.brought(&mut browser).await;
            assert_eq!((brought["state"].as_str(), brought["iss"].as_str()), ("a state", base(home).as_str()));
            let tokens = software.redeem(&served, &brought["code"]).await;
            assert_eq!(tokens["patient"], id.to_string());
            assert_eq!(tokens["scope"], "launch/patient openid fhirUser patient/Observation.rs");
            // Signed in already, the professional is asked at once; a refusal goes back too.
            browser.go(&software.request(&open, &[])).await;
            browser.until("location.pathname === '/oauth/authorize'").await;
            browser.click("button", words("Refuser", "Refuse")).await;
            assert_eq!(software.brought(&mut browser).await["error"], "access_denied");
            // Out again.
            browser.go(&format!("{}/login", base(home))).await;
            fits(&mut browser, &format!("account-{language}")).await;
            browser.click("button", words("Se déconnecter", "Sign out")).await;
            browser.until("document.querySelector('[name=who][value=professional]') !== null").await;
            browser.go(&format!("{}/oauth/authorize?client_id=x", base(home))).await;
            fits(&mut browser, &format!("refused-{language}")).await;
            // Software of another organisation gets its refusal at the end of the sign-in, through the form's redirects.
            let other = Software::enrol(&open, clinic.organisation).await;
            browser.go(&other.request(&open, &[])).await;
            browser.click("button", words("comme professionnel", "as a professional")).await;
            browser.click("button", "Lefèvre").await;
            assert_eq!(other.brought(&mut browser).await["error"], "access_denied");
            drop(browser);
            served.end().await;
            open.close().await;
        });
    }
}
