//! What people allow software: codes and refresh tokens are used once, tokens die with what they came from, and no
//! token reaches further than the person, the consents and the enrolment.

use std::sync::Arc;

use garant::app::House;
use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::directory::{Organisation, Party, Profile};
use garant::id::OrganisationId;
use garant::identity::{
    Answered, AuthorizationRequest, CODE_SECONDS, ClientProof, Credentials, Identifier, NotAsked, OFFLINE_SECONDS,
    Person, REQUEST_SECONDS, Refusal, Reply, TokenRequest, Visit,
};
use garant::model::{Bearer, OrganisationKind, Subject};

use crate::apps::{ASSERTION, App, VERIFIER, all_of, claims, request, sign_in};
use crate::cast::{self, Clinic, Patient, REDIRECT};
use crate::house::{BASE, Engine, each, entries, on, trials};

const SYSTEM: &str = "urn:oid:1.2.250.1.213.1.4.8";

async fn publisher(house: &House) -> OrganisationId {
    let id = OrganisationId::random(&*house.chance).unwrap();
    let (kind, name) = (OrganisationKind::Care, "Éditeur & Cie".to_owned());
    let party = Party::Organisation(Organisation { id, kind, name, number: String::new(), active: true });
    house.enrolments.enrol(&party).await.unwrap();
    id
}

/// A patient found by an identifier, which is given too.
async fn known(house: &House) -> (Patient, Identifier) {
    let value = garant::id::StatementId::random(&*house.chance).unwrap().to_string();
    let identifier = Identifier { system: SYSTEM.to_owned(), value };
    let id = house.patients.enrol(std::slice::from_ref(&identifier)).await.unwrap();
    (Patient::with_device(house, id).await, identifier)
}

/// Who a bearer token is taken for; `None` when it is not taken.
async fn bearer(house: &House, token: &str) -> Option<Bearer> {
    let authorization = format!("Bearer {token}");
    let url = format!("{BASE}/Observation/x");
    let credentials = Credentials { authorization: &authorization, dpop: None, method: "GET", url: &url };
    house.authenticator.authenticate(credentials).await.ok()
}

/// Who a bound token with its proof is taken for.
async fn holder(house: &House, app: &App, token: &str) -> Option<Bearer> {
    let url = format!("{BASE}/Observation/x");
    let proof = app.proof_by(&app.bound, house, "GET", &url, Some(token));
    let authorization = format!("DPoP {token}");
    let credentials = Credentials { authorization: &authorization, dpop: Some(&proof), method: "GET", url: &url };
    house.authenticator.authenticate(credentials).await.ok()
}

fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, wanted: &str) {
    let refusal = result.unwrap_err().to_string();
    assert!(refusal.starts_with(wanted), "{refusal}, not {wanted}");
}

