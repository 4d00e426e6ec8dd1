//! Software is told when a session is over: once, with a token it can check, and nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;
use garant::app::House;
use garant::directory::Profile;
use garant::identity::{Login, Person, Provider};
use garant::proof::key::Algorithm;
use garant::proof::{PublicKey, jws};
use serde_json::{Value, json};

use crate::apps::{App, claims, sign_in};
use crate::cast::{self, Clinic, Patient};
use crate::house::{Home, each};

/// Where software hears of logouts; each piece at a path of its own.
struct Ear {
    at: String,
    heard: Arc<Mutex<Vec<(String, String)>>>,
    /// Who is spoken to at `/slow/…` answers when this is told.
    answer: Arc<tokio::sync::Notify>,
}

type Hears = (Arc<Mutex<Vec<(String, String)>>>, Arc<tokio::sync::Notify>);

impl Ear {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (heard, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(tokio::sync::Notify::new()));
        let routes =
            axum::Router::new().route("/{how}/{who}", post(hear)).with_state((Arc::clone(&heard), Arc::clone(&answer)));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { at, heard, answer }
    }

    /// What was heard, by whom, once somebody heard `many` things.
    async fn heard(&self, many: usize) -> Vec<(String, String)> {
        for _ in 0..6000 {
            let heard = self.heard.lock().unwrap().clone();
            if heard.len() >= many {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{many} were to be told: {:?}", self.heard.lock().unwrap());
    }
}

async fn hear(
    State((heard, answer)): State<Hears>,
    Path((how, who)): Path<(String, String)>,
    form: String,
) -> Response {
    let token = form.strip_prefix("logout_token=").unwrap_or("no logout token").to_owned();
    heard.lock().unwrap().push((who.clone(), token));
    match how.as_str() {
        "slow" => {
            answer.notified().await;
            StatusCode::OK.into_response()
        }
        "moved" => Redirect::temporary(&format!("/ok/{who}-elsewhere")).into_response(),
        "wrong" => StatusCode::BAD_REQUEST.into_response(),
        _ => StatusCode::OK.into_response(),
    }
}

/// The claims of a logout token that verifies with our published keys.
fn believed(house: &House, token: &str) -> Value {
    let set: Value = serde_json::from_str(&house.issuer.jwks()).unwrap();
    let rules = jws::Rules::of("logout+jwt", &[Algorithm::Es256]);
    let key = |kid: &str| {
        let jwk = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid)?;
        let bare = json!({ "crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"] });
        PublicKey::from_jwk(bare.to_string().as_bytes()).ok()
    };
    serde_json::from_slice(jws::verify(token, &rules, None, key).unwrap().payload()).unwrap()
}

