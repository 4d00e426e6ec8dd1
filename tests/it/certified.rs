//! Signing in at a certified OpenID provider (npm `oidc-provider`), which `scripts/test` fetches; without it these
//! tests say so and check nothing.

use std::path::PathBuf;
use std::process::Stdio;

use garant::app::House;
use garant::config::ProviderConfig;
use garant::identity::Who;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::browser::{Browser, Page};
use crate::cast::Patient;
use crate::doors::Served;
use crate::house::{Engine, Home, on_with};
use crate::signin::{SESSION, at_a_port, base, begin, enrol, free_port, serve, who};

/// The folder with the provider; says why when there is none.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("GARANT_TEST_OIDC")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/oidc-provider"), PathBuf::from);
    if folder.join("node_modules/oidc-provider").exists() {
        return Some(folder);
    }
    eprintln!("skipped: no oidc-provider in {} (scripts/test fetches it)", folder.display());
    None
}

/// A running provider; it ends with the test.
struct Provider {
    issuer: String,
    _child: Child,
    /// What it still says; unread and closed, it would end the provider.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Provider {
    async fn start(folder: &std::path::Path, port: u16, house: &House, claims: serde_json::Value) -> Self {
        let issuer = format!("http://127.0.0.1:{port}");
        let jwks: serde_json::Value = serde_json::from_str(&house.logins.jwks()).unwrap();
        let told = json!({
            "issuer": issuer, "port": port, "client": "garant", "house": house.config.issuer(), "jwks": jwks,
            "claims": claims,
        });
        // The script beside the packages it needs, as committed.
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oidc-provider/server.mjs");
        std::fs::copy(script, folder.join("server.mjs")).unwrap();
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(folder)
            .env("GARANT_OIDC", told.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node does not start");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(std::time::Duration::from_mins(1), lines.next_line()).await;
        assert_eq!(line.expect("it takes too long").unwrap().as_deref(), Some("ready"));
        Self { issuer, _child: child, _said: lines }
    }
}

async fn login(browser: &mut Browser, base: &str, kind: &str, name: &str, invitation: Option<&str>) -> Page {
    let page = begin(browser, base, kind, invitation, None).await;
    if page.answer.status != 200 || !page.at.path().starts_with("/interaction/") {
        return page;
    }
    browser.send(&page.form("Sign in").with("login", name)).await
}

#[test]
fn a_patient_and_a_professional_sign_in_at_a_certified_provider_and_out_again() {
    let Some(folder) = folder() else { return };
    let test = async |home: &Home| {
        home.found().await.close().await;
        let port = free_port();
        let provider = ProviderConfig {
            acr: vec!["eidas2".to_owned()],
            ..ProviderConfig::new(format!("http://127.0.0.1:{port}"), "garant".to_owned())
        };
        let mut config = home.config.clone();
        config.sign_in.patients = Some(provider.clone());
        config.sign_in.professionals = Some(provider);
        let open = home.open_with(config).await;
        let claims = json!({ "dr-real": {
            "SubjectNameID": "899900000011", "SubjectRole": ["10^1.2.250.1.213.1.1.5.5"],
            "SubjectOrganizationID": "1990000011",
        } });
        let provider = Provider::start(&folder, port, &open.house, claims).await;
        let served: Served = serve(home, &open).await;
        let base = base(home);
        // A patient, by invitation (private_key_jwt, PKCE, RS256).
        let patient = Patient::enrol(&open.house).await;
        let mut browser = Browser::default();
        let page = login(&mut browser, &base, "patient", "camille", None).await;
        assert_eq!((page.answer.status, who(&open, &browser).await), (403, None), "{}", page.answer.text());
        let code = open.house.patients.invite(patient.id, 1).await.unwrap().expose().clone();
        let mut browser = Browser::default();
        let page = login(&mut browser, &base, "patient", "camille", Some(&code)).await;
        assert_eq!(page.answer.status, 200, "{}", page.answer.text());
        let signed_in = who(&open, &browser).await.unwrap();
        assert_eq!((signed_in.who, signed_in.acr.as_str()), (Who::Patient(patient.id), "eidas2"));
        // A professional, whose number comes from userinfo.
        let enrolled = enrol(&open, "899900000011", "10", "1990000011").await;
        let mut doctor = Browser::default();
        let page = login(&mut doctor, &base, "professional", "dr-real", None).await;
        assert_eq!(page.answer.status, 200, "{}", page.answer.text());
        assert_eq!(who(&open, &doctor).await.unwrap().who, Who::Professional(enrolled));
        // Somebody without a number is nobody here.
        let mut nobody = Browser::default();
        let page = login(&mut nobody, &base, "professional", "somebody", None).await;
        assert_eq!((page.answer.status, nobody.cookies.get(SESSION)), (403, None));
        // The patient leaves here: ours ends at once, and the provider recognises its own ID token as the hint.
        let page = browser.go(&format!("{base}/login")).await;
        let page = browser.send(&page.form("Se déconnecter")).await;
        assert!(page.at.as_str().starts_with(&provider.issuer), "{}", page.at);
        assert_eq!((page.answer.status, who(&open, &browser).await), (200, None));
        let form = page.forms().into_iter().next().unwrap().with("logout", "yes");
        let page = browser.send(&form).await;
        assert_eq!((page.answer.status, page.at.path()), (200, "/login"));
        // The patient signs in anew and leaves at the provider, which tells us by its back channel.
        login(&mut browser, &base, "patient", "camille", None).await;
        assert!(who(&open, &browser).await.is_some());
        let page = browser.go(&format!("{}/session/end", provider.issuer)).await;
        let form = page.forms().into_iter().next().unwrap().with("logout", "yes");
        let page = browser.send(&form).await;
        assert_eq!((page.answer.status, who(&open, &browser).await), (200, None), "{}", page.answer.text());
        assert!(who(&open, &doctor).await.is_some(), "another person's session ended");
        served.end().await;
        open.close().await;
    };
    on_with(Engine::Sqlite, "oidc-provider", &at_a_port, &test);
    on_with(Engine::Postgres, "oidc-provider", &at_a_port, &test);
}