#[test]
fn sm_15_sm_19_a_patient_allows_an_app_and_its_token_reads_their_record_and_no_other() {
    each("SMART launch", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let app = App::enrol(house, publisher(house).await, Profile::Smart, true).await;
        let (me, other) = (Patient::enrol(house).await, Patient::enrol(house).await);
        let mine = cast::import(house, cast::observation(me.id, &home.canary())).await;
        let theirs = cast::import(house, cast::observation(other.id, &home.canary())).await;
        let cookie = sign_in(house, Person::Patient(me.id)).await;
        let scope = "launch/patient openid fhirUser offline_access patient/*.cruds system/*.rs user/*.rs";
        let reference = app.ask(house, scope).await.unwrap();
        // Nobody signed in is sent to sign in, and may come back to the same request more than once (FA-07).
        let id = app.client.to_string();
        for cookie in [None, Some("x"), None] {
            assert!(matches!(house.authorizer.visit(Some(&id), &reference, cookie).await, Ok(Visit::SignIn { .. })));
        }
        let page = app.page(house, &reference, &cookie).await;
        assert_eq!(page.scopes, ["patient/Condition.rs", "patient/Observation.rs"]);
        assert!(page.outlives && !page.names_patient && page.professional.is_none());
        // Condition is left out (SM-27).
        let reply = Reply { scopes: vec!["patient/Observation.rs", "patient/*.cruds"], ..all_of(&page, None) };
        let Answered::Code { code, .. } = house.authorizer.answer(&reply, Some(&cookie)).await.unwrap() else {
            panic!()
        };
        let issued = app.redeem(house, &code).await.unwrap();
        let granted = "launch/patient openid fhirUser offline_access patient/Observation.rs";
        assert_eq!((issued.scope.as_str(), issued.kind, issued.patient), (granted, "Bearer", Some(me.id)));
        assert!(issued.seconds > 0 && issued.seconds <= 300);
        let said = claims(issued.id_token.as_ref().unwrap());
        assert_eq!((&said["aud"], &said["nonce"]), (&id.as_str().into(), &"n-0S6_WzA2Mj".into()));
        assert_eq!(said["fhirUser"], format!("{BASE}/Patient/{}", me.id));
        let reader = bearer(house, &issued.token).await.unwrap();
        assert!(cast::read(house, &reader, mine).await.is_ok());
        assert!(cast::read(house, &reader, theirs).await.is_err());
        assert!(house.door.read(&reader, "Condition", mine).await.is_err());
        // An identity token is no access token (OA-01).
        assert!(bearer(house, issued.id_token.as_ref().unwrap()).await.is_none());
        open.close().await;
    });
}

#[test]
fn p48_codes_requests_and_refresh_tokens_are_used_once_on_all_nodes_and_after_a_restart() {
    each("P48", async |home| {
        let rounds = trials(4, 1_000 / 2);
        let racers = 64;
        println!("P48: {rounds} rounds of {racers} uses at once on two nodes");
        let open = home.found().await;
        // SQLite serves one node alone.
        let folder = home.node();
        let second = match home.engine {
            Engine::Postgres => Some(home.open_in(folder.path()).await.unwrap()),
            Engine::Sqlite => None,
        };
        let other = second.as_ref().map_or(&open.house, |second| &second.house);
        let app = Arc::new(App::enrol(&open.house, publisher(&open.house).await, Profile::Smart, true).await);
        let me = Patient::enrol(&open.house).await;
        let cookie = sign_in(&open.house, Person::Patient(me.id)).await;
        let nodes = [&open.house, other];
        for round in 0..rounds {
            let code = app.code(&open.house, &cookie, "offline_access patient/*.rs", None).await;
            let won = race(&app, nodes, racers, "authorization_code", &code).await;
            assert_eq!(won.len(), 1, "round {round}: a code was redeemed {} times", won.len());
            // Whoever came second ended it all.
            for house in nodes {
                assert!(bearer(house, &won[0].token).await.is_none(), "the token of a code used twice is taken");
                refused(app.refresh(house, won[0].refresh.as_ref().unwrap(), "").await, "invalid_grant");
            }
            let code = app.code(&open.house, &cookie, "offline_access patient/*.rs", None).await;
            let first = app.redeem(&open.house, &code).await.unwrap();
            let won = race(&app, nodes, racers, "refresh_token", first.refresh.as_ref().unwrap()).await;
            assert_eq!(won.len(), 1, "round {round}: a refresh token was used {} times", won.len());
            assert!(
                bearer(&open.house, &won[0].token).await.is_none() && bearer(&open.house, &first.token).await.is_none()
            );
            // A request is answered once, however many pages of it are open.
            let reference = app.ask(&open.house, "patient/*.rs").await.unwrap();
            let (one, two) =
                (app.page(&open.house, &reference, &cookie).await, app.page(other, &reference, &cookie).await);
            let answers = [
                app.allow(&open.house, &one, &cookie, None).await.is_ok(),
                app.allow(other, &two, &cookie, None).await.is_ok(),
                app.allow(&open.house, &one, &cookie, None).await.is_ok(),
            ];
            assert_eq!(answers, [true, false, false]);
        }
        // What was used stays used when the house was closed in between.
        let code = app.code(&open.house, &cookie, "offline_access patient/*.rs", None).await;
        let issued = app.redeem(&open.house, &code).await.unwrap();
        if let Some(second) = second {
            second.close().await;
        }
        open.close().await;
        let open = home.open().await.unwrap();
        assert!(bearer(&open.house, &issued.token).await.is_some());
        refused(app.redeem(&open.house, &code).await, "invalid_grant");
        assert!(bearer(&open.house, &issued.token).await.is_none());
        open.close().await;
    });
}

