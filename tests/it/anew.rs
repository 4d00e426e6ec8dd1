//! Software asks for people to be identified anew, lately, surely or not at all (OpenID Connect Core §3.1.2.1): it is
//! asked of the provider, believed of nobody else, and ends.

use std::collections::BTreeMap;

use garant::clock::{Clock as _, SystemClock};
use garant::directory::Profile;
use serde_json::{Value, json};
use url::Url;

use crate::apps::{App, CHALLENGE, claims};
use crate::browser::{Browser, Page};
use crate::cast::{Clinic, REDIRECT};
use crate::signin::{Stage, each_lying, who};

/// Where software sends the browser, with `more` of its own.
fn request(stage: &Stage, app: &App, more: &str) -> String {
    let fixed = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &app.client.to_string())
        .append_pair("redirect_uri", REDIRECT)
        .append_pair("aud", &stage.open.house.config.base_url)
        .append_pair("code_challenge", CHALLENGE)
        .finish();
    let scope = "openid%20patient/Observation.rs";
    format!(
        "{}/oauth/authorize?response_type=code&code_challenge_method=S256&state=s&scope={scope}&{fixed}&{more}",
        stage.base
    )
}

/// What the browser finds: a page of ours, or what it brings to the software.
enum Found {
    SignIn(Page),
    Asked(Page),
    Back(BTreeMap<String, String>),
}

async fn find(browser: &mut Browser, url: &str) -> Found {
    found(browser.go_until(url, Some(REDIRECT)).await)
}

fn found(page: Page) -> Found {
    match page.at.path() {
        "/login" => Found::SignIn(page),
        "/oauth/authorize" if page.answer.status == 200 => Found::Asked(page),
        _ if page.at.as_str().starts_with(REDIRECT) => Found::Back(page.at.query_pairs().into_owned().collect()),
        path => panic!("{path}: {} {}", page.answer.status, page.answer.text()),
    }
}

impl Found {
    fn sign_in(self) -> Page {
        match self {
            Self::SignIn(page) => page,
            Self::Asked(page) => panic!("asked at once: {}", page.at),
            Self::Back(said) => panic!("sent back: {said:?}"),
        }
    }

    fn asked(self) -> Page {
        match self {
            Self::Asked(page) => page,
            Self::SignIn(page) => panic!("to sign in: {}", page.at),
            Self::Back(said) => panic!("sent back: {said:?}"),
        }
    }

    fn error(self) -> String {
        match self {
            Self::Back(said) => said["error"].clone(),
            Self::SignIn(page) | Self::Asked(page) => panic!("a page: {}", page.at),
        }
    }
}

/// What the provider is asked when the person signs in on `page`, and where that leads.
async fn through(browser: &mut Browser, stage: &Stage, page: &Page) -> (BTreeMap<String, String>, Page) {
    let held = browser.send_until(&page.form("comme patient"), Some(&stage.idp.issuer)).await;
    let asked = held.at.query_pairs().into_owned().collect();
    (asked, browser.go_until(held.at.as_str(), Some(REDIRECT)).await)
}

/// The identity token that comes of allowing everything on `page`.
async fn identity(browser: &mut Browser, stage: &Stage, app: &App, page: &Page) -> Value {
    let form = page.form("/oauth/answer\"").with("decision", "allow");
    let back = browser.send_until(&form, Some(REDIRECT)).await.at;
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    claims(app.redeem(&stage.open.house, &code).await.unwrap().id_token.as_ref().unwrap())
}

async fn app(stage: &Stage) -> App {
    let clinic = Clinic::enrol(&stage.open.house).await;
    App::enrol(&stage.open.house, clinic.organisation, Profile::Smart, true).await
}