#[test]
fn oi_09_oi_11_software_is_told_once_of_the_end_of_the_session_in_which_it_was_allowed_something() {
    each("farewells", async |home: &Home| {
        let open = home.found().await;
        let house = &open.house;
        let ear = Ear::open().await;
        let clinic = Clinic::enrol(house).await;
        let enrol = async |path: &str| {
            App::told(house, clinic.organisation, Profile::Smart, true, &format!("{}{path}", ear.at)).await
        };
        let (online, offline) = (enrol("/ok/online").await, enrol("/ok/offline").await);
        let (moved, wrong) = (enrol("/moved/moved").await, enrol("/wrong/wrong").await);
        let (idle, deaf) =
            (enrol("/ok/idle").await, App::enrol(house, clinic.organisation, Profile::Smart, true).await);
        let doctor = Person::Professional(clinic.professional);
        let (cookie, elsewhere) = (sign_in(house, doctor).await, sign_in(house, doctor).await);
        let issue = async |app: &App, cookie: &str, scope: &str| {
            let code = app.code(house, cookie, scope, None).await;
            app.redeem(house, &code).await.unwrap()
        };
        let (short, long) = ("openid user/*.rs online_access", "openid user/*.rs offline_access");
        let mut issued = BTreeMap::new();
        for (name, app, scope) in [
            ("online", &online, short),
            ("offline", &offline, long),
            ("moved", &moved, short),
            ("wrong", &wrong, short),
        ] {
            issued.insert(name, issue(app, &cookie, scope).await);
        }
        // Twice in one session is told once; in another session of the same person, not at all.
        issue(&online, &cookie, short).await;
        issue(&deaf, &cookie, short).await;
        let other = issue(&online, &elsewhere, short).await;
        issue(&idle, &elsewhere, short).await;
        house.sessions.end(&cookie).await.unwrap();
        let heard = ear.heard(4).await;
        let mut names = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for (who, token) in &heard {
            let (said, identity) = (believed(house, token), claims(issued[who.as_str()].id_token.as_ref().unwrap()));
            for name in ["iss", "aud", "sub", "sid"] {
                assert_eq!(said[name], identity[name], "{who}: {name}");
                assert!(said[name].is_string());
            }
            assert_eq!(said["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
            assert!(said.get("nonce").is_none());
            assert_eq!(said["exp"].as_i64().unwrap(), said["iat"].as_i64().unwrap() + 120);
            ids.insert(said["jti"].to_string());
            names.insert((who.clone(), said["sid"].to_string()));
        }
        assert_eq!((names.len(), ids.len()), (4, 4));
        assert_eq!(
            names.iter().map(|(_, sid)| sid).collect::<BTreeSet<_>>().len(),
            4,
            "two pieces of software can compare"
        );
        // What ended with it is over; what outlives it, and what is of another session, is not.
        let refresh = async |app: &App, of: &garant::identity::Issued| {
            app.refresh(house, of.refresh.as_ref().unwrap(), "").await.is_ok()
        };
        assert!(!refresh(&online, &issued["online"]).await);
        assert!(refresh(&offline, &issued["offline"]).await);
        assert!(refresh(&online, &other).await);
        let keep = Arc::clone(&ear.heard);
        open.close().await;
        let mut all: Vec<String> = keep.lock().unwrap().iter().map(|(who, _)| who.clone()).collect();
        all.sort();
        assert_eq!(all, ["moved", "offline", "online", "wrong"], "told again, or elsewhere");
    });
}

#[test]
fn oi_10_every_end_of_a_session_is_told_and_suspended_software_is_not() {
    each("ends", async |home: &Home| {
        let open = home.found().await;
        let house = &open.house;
        let ear = Ear::open().await;
        let clinic = Clinic::enrol(house).await;
        let me = Patient::enrol(house).await;
        cast::grant(house, &me, clinic.terms(house.clock.now())).await;
        let mut told = 0;
        for (how, person) in [
            ("leave", Person::Patient(me.id)),
            ("elsewhere", Person::Professional(clinic.professional)),
            ("all", Person::Professional(clinic.professional)),
            ("provider's session", Person::Professional(clinic.professional)),
            ("provider's person", Person::Patient(me.id)),
            ("suspended", Person::Professional(clinic.professional)),
        ] {
            let at = format!("{}/ok/{}", ear.at, how.replace(['\'', ' '], "-"));
            let app = App::told(house, clinic.organisation, Profile::Smart, true, &at).await;
            let provider = Provider {
                issuer: "https://idp.example".to_owned(),
                subject: format!("{how} person"),
                session: Some(format!("{how} session")),
            };
            let login = Login {
                person,
                auth_time: house.clock.now(),
                acr: "eidas2".into(),
                amr: vec![],
                provider: Some(provider),
            };
            let cookie = house.sessions.start(&login).await.unwrap().expose().clone();
            let scope = if matches!(person, Person::Patient(_)) { "openid patient/*.rs" } else { "openid user/*.rs" };
            let code = app.code(house, &cookie, scope, None).await;
            let subject = claims(app.redeem(house, &code).await.unwrap().id_token.as_ref().unwrap())["sub"].clone();
            let issuer = "https://idp.example";
            match how {
                "leave" => house.sessions.end(&cookie).await.unwrap(),
                "elsewhere" => {
                    let here = house.sessions.current(&sign_in(house, person).await).await.unwrap().unwrap();
                    let there = house.sessions.current(&cookie).await.unwrap().unwrap().session;
                    let named: String = there.iter().map(|b| format!("{b:02x}")).collect();
                    house.sessions.end_other(&here, &named).await.unwrap();
                }
                "all" => assert!(house.sessions.end_all(person).await.unwrap() >= 1),
                "provider's session" => {
                    let sid = format!("{how} session");
                    assert_eq!(house.sessions.end_of_provider(issuer, None, Some(&sid)).await.unwrap(), 1);
                }
                "provider's person" => {
                    let sub = format!("{how} person");
                    assert_eq!(house.sessions.end_of_provider(issuer, Some(&sub), None).await.unwrap(), 1);
                }
                _ => {
                    house.enrolments.set_standing(app.client.as_bytes(), false).await.map(drop).unwrap();
                    house.sessions.end(&cookie).await.unwrap();
                }
            }
            assert!(house.sessions.current(&cookie).await.unwrap().is_none(), "{how}");
            if how != "suspended" {
                told += 1;
                assert_eq!(believed(house, &ear.heard(told).await[told - 1].1)["sub"], subject, "{how}");
            }
        }
        let keep = Arc::clone(&ear.heard);
        open.close().await;
        assert_eq!(keep.lock().unwrap().len(), told);
    });
}

#[test]
fn oi_10_nobody_who_leaves_waits_for_software_that_does_not_answer() {
    each("slow", async |home: &Home| {
        let open = home.found().await;
        let house = &open.house;
        let ear = Ear::open().await;
        let clinic = Clinic::enrol(house).await;
        let at = format!("{}/slow/app", ear.at);
        let app = App::told(house, clinic.organisation, Profile::Smart, true, &at).await;
        let mut cookies = Vec::new();
        for _ in 0..12 {
            let cookie = sign_in(house, Person::Professional(clinic.professional)).await;
            let code = app.code(house, &cookie, "openid user/*.rs", None).await;
            app.redeem(house, &code).await.unwrap();
            cookies.push(cookie);
        }
        // More than are told at once, and none of them is answered before all have left.
        for cookie in &cookies {
            house.sessions.end(cookie).await.unwrap();
            assert!(house.sessions.current(cookie).await.unwrap().is_none());
        }
        assert!(ear.heard.lock().unwrap().len() <= 8);
        ear.heard(8).await;
        let (answer, heard) = (Arc::clone(&ear.answer), Arc::clone(&ear.heard));
        let answering = tokio::spawn(async move {
            loop {
                answer.notify_waiters();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        ear.heard(12).await;
        open.close().await;
        answering.abort();
        assert_eq!(heard.lock().unwrap().len(), 12);
    });
}