/// The successes of `racers` uses of one secret at once, spread over nodes.
async fn race(
    app: &Arc<App>,
    nodes: [&Arc<House>; 2],
    racers: usize,
    kind: &'static str,
    secret: &str,
) -> Vec<garant::identity::Issued> {
    let mut running = tokio::task::JoinSet::new();
    for racer in 0..racers {
        let (app, house, secret) = (Arc::clone(app), Arc::clone(nodes[racer % 2]), secret.to_owned());
        running.spawn(async move {
            if kind == "refresh_token" {
                app.refresh(&house, &secret, "").await.ok()
            } else {
                app.redeem(&house, &secret).await.ok()
            }
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}

#[test]
fn sm_16_fa_13_a_code_is_for_its_client_place_verifier_and_minute() {
    each("codes", async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let house = &open.house;
        let place = publisher(house).await;
        let app = App::enrol(house, place, Profile::Smart, true).await;
        let other = App::enrol(house, place, Profile::Smart, true).await;
        let me = Patient::enrol(house).await;
        let cookie = sign_in(house, Person::Patient(me.id)).await;
        let code = async || app.code(house, &cookie, "offline_access patient/*.rs", None).await;
        let long = "a".repeat(129);
        let wrong_verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj";
        for verifier in [None, Some(""), Some(wrong_verifier), Some(crate::apps::CHALLENGE), Some(long.as_str())] {
            let code = code().await;
            refused(redeem_with(&app, house, &code, REDIRECT, verifier).await, "invalid_grant");
            // The guess cost the code.
            refused(app.redeem(house, &code).await, "invalid_grant");
        }
        for redirect in ["https://app.example/cb/", "https://app.example/other", ""] {
            refused(redeem_with(&app, house, &code().await, redirect, Some(VERIFIER)).await, "invalid_grant");
        }
        // Another client learns nothing and costs nothing.
        let mine = code().await;
        refused(other.redeem(house, &mine).await, "invalid_grant");
        let issued = app.redeem(house, &mine).await.unwrap();
        refused(other.refresh(house, issued.refresh.as_ref().unwrap(), "").await, "invalid_grant");
        assert!(bearer(house, &issued.token).await.is_some());
        // A refresh never widens (O25), and may narrow.
        for wider in ["patient/*.cruds", "user/Observation.rs", "openid"] {
            refused(app.refresh(house, issued.refresh.as_ref().unwrap(), wider).await, "invalid_scope");
        }
        let narrower = app.refresh(house, issued.refresh.as_ref().unwrap(), "patient/Observation.r").await.unwrap();
        assert_eq!(narrower.scope, "patient/Observation.r");
        // The rotated one is used twice: everything of the grant is over (OA-43).
        refused(app.refresh(house, issued.refresh.as_ref().unwrap(), "").await, "invalid_grant");
        refused(app.refresh(house, narrower.refresh.as_ref().unwrap(), "").await, "invalid_grant");
        assert!(bearer(house, &narrower.token).await.is_none());
        // A minute is a minute, and a grant ends.
        let (late, last) = (code().await, code().await);
        clock.advance_secs(CODE_SECONDS - 1);
        let kept = app.redeem(house, &last).await.unwrap();
        clock.advance_secs(1);
        refused(app.redeem(house, &late).await, "invalid_grant");
        clock.advance_secs(OFFLINE_SECONDS);
        refused(app.refresh(house, kept.refresh.as_ref().unwrap(), "").await, "invalid_grant");
        open.close().await;
        clock.set(SystemClock.now().plus_secs(OFFLINE_SECONDS + 3600));
    });
}

async fn redeem_with(
    app: &App,
    house: &House,
    code: &str,
    redirect: &str,
    verifier: Option<&str>,
) -> Result<garant::identity::Issued, Refusal> {
    let id = app.client.to_string();
    let request = TokenRequest {
        grant_type: "authorization_code",
        client_id: Some(&id),
        code: Some(code),
        redirect_uri: Some(redirect),
        verifier,
        ..TokenRequest::default()
    };
    house.authorizer.token(request).await
}

#[test]
fn dx_17_a_professional_reads_the_one_patient_they_named_and_only_with_consent() {
    each("FAPI launch", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let clinic = Clinic::enrol(house).await;
        let app = App::enrol(house, clinic.organisation, Profile::Fapi2, false).await;
        let ((one, named), (two, _), (_, stranger)) = (known(house).await, known(house).await, known(house).await);
        for patient in [&one, &two] {
            cast::grant(house, patient, clinic.terms(house.clock.now())).await;
        }
        let mine = cast::import(house, cast::observation(one.id, &home.canary())).await;
        let theirs = cast::import(house, cast::observation(two.id, &home.canary())).await;
        let cookie = sign_in(house, Person::Professional(clinic.professional)).await;
        let scope = "launch/patient patient/*.cruds offline_access";
        let reference = app.ask(house, scope).await.unwrap();
        let page = app.page(house, &reference, &cookie).await;
        assert!(page.names_patient && page.professional.as_deref() == Some("Dr Anne Lebrun"));
        // Whoever gave no consent is answered as whoever is not there, and both attempts stand in the log.
        let before = entries(house).await.len();
        let nobody = Identifier { system: SYSTEM.to_owned(), value: "0".to_owned() };
        let again = async |page: &garant::identity::Page, patient: &Identifier| {
            let answer = house.authorizer.answer(&all_of(page, Some(patient)), Some(&cookie)).await.unwrap();
            let Answered::Again(page) = answer else { panic!("{answer:?}") };
            assert!(page.named_in_vain);
            *page
        };
        let first = again(&page, &stranger).await;
        let second = again(&first, &nobody).await;
        assert_eq!(
            garant::identity::Page { token: String::new(), ..first },
            garant::identity::Page { token: String::new(), ..second.clone() }
        );
        assert_eq!(entries(house).await.len(), before + 2);
        let code = app.allow(house, &second, &cookie, Some(&named)).await.unwrap();
        let issued = app.redeem(house, &code).await.unwrap();
        assert_eq!(issued.scope, "launch/patient patient/Condition.rs patient/Observation.rs offline_access");
        assert_eq!((issued.kind, issued.patient), ("DPoP", Some(one.id)));
        assert!(bearer(house, &issued.token).await.is_none(), "a bound token was taken as a plain one");
        let reader = holder(house, &app, &issued.token).await.unwrap();
        assert!(
            matches!(&reader.subject, Subject::Client { professional: Some((id, _)), .. } if *id == clinic.professional)
        );
        assert!(cast::read(house, &reader, mine).await.is_ok());
        // The second patient's consent reaches them too, but not this token.
        assert!(cast::read(house, &reader, theirs).await.is_err());
        assert_eq!(cast::search(house, &reader, two.id).await.unwrap(), 0);
        assert!(cast::read(house, &Bearer { only: None, ..reader.clone() }, theirs).await.is_ok());
        // FA-19: not rotated, used as often as is needed, by this client alone.
        let refresh = issued.refresh.as_ref().unwrap();
        for _ in 0..3 {
            let more = app.refresh(house, refresh, "").await.unwrap();
            assert!(more.refresh.is_none() && holder(house, &app, &more.token).await.is_some());
        }
        // Suspended software, then a professional who left: out at once.
        house.enrolments.set_standing(app.client.as_bytes(), false).await.unwrap();
        assert!(holder(house, &app, &issued.token).await.is_none());
        refused(app.refresh(house, refresh, "").await, "invalid_client");
        house.enrolments.set_standing(app.client.as_bytes(), true).await.unwrap();
        house.enrolments.set_standing(clinic.professional.as_bytes(), false).await.unwrap();
        refused(app.refresh(house, refresh, "").await, "invalid_grant");
        open.close().await;
    });
}

#[test]
fn fa_02_fa_46_under_fapi2_requests_are_pushed_references_are_the_clients_and_codes_keep_their_key() {
    each("PAR", async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let house = &open.house;
        let place = publisher(house).await;
        let (app, other) = (
            App::enrol(house, place, Profile::Fapi2, false).await,
            App::enrol(house, place, Profile::Fapi2, false).await,
        );
        let me = Patient::enrol(house).await;
        let cookie = sign_in(house, Person::Patient(me.id)).await;
        let id = app.client.to_string();
        let plain = house.authorizer.take(&request(&id, "patient/*.rs")).await;
        assert!(matches!(plain, Err(NotAsked::Back { error: "invalid_request", .. })));
        // FA-03 to FA-05, FA-14.
        let push = async |app: &App, request: AuthorizationRequest<'_>, dpop: &str| {
            let assertion = app.assertion(house);
            let proof = ClientProof { assertion_type: Some(ASSERTION), assertion: Some(&assertion), client_id: None };
            house.authorizer.push(&proof, (!dpop.is_empty()).then_some(dpop), &request).await
        };
        let good = request(&id, "patient/*.rs");
        refused(push(&app, AuthorizationRequest { request_uri: Some("urn:x"), ..good }, "").await, "invalid_request");
        refused(push(&app, AuthorizationRequest { redirect_uri: None, ..good }, "").await, "invalid_request");
        let elsewhere = Some("https://app.example/other");
        refused(push(&app, AuthorizationRequest { redirect_uri: elsewhere, ..good }, "").await, "invalid_request");
        refused(
            push(&app, AuthorizationRequest { challenge: None, ..good }, "").await,
            "pushed request: invalid_request",
        );
        let nobody = ClientProof { client_id: Some(&id), ..ClientProof::default() };
        refused(house.authorizer.push(&nobody, None, &good).await, "invalid_client");
        // FA-07: another client's reference, a reference that is over.
        let reference = push(&app, good, "").await.unwrap();
        let stolen = house.authorizer.visit(Some(&other.client.to_string()), &reference, Some(&cookie)).await;
        assert!(matches!(stolen, Err(NotAsked::Here(_))));
        for wrong in ["", "urn:ietf:params:oauth:request_uri:x", "http://internal/", "https://app.example/r.jwt"] {
            assert!(matches!(house.authorizer.visit(Some(&id), wrong, Some(&cookie)).await, Err(NotAsked::Here(_))));
        }
        clock.advance_secs(REQUEST_SECONDS);
        assert!(matches!(house.authorizer.visit(Some(&id), &reference, Some(&cookie)).await, Err(NotAsked::Here(_))));
        // FA-46: a proof at PAR binds the code; another key redeems nothing; a contradiction is refused.
        let proof = app.proof(house, "/oauth/par");
        let another = cast::Key::new();
        let thumbprint = garant::proof::PublicKey::from_jwk(another.jwk.as_bytes()).unwrap().thumbprint().to_string();
        let contradiction = AuthorizationRequest { dpop_jkt: Some(&thumbprint), ..good };
        refused(push(&app, contradiction, &proof).await, "invalid_dpop_proof");
        let reference = push(&app, good, &app.proof(house, "/oauth/par")).await.unwrap();
        let page = app.page(house, &reference, &cookie).await;
        let code = app.allow(house, &page, &cookie, None).await.unwrap();
        let url = format!("{}/oauth/token", house.config.issuer());
        let wrong = app.proof_by(&another, house, "POST", &url, None);
        refused(app.redeem_with(house, &code, &wrong).await, "invalid_grant");
        // FA-18: no key, no token.
        let code = app.code(house, &cookie, "patient/*.rs", None).await;
        refused(app.redeem_with(house, &code, "").await, "invalid_dpop_proof");
        assert_eq!(app.redeem(house, &code).await.unwrap().kind, "DPoP");
        open.close().await;
        clock.set(SystemClock.now().plus_secs(3600));
    });
}