#[test]
fn oi_07_a_demand_for_a_fresh_login_is_passed_on_to_the_provider_and_ends() {
    each_lying("OI-07 fresh", async |_, stage| {
        stage.linked().await;
        let app = app(stage).await;
        // At the provider since an hour ago, signed in here just now.
        let hour_ago = SystemClock.now().secs() - 3600;
        stage.idp.tell(|script| script.claims = json!({ "auth_time": hour_ago }));
        let (mut browser, _) = stage.login("patient").await;
        let page = find(&mut browser, &request(stage, &app, "prompt=consent")).await.asked();
        assert_eq!(identity(&mut browser, stage, &app, &page).await["auth_time"], hour_ago);
        find(&mut browser, &request(stage, &app, "max_age=7200")).await.asked();
        for demand in ["prompt=login", "prompt=login%20consent", "prompt=select_account", "max_age=0", "max_age=600"] {
            // A provider that does not ask the person again: nobody is let in as fresh, and nobody goes in circles.
            for stale in [json!({ "auth_time": hour_ago }), json!({ "auth_time": null })] {
                stage.idp.tell(|script| script.claims = stale.clone());
                let page = find(&mut browser, &request(stage, &app, demand)).await.sign_in();
                assert!(page.answer.text().contains("à nouveau"), "{}", page.answer.text());
                let (asked, page) = through(&mut browser, stage, &page).await;
                assert_eq!((asked["prompt"].as_str(), asked["max_age"].as_str()), ("login", "0"), "{demand}");
                assert_eq!((page.answer.status, page.at.path()), (403, "/login/callback"), "{demand} {stale}");
                assert!(who(&stage.open, &browser).await.is_some(), "the earlier session goes on");
            }
            // One that does: asked at once afterwards, by the same request.
            stage.idp.tell(|script| script.claims = json!({}));
            let page = find(&mut browser, &request(stage, &app, demand)).await.sign_in();
            let before = SystemClock.now().secs();
            let (_, page) = through(&mut browser, stage, &page).await;
            let page = found(page).asked();
            let said = identity(&mut browser, stage, &app, &page).await;
            assert!(said["auth_time"].as_i64().unwrap() >= before, "{demand}: {said}");
            // The same browser, not fresh any more.
            stage.idp.tell(|script| script.claims = json!({ "auth_time": hour_ago }));
            browser = stage.login("patient").await.0;
        }
        // Nobody signed in: the provider may know them still, and is told to ask all the same.
        let page = find(&mut Browser::default(), &request(stage, &app, "prompt=login")).await.sign_in();
        assert_eq!(page.at.query_pairs().find(|(name, _)| name == "anew").unwrap().1, "1");
    });
}

#[test]
fn oi_07_nothing_is_asked_of_anybody_who_is_not_to_be_asked() {
    each_lying("OI-07 none", async |_, stage| {
        stage.linked().await;
        let app = app(stage).await;
        let silent = async |browser: &mut Browser, more: &str| {
            find(browser, &request(stage, &app, &format!("prompt=none{more}"))).await.error()
        };
        assert_eq!(silent(&mut Browser::default(), "").await, "login_required");
        stage.idp.tell(|script| script.claims = json!({ "auth_time": SystemClock.now().secs() - 3600 }));
        let (mut browser, _) = stage.login("patient").await;
        assert_eq!(silent(&mut browser, "").await, "interaction_required");
        assert_eq!(silent(&mut browser, "&max_age=60").await, "login_required");
        assert_eq!(silent(&mut browser, "&acr_values=eidas3").await, "login_required");
        assert_eq!(find(&mut browser, &request(stage, &app, "prompt=none%20login")).await.error(), "invalid_request");
    });
}

#[test]
fn oi_07_a_level_that_is_demanded_is_reached_or_refused_and_never_silently_lower() {
    each_lying("OI-07 acr", async |_, stage| {
        stage.linked().await;
        let app = app(stage).await;
        let (mut browser, _) = stage.login("patient").await;
        // The provider said eidas2.
        for enough in ["acr_values=eidas2", "acr_values=eidas3%20eidas2"] {
            let page = find(&mut browser, &request(stage, &app, enough)).await.asked();
            assert_eq!(identity(&mut browser, stage, &app, &page).await["acr"], "eidas2");
        }
        let unmet = "unmet_authentication_requirements";
        assert_eq!(find(&mut browser, &request(stage, &app, "acr_values=eidas9")).await.error(), unmet);
        // It is asked for more, and gives no more.
        let page = find(&mut browser, &request(stage, &app, "acr_values=eidas3%20eidas9")).await.sign_in();
        let (asked, page) = through(&mut browser, stage, &page).await;
        assert_eq!((asked["acr_values"].as_str(), asked["prompt"].as_str()), ("eidas3", "login"));
        assert_eq!(found(page).error(), unmet);
        // It gives what is asked.
        let page = find(&mut browser, &request(stage, &app, "acr_values=eidas3")).await.sign_in();
        stage.idp.tell(|script| script.claims = json!({ "acr": "eidas3" }));
        let (_, page) = through(&mut browser, stage, &page).await;
        let page = found(page).asked();
        assert_eq!(identity(&mut browser, stage, &app, &page).await["acr"], "eidas3");
        let told = Url::parse(&format!("{}/.well-known/openid-configuration", stage.base)).unwrap();
        let told = Browser::default().once("GET", &told, None).await.json();
        assert_eq!(told["acr_values_supported"], json!(["eidas2", "eidas3"]));
    });
}