#[test]
fn oa_12_oa_18_what_is_taken_back_is_over_everywhere_and_nobody_learns_of_others_tokens() {
    each("revocation", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let place = publisher(house).await;
        let (app, other) = (
            App::enrol(house, place, Profile::Fapi2, false).await,
            App::enrol(house, place, Profile::Fapi2, false).await,
        );
        let me = Patient::enrol(house).await;
        let cookie = sign_in(house, Person::Patient(me.id)).await;
        let inactive = serde_json::json!({ "active": false });
        for by_refresh in [true, false] {
            let code = app.code(house, &cookie, "openid offline_access patient/*.rs", None).await;
            let issued = app.redeem(house, &code).await.unwrap();
            let refresh = issued.refresh.as_ref().unwrap();
            let said = app.introspect(house, &issued.token).await;
            assert_eq!((&said["active"], &said["patient"]), (&true.into(), &me.id.to_string().into()));
            assert_eq!((&said["scope"], &said["cnf"]), (&issued.scope.as_str().into(), &claims(&issued.token)["cnf"]));
            assert_eq!(said["extensions"], claims(&issued.token)["extensions"]);
            assert_eq!(app.introspect(house, refresh).await["active"], true);
            // Another client's question, and its revocation, change and tell nothing (OA-15).
            for token in [&issued.token, refresh] {
                assert_eq!(other.introspect(house, token).await, inactive);
                other.revoke(house, token).await.unwrap();
            }
            assert!(holder(house, &app, &issued.token).await.is_some());
            app.revoke(house, if by_refresh { refresh } else { &issued.token }).await.unwrap();
            assert!(holder(house, &app, &issued.token).await.is_none());
            refused(app.refresh(house, refresh, "").await, "invalid_grant");
            for token in [&issued.token, refresh, "", "x", "a.b.c"] {
                if !token.is_empty() {
                    assert_eq!(app.introspect(house, token).await, inactive, "{token}");
                }
                app.revoke(house, token).await.unwrap();
            }
        }
        open.close().await;
    });
}

#[test]
fn oi_14_a_grant_ends_with_its_session_unless_the_person_allowed_more() {
    each("sessions and grants", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let app = App::enrol(house, publisher(house).await, Profile::Smart, true).await;
        let me = Patient::enrol(house).await;
        let cookie = sign_in(house, Person::Patient(me.id)).await;
        let issue = async |scope: &str| {
            let code = app.code(house, &cookie, scope, None).await;
            app.redeem(house, &code).await.unwrap()
        };
        let (short, online, offline) = (
            issue("patient/*.rs").await,
            issue("patient/*.rs online_access").await,
            issue("patient/*.rs offline_access").await,
        );
        assert!(short.refresh.is_none());
        house.sessions.end(&cookie).await.unwrap();
        for over in [&short, &online] {
            assert!(bearer(house, &over.token).await.is_none());
        }
        refused(app.refresh(house, online.refresh.as_ref().unwrap(), "").await, "invalid_grant");
        let offline = app.refresh(house, offline.refresh.as_ref().unwrap(), "").await.unwrap();
        assert!(bearer(house, &offline.token).await.is_some());
        // All of a person's grants end at their word.
        assert_eq!(house.grants.end_all(Person::Patient(me.id)).await.unwrap(), 1);
        assert!(bearer(house, &offline.token).await.is_none());
        open.close().await;
    });
}

#[test]
fn oa_47_a_page_is_answered_once_in_its_own_session_and_offers_no_more_than_it_showed() {
    each("pages", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let app = App::enrol(house, publisher(house).await, Profile::Smart, true).await;
        let (me, other) = (Patient::enrol(house).await, Patient::enrol(house).await);
        let (mine, theirs) =
            (sign_in(house, Person::Patient(me.id)).await, sign_in(house, Person::Patient(other.id)).await);
        let reference = app.ask(house, "patient/Observation.r").await.unwrap();
        let page = app.page(house, &reference, &mine).await;
        for cookie in [None, Some(theirs.as_str()), Some("x")] {
            let answer = house.authorizer.answer(&all_of(&page, None), cookie).await;
            assert!(matches!(answer, Err(NotAsked::Here(_))), "{cookie:?}");
        }
        let greedy =
            Reply { scopes: vec!["patient/Observation.rs", "patient/*.cruds", "openid"], ..all_of(&page, None) };
        let answer = house.authorizer.answer(&greedy, Some(&mine)).await;
        assert!(matches!(answer, Err(NotAsked::Back { error: "access_denied", .. })), "{answer:?}");
        // Refused is answered: the request is over (FA-09).
        let reference = app.ask(house, "patient/Observation.r").await.unwrap();
        let page = app.page(house, &reference, &mine).await;
        let no = Reply { allow: false, ..all_of(&page, None) };
        assert!(matches!(
            house.authorizer.answer(&no, Some(&mine)).await,
            Err(NotAsked::Back { error: "access_denied", .. })
        ));
        let id = app.client.to_string();
        assert!(matches!(house.authorizer.visit(Some(&id), &reference, Some(&mine)).await, Err(NotAsked::Here(_))));
        // OI-07: nothing is asked silently; a person identified before the request is identified anew when demanded.
        for (prompt, max_age) in [(Some("login"), None), (None, Some("0"))] {
            house.sessions.end(&mine).await.unwrap();
            let earlier = garant::identity::Login {
                person: Person::Patient(me.id),
                auth_time: house.clock.now().plus_secs(-10),
                acr: String::new(),
                amr: vec![],
                provider: None,
            };
            let cookie = house.sessions.start(&earlier).await.unwrap().expose().clone();
            let request = AuthorizationRequest { prompt, max_age, ..request(&id, "patient/*.rs") };
            let reference = house.authorizer.take(&request).await.unwrap();
            assert!(matches!(
                house.authorizer.visit(Some(&id), &reference, Some(&cookie)).await,
                Ok(Visit::SignIn { .. })
            ));
            let anew = sign_in(house, Person::Patient(me.id)).await;
            assert!(matches!(house.authorizer.visit(Some(&id), &reference, Some(&anew)).await, Ok(Visit::Ask(_))));
        }
        let silent = AuthorizationRequest { prompt: Some("none"), ..request(&id, "patient/*.rs") };
        let reference = house.authorizer.take(&silent).await.unwrap();
        for (cookie, error) in [(None, "login_required"), (Some(theirs.as_str()), "interaction_required")] {
            let visit = house.authorizer.visit(Some(&id), &reference, cookie).await;
            assert!(matches!(visit, Err(NotAsked::Back { error: said, .. }) if said == error));
        }
        open.close().await;
    });
}

#[test]
fn a_grant_or_secret_row_with_anything_changed_gives_nothing() {
    on(Engine::Sqlite, "grant rows", &async |home: &crate::house::Home| {
        let open = home.found().await;
        let house = &open.house;
        let app = App::enrol(house, publisher(house).await, Profile::Smart, true).await;
        let me = Patient::enrol(house).await;
        let cookie = sign_in(house, Person::Patient(me.id)).await;
        for sql in [
            "UPDATE oauth_grant SET expires = expires + 1",
            "UPDATE oauth_grant SET session = x'00'",
            "UPDATE oauth_grant SET client = x'00000000000000000000000000000000'",
            "UPDATE oauth_grant SET person = zeroblob(32)",
        ] {
            let code = app.code(house, &cookie, "patient/*.rs", None).await;
            let issued = app.redeem(house, &code).await.unwrap();
            assert!(bearer(house, &issued.token).await.is_some());
            house.store.db().transact("test", vec![(sql, vec![])]).await.unwrap();
            assert!(bearer(house, &issued.token).await.is_none(), "{sql}");
        }
        for sql in [
            "UPDATE oauth_secret SET body = zeroblob(length(body)) WHERE kind = 'code'",
            "UPDATE oauth_secret SET kind = 'refresh' WHERE kind = 'code'",
        ] {
            let code = app.code(house, &cookie, "patient/*.rs offline_access", None).await;
            house.store.db().transact("test", vec![(sql, vec![])]).await.unwrap();
            refused(app.redeem(house, &code).await, "invalid_grant");
            refused(app.refresh(house, &code, "").await, "invalid_grant");
        }
        open.close().await;
    });
}

#[test]
fn p50_token_keys_rotate_online_no_valid_token_is_refused_and_no_retired_key_is_taken() {
    each("P50", async |home| {
        let rounds = trials(6, 100);
        println!("P50: {rounds} rotations on two nodes");
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        // SQLite serves one node alone.
        let folder = home.node();
        let second = match home.engine {
            Engine::Postgres => Some(home.open_in(folder.path()).await.unwrap()),
            Engine::Sqlite => None,
        };
        let other = second.as_ref().map_or(&open.house, |second| &second.house);
        let clinic = Clinic::enrol(&open.house).await;
        let nodes = [&open.house, other];
        let mut held: Vec<(i64, String)> = Vec::new();
        for _ in 0..rounds {
            nodes[home.dice.below(2)].keyring.rotate_tokens().await.unwrap();
            // A second rotation before the first is done would leave a key no time.
            assert!(open.house.keyring.rotate_tokens().await.is_err());
            let mut passed = 0;
            while passed < 480 {
                // Each node reads the keys anew every twenty seconds or so; here it lags by up to a minute.
                let step = 5 + i64::try_from(home.dice.below(50)).unwrap();
                clock.advance_secs(step);
                passed += step;
                for node in nodes {
                    node.keyring.reload_tokens().await.unwrap();
                }
                let maker = nodes[home.dice.below(2)];
                held.push((clock.now().secs(), clinic.token(maker).await));
                for (made, token) in &held {
                    let alive = clock.now().secs() < made + 300;
                    for node in nodes {
                        assert_eq!(bearer(node, token).await.is_some(), alive, "{passed} s after a rotation");
                    }
                }
                held.retain(|(made, _)| clock.now().secs() < made + 300);
            }
            let keys: serde_json::Value = serde_json::from_str(&open.house.issuer.jwks()).unwrap();
            let keys = keys["keys"].as_array().unwrap();
            assert_eq!(keys.len(), 2, "only the keys in use are published when a rotation is over");
            assert!(keys.iter().all(|key| key["d"].is_null() && key["kid"].is_string() && key["alg"] == "ES256"));
        }
        // A token of a retired key, good in every other way: signed by the key that was there before two rotations.
        let old = open.house.keyring.access_signer();
        open.house.keyring.rotate_tokens().await.unwrap();
        clock.advance_secs(garant::vault::LEAD_SECONDS + garant::vault::LINGER_SECONDS);
        let token = clinic.token(&open.house).await;
        assert!(bearer(&open.house, &token).await.is_some());
        let forged = old.sign("at+jwt", claims(&token).to_string().as_bytes()).unwrap();
        for node in nodes {
            node.keyring.reload_tokens().await.unwrap();
            assert!(bearer(node, &forged).await.is_none(), "a retired key is taken");
        }
        if let Some(second) = second {
            second.close().await;
        }
        open.close().await;
        clock.set(clock.now().plus_secs(3600));
    });
}
