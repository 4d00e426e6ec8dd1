//! Signing in at identity providers: who is let in, who is not, and how it ends.

use std::sync::Arc;

use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::config::{Config, ProviderConfig};
use garant::directory::{Organisation, Party, Professional};
use garant::id::{OrganisationId, ProfessionalId};
use garant::identity::{Person, SignedIn, Who};
use garant::model::OrganisationKind;
use serde_json::json;

use crate::browser::{Browser, Page};
use crate::cast::Patient;
use crate::doors::Served;
use crate::house::{Engine, Home, Open, each_with, on_with};
use crate::idp::{CLIENT, Damage, Idp, SECRET};

pub const SESSION: &str = "garant-session";

/// A port that nobody else uses; the house must know its own address before it is served.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

pub fn at_a_port(config: &mut Config) {
    config.base_url = format!("http://127.0.0.1:{}/fhir", free_port());
}

pub fn base(home: &Home) -> String {
    home.config.issuer().to_owned()
}

pub async fn serve(home: &Home, open: &Open) -> Served {
    let port = url::Url::parse(&home.config.base_url).unwrap().port().unwrap();
    Served::on(&open.house, port).await
}

/// The choice page's form for `who`, sent; stops before the house is come back to when `stop` says so.
pub async fn begin(browser: &mut Browser, base: &str, who: &str, invitation: Option<&str>, stop: Option<&str>) -> Page {
    let page = browser.go(&format!("{base}/login?continue=/login%3Fhere")).await;
    let words = match (who, invitation) {
        ("patient", None) => "comme patient",
        ("patient", Some(_)) => "Relier mon compte",
        _ => "comme professionnel",
    };
    let form = page.form(words);
    let form = if let Some(code) = invitation { form.with("invitation", code) } else { form };
    browser.send_until(&form, stop).await
}

pub async fn who(open: &Open, browser: &Browser) -> Option<SignedIn> {
    open.house.sessions.current(browser.cookies.get(SESSION)?).await.unwrap()
}

/// Settings with the lying provider for both kinds, reached at `issuer`.
fn with_provider(config: &mut Config, issuer: &str, folder: &std::path::Path) {
    let secret = folder.join("idp-secret");
    std::fs::write(&secret, SECRET).unwrap();
    let provider = ProviderConfig {
        secret_file: Some(secret),
        acr: vec!["eidas2".to_owned(), "eidas3".to_owned()],
        ..ProviderConfig::new(issuer.to_owned(), CLIENT.to_owned())
    };
    config.sign_in.patients = Some(provider.clone());
    config.sign_in.professionals = Some(provider);
}

/// A house whose people sign in at a lying provider, and the provider.
pub struct Stage {
    pub idp: Arc<Idp>,
    pub open: Open,
    pub served: Served,
    pub base: String,
}

/// Runs `test` on each engine with a lying provider.
#[expect(clippy::needless_pass_by_value, reason = "a test hands its closure over")]
pub fn each_lying(name: &str, test: impl AsyncFn(&Home, &Stage)) {
    each_with(name, at_a_port, async |home| {
        let idp = Idp::start().await;
        let open = home.found().await;
        open.close().await;
        // The provider's address is known only now.
        let mut config = home.config.clone();
        with_provider(&mut config, &idp.issuer, home.path());
        let open = home.open_with(config).await;
        let served = serve(home, &open).await;
        let stage = Stage { idp, open, served, base: base(home) };
        test(home, &stage).await;
        stage.served.end().await;
        stage.open.close().await;
    });
}

impl Stage {
    /// A patient whose account is linked.
    pub async fn linked(&self) -> Patient {
        let house = &self.open.house;
        let patient = Patient::enrol(house).await;
        let code = house.patients.invite(patient.id, 1).await.unwrap();
        let tag = house.patients.invitation_tag(code.expose());
        let subject = self.idp.script.lock().unwrap().subject.clone();
        house.patients.link(&tag, &self.idp.issuer, &subject).await.unwrap();
        patient
    }

    /// A login from a fresh browser, to its end.
    pub async fn login(&self, kind: &str) -> (Browser, Page) {
        let mut browser = Browser::default();
        let page = begin(&mut browser, &self.base, kind, None, None).await;
        (browser, page)
    }

    async fn signed_in(&self, kind: &str) -> Option<SignedIn> {
        who(&self.open, &self.login(kind).await.0).await
    }
}

#[test]
fn a_patient_and_a_professional_sign_in_at_the_built_in_provider_and_out_again() {
    each_with("built-in", at_a_port, async |home| {
        let open = home.found().await;
        let served = serve(home, &open).await;
        let base = base(home);
        let patient = Patient::enrol(&open.house).await;
        let mut browser = Browser::default();
        // Known to the provider, linked to nobody.
        let choice = begin(&mut browser, &base, "patient", None, None).await;
        assert!(choice.answer.text().contains("il croit tout le monde"));
        let page = browser.send(&choice.form("Karim Haddouche")).await;
        assert_eq!((page.answer.status, who(&open, &browser).await), (403, None), "{}", page.answer.text());
        // By invitation, typed carelessly.
        let code = open.house.patients.invite(patient.id, 14).await.unwrap().expose().to_lowercase().replace('-', " ");
        let choice = begin(&mut browser, &base, "patient", Some(&code), None).await;
        let page = browser.send(&choice.form("Karim Haddouche")).await;
        assert_eq!((page.answer.status, page.at.query()), (200, Some("here")), "{}", page.answer.text());
        let signed_in = who(&open, &browser).await.unwrap();
        assert_eq!((&signed_in.who, signed_in.acr.as_str()), (&Who::Patient(patient.id), "eidas2"));
        // And without one from then on.
        let mut later = Browser::default();
        let choice = begin(&mut later, &base, "patient", None, None).await;
        later.send(&choice.form("Karim Haddouche")).await;
        assert_eq!(who(&open, &later).await.unwrap().who, Who::Patient(patient.id));
        // A professional is not enrolled by signing in, but found once the guarantor enrolled them.
        let mut doctor = Browser::default();
        let choice = begin(&mut doctor, &base, "professional", None, None).await;
        let page = doctor.send(&choice.form("Lefèvre")).await;
        assert_eq!((page.answer.status, who(&open, &doctor).await), (403, None));
        let enrolled = enrol(&open, "899900000011", "10", "1990000011").await;
        let choice = begin(&mut doctor, &base, "professional", None, None).await;
        let page = doctor.send(&choice.form("Lefèvre")).await;
        assert_eq!(page.answer.status, 200, "{}", page.answer.text());
        assert_eq!(who(&open, &doctor).await.unwrap().who, Who::Professional(enrolled.clone()));
        assert!(page.answer.text().contains(&enrolled.name));
        // Refusing at the provider signs nobody in.
        let mut refusing = Browser::default();
        let choice = begin(&mut refusing, &base, "patient", None, None).await;
        let page = refusing.send(&choice.form("Refuser")).await;
        assert_eq!((page.answer.status, who(&open, &refusing).await), (403, None));
        // Out again: GET changes nothing, the button does.
        let cookies = browser.cookies.clone();
        let page = browser.go(&format!("{base}/logout")).await;
        assert!(who(&open, &browser).await.is_some());
        let page = browser.send(&page.form("Se déconnecter")).await;
        assert_eq!(page.at.path(), "/login");
        assert_eq!(browser.cookies.get(SESSION), None);
        assert_eq!(who(&open, &Browser { cookies, ..Browser::default() }).await, None);
        served.end().await;
        open.close().await;
    });
}

/// A professional with these national numbers.
pub async fn enrol(open: &Open, number: &str, profession: &str, place: &str) -> Professional {
    let house = &open.house;
    let id = OrganisationId::random(&*house.chance).unwrap();
    let party = Organisation {
        id,
        kind: OrganisationKind::Care,
        name: "Cabinet".to_owned(),
        number: place.to_owned(),
        active: true,
    };
    house.enrolments.enrol(&Party::Organisation(party)).await.unwrap();
    let person = Professional {
        id: ProfessionalId::random(&*house.chance).unwrap(),
        name: "Dr Enrolled".to_owned(),
        profession: profession.parse().unwrap(),
        number: number.to_owned(),
        organisations: vec![id],
        active: true,
    };
    house.enrolments.enrol(&Party::Professional(person.clone())).await.unwrap();
    person
}

#[test]
fn oi05_every_damaged_id_token_is_refused_and_signs_nobody_in() {
    each_lying("OI-05", async |_, stage| {
        let patient = stage.linked().await;
        println!("OI-05: {} damages", Damage::ALL.len());
        for damage in Damage::ALL {
            stage.idp.tell(|script| script.damage = damage);
            let (browser, page) = stage.login("patient").await;
            assert_eq!(page.answer.status, 403, "{damage:?}: {}", page.answer.text());
            assert_eq!(browser.cookies.get(SESSION), None, "{damage:?}");
            assert!(page.answer.text().contains("n’a pas pu être vérifiée"), "{damage:?}");
            // The same token undamaged is taken, so that the damage alone was what was refused.
            stage.idp.tell(|script| script.damage = Damage::None);
            let (browser, page) = stage.login("patient").await;
            assert_eq!(page.answer.status, 200, "after {damage:?}: {}", page.answer.text());
            assert_eq!(who(&stage.open, &browser).await.unwrap().who, Who::Patient(patient.id), "{damage:?}");
        }
        // The secret was shown as HTTP Basic, and the code was bound by PKCE (the provider checks that).
        let redeemed = stage.idp.redeemed.lock().unwrap().clone();
        assert!(redeemed.iter().all(|form| form["authorization"].starts_with("Basic ")));
    });
}

#[test]
fn o14_an_answer_in_another_name_or_from_elsewhere_is_refused() {
    each_lying("O14", async |_, stage| {
        stage.linked().await;
        stage.idp.tell(|script| script.answer_issuer = Some("https://another.example".to_owned()));
        assert_eq!(stage.signed_in("patient").await, None);
        stage.idp.tell(|script| script.answer_issuer = None);
        assert!(stage.signed_in("patient").await.is_some());
        stage.idp.tell(|script| script.error = Some("access_denied".to_owned()));
        let (_, page) = stage.login("patient").await;
        assert_eq!(page.answer.status, 403);
    });
}

#[test]
fn o16_a_provider_whose_document_leads_elsewhere_is_not_followed() {
    for wrong in [
        json!({ "issuer": "https://another.example" }),
        json!({ "token_endpoint": "http://127.0.0.1:1/token" }),
        json!({ "authorization_endpoint": "https://phishing.example/authorize" }),
        json!({ "jwks_uri": "http://169.254.169.254/latest" }),
        json!({ "end_session_endpoint": "file:///etc/passwd" }),
        json!({ "padding": "x".repeat(300_000) }),
    ] {
        let test = async |home: &Home| {
            let idp = Idp::start().await;
            home.found().await.close().await;
            let mut config = home.config.clone();
            with_provider(&mut config, &idp.issuer, home.path());
            idp.tell(|script| script.discovery = wrong.clone());
            let open = home.open_with(config).await;
            let served = serve(home, &open).await;
            let mut browser = Browser::default();
            let page = begin(&mut browser, &base(home), "patient", None, Some("https://phishing")).await;
            assert!(matches!(page.answer.status, 403 | 503), "{wrong:.60}: {}", page.answer.status);
            served.end().await;
            open.close().await;
        };
        on_with(Engine::Sqlite, "O16", &at_a_port, &test);
    }
}

#[test]
fn login_csrf_an_answer_is_taken_once_and_in_the_browser_that_asked() {
    each_lying("login CSRF", async |_, stage| {
        stage.linked().await;
        let callback = format!("{}/login/callback", stage.base);
        // The attacker's answer, held back before their own browser takes it.
        let mut attacker = Browser::default();
        let held = begin(&mut attacker, &stage.base, "patient", None, Some(&callback)).await;
        let mut victim = Browser::default();
        for browser in [&mut victim, &mut Browser::default()] {
            // With no attempt of their own, and with one.
            let page = browser.go(held.at.as_str()).await;
            assert_eq!((page.answer.status, browser.cookies.get(SESSION)), (400, None));
            begin(browser, &stage.base, "patient", None, Some(&callback)).await;
            let page = browser.go(held.at.as_str()).await;
            assert_eq!((page.answer.status, browser.cookies.get(SESSION)), (400, None));
        }
        // State left out, another, or twice.
        let state = held.at.query_pairs().find(|(n, _)| n == "state").unwrap().1.into_owned();
        for query in [
            held.at.query().unwrap().replace(&state, ""),
            held.at.query().unwrap().replace(&state, &state.to_lowercase()),
            format!("{}&state={state}", held.at.query().unwrap()),
        ] {
            let page = attacker.go(&format!("{callback}?{query}")).await;
            assert_eq!(page.answer.status, 400, "{query}");
        }
        // In its own browser it is taken; a second time it is not, though the cookie be kept.
        let kept = attacker.cookies.clone();
        let page = attacker.go(held.at.as_str()).await;
        assert_eq!(page.answer.status, 200);
        assert!(who(&stage.open, &attacker).await.is_some());
        let mut again = Browser { cookies: kept, ..Browser::default() };
        assert_eq!(again.go(held.at.as_str()).await.answer.status, 400);
        assert_eq!(again.cookies.get(SESSION), None);
    });
}

#[test]
fn s03_forms_of_other_sites_start_and_end_nothing() {
    each_lying("S03", async |_, stage| {
        stage.linked().await;
        let (mut browser, page) = stage.login("patient").await;
        let good = page.form("Se déconnecter");
        for bad in [good.clone().with("form", ""), good.clone().with("form", &"0".repeat(64))] {
            assert_eq!(browser.send(&bad).await.answer.status, 403);
        }
        let strange = format!(
            "POST /logout HTTP/1.1\r\nHost: x\r\nCookie: {SESSION}={}\r\nSec-Fetch-Site: cross-site\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 69\r\n\r\nform={}",
            browser.cookies[SESSION],
            good.fields.iter().find(|(n, _)| n == "form").unwrap().1
        );
        let answer = crate::wire::send(stage.served.at, strange.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 403);
        assert!(who(&stage.open, &browser).await.is_some());
        let mut other = Browser::default();
        let page = other.go(&format!("{}/login", stage.base)).await;
        let start = page.form("comme patient").with("form", "x");
        assert_eq!(other.send(&start).await.answer.status, 403);
    });
}

#[test]
fn s01_each_login_is_a_new_session_and_the_old_one_is_dead() {
    each_lying("S01", async |_, stage| {
        let patient = stage.linked().await;
        // A cookie that somebody planted is never taken over.
        let mut browser = Browser::default();
        browser.cookies.insert(SESSION.to_owned(), "A".repeat(43));
        begin(&mut browser, &stage.base, "patient", None, None).await;
        let first = browser.clone();
        assert_ne!(first.cookies[SESSION], "A".repeat(43));
        // The browser that is signed in signs in once more, on another tab.
        let mut again = Browser::default();
        let callback = format!("{}/login/callback", stage.base);
        let held = begin(&mut again, &stage.base, "patient", None, Some(&callback)).await;
        again.cookies.insert(SESSION.to_owned(), first.cookies[SESSION].clone());
        again.go(held.at.as_str()).await;
        assert_ne!(again.cookies[SESSION], first.cookies[SESSION]);
        assert_eq!(who(&stage.open, &first).await, None);
        assert!(who(&stage.open, &again).await.is_some());
        // Elsewhere too: listed, and ended from here.
        let (elsewhere, _) = stage.login("patient").await;
        let page = again.go(&format!("{}/login", stage.base)).await;
        let form = page.form("Mettre fin à la session");
        again.send(&form).await;
        assert_eq!(who(&stage.open, &elsewhere).await, None);
        assert!(who(&stage.open, &again).await.is_some());
        // Another person's session is not ended by naming it.
        stage.idp.tell(|script| script.subject = "another".to_owned());
        let other = stage.linked().await;
        let (stranger, page) = stage.login("patient").await;
        assert_eq!(who(&stage.open, &stranger).await.unwrap().who, Who::Patient(other.id));
        let mine = who(&stage.open, &again).await.unwrap().session;
        let named: String = mine.iter().map(|b| format!("{b:02x}")).collect();
        let form = crate::browser::Form {
            action: url::Url::parse(&format!("{}/login/sessions/end", stage.base)).unwrap(),
            ..page.form("Se déconnecter")
        };
        stranger.clone().send(&form.with("session", &named)).await;
        assert_eq!(who(&stage.open, &again).await.unwrap().who, Who::Patient(patient.id));
    });
}

#[test]
fn o26_nobody_is_sent_on_to_another_place() {
    each_lying("O26", async |_, stage| {
        stage.linked().await;
        for evil in
            ["//evil.example/", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example"]
        {
            let mut browser = Browser::default();
            let page = browser.go(&format!("{}/login", stage.base)).await;
            let form = page.form("comme patient").with("continue", evil);
            let page = browser.send_until(&form, Some("https://evil")).await;
            assert_eq!((page.at.path(), page.at.port()), ("/login", Some(stage.served.at.port())), "{evil}");
        }
    });
}

#[test]
fn an_invitation_works_once_within_its_days_for_whoever_was_not_linked_before() {
    each_with("invitations", at_a_port, async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let patients = &open.house.patients;
        let (one, two) = (Patient::enrol(&open.house).await, Patient::enrol(&open.house).await);
        let invite = async |patient| patients.invitation_tag(patients.invite(patient, 1).await.unwrap().expose());
        let tag = invite(one.id).await;
        assert_eq!(patients.link(&tag, "https://a", "x").await.unwrap(), one.id);
        patients.link(&tag, "https://a", "y").await.unwrap_err();
        // An account that is linked stays where it is; and the invitation spent on it is not lost to its patient.
        let other = invite(two.id).await;
        patients.link(&other, "https://a", "x").await.unwrap_err();
        assert_eq!(patients.by_account("https://a", "x").await.unwrap(), Some(one.id));
        assert_eq!(
            patients.link(&other, "https://b", "x").await.unwrap(),
            two.id,
            "another issuer's x is another person"
        );
        let late = invite(one.id).await;
        clock.advance_secs(86_400);
        patients.link(&late, "https://a", "z").await.unwrap_err();
        patients.link(&patients.invitation_tag("guess"), "https://a", "z").await.unwrap_err();
        // Two logins race with one invitation: one wins.
        let raced = invite(one.id).await;
        let (a, b) = tokio::join!(patients.link(&raced, "https://a", "r1"), patients.link(&raced, "https://a", "r2"));
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        // Whoever is erased has no account any more.
        patients.erase(two.id, 0).await.unwrap();
        assert_eq!(patients.by_account("https://b", "x").await.unwrap(), None);
        open.close().await;
    });
}

#[test]
fn an_account_moved_in_the_database_signs_nobody_in() {
    each_lying("moved account", async |_, stage| {
        let victim = Patient::enrol(&stage.open.house).await;
        let attacker = stage.linked().await;
        let args = vec![victim.id.as_bytes().to_vec().into(), attacker.id.as_bytes().to_vec().into()];
        let moved = ("UPDATE account SET patient = $1 WHERE patient = $2", args);
        stage.open.house.store.db().transact("tamper", vec![moved]).await.unwrap();
        assert_eq!(stage.signed_in("patient").await, None);
    });
}

#[test]
fn fr40_a_professional_is_found_by_national_number_alone_and_only_as_enrolled() {
    each_lying("FR-40", async |_, stage| {
        let enrolled = enrol(&stage.open, "899900000011", "10", "1990000011").await;
        let good = json!({
            "SubjectNameID": "899900000011",
            "SubjectRole": ["10^1.2.250.1.213.1.1.5.5"],
            "SubjectOrganizationID": "1990000011",
        });
        let says = async |claims: serde_json::Value| {
            stage.idp.tell(|script| script.claims = claims);
            stage.signed_in("professional").await.map(|s| s.who)
        };
        let expected = Some(Who::Professional(enrolled.clone()));
        assert_eq!(says(good.clone()).await, expected);
        assert_eq!(says(json!({ "SubjectNameID": "899900000011" })).await, expected);
        for (claim, value) in [
            ("SubjectNameID", json!("899900000012")),
            ("SubjectNameID", json!("")),
            ("SubjectNameID", json!(899_900_000_011_i64)),
            ("SubjectNameID", json!(["899900000011", "899900000029"])),
            ("SubjectRole", json!(["21^1.2.250.1.213.1.1.5.5"])),
            ("SubjectRole", json!("1^1.2.250.1.213.1.1.5.5")),
            ("SubjectOrganizationID", json!("1990000029")),
        ] {
            let mut claims = good.clone();
            claims[claim] = value.clone();
            assert_eq!(says(claims).await, None, "{claim} {value}");
        }
        // Other claims find nobody.
        assert_eq!(says(json!({ "email": "dr@enrolled.example", "name": enrolled.name })).await, None);
        // Two with one number are nobody; and nobody who is suspended.
        let twin = enrol(&stage.open, "899900000011", "10", "1990000099").await;
        assert_eq!(says(good.clone()).await, None);
        stage.open.house.enrolments.set_standing(twin.id.as_bytes(), false).await.map(drop).unwrap();
        assert_eq!(says(good.clone()).await, expected);
        stage.open.house.enrolments.set_standing(enrolled.id.as_bytes(), false).await.map(drop).unwrap();
        assert_eq!(says(good).await, None);
    });
}

#[test]
fn oi06_userinfo_completes_the_id_token_only_for_the_same_person() {
    for (subject, expected) in [("a-subject", true), ("another", false)] {
        let test = async |home: &Home| {
            let idp = Idp::start().await;
            home.found().await.close().await;
            let mut config = home.config.clone();
            with_provider(&mut config, &idp.issuer, home.path());
            idp.tell(|s| s.userinfo = Some(json!({ "sub": subject, "SubjectNameID": "899900000011" })));
            let open = home.open_with(config).await;
            let served = serve(home, &open).await;
            enrol(&open, "899900000011", "10", "1990000011").await;
            let stage = Stage { idp, open, served, base: base(home) };
            assert_eq!(stage.signed_in("professional").await.is_some(), expected, "{subject}");
            stage.served.end().await;
            stage.open.close().await;
        };
        on_with(Engine::Sqlite, "OI-06", &at_a_port, &test);
    }
}

/// Damages header or claims.
type Change = fn(&mut serde_json::Value, &mut serde_json::Value);

/// Posts a logout token; gives status and `Cache-Control`.
async fn tell_logout(served: &Served, token: &str) -> (u16, Option<String>) {
    let body = format!("logout_token={token}");
    let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
    let request = crate::wire::request("POST", "/oidc/backchannel-logout", &headers, body.as_bytes());
    let answer = crate::wire::send(served.at, &request).await.unwrap();
    (answer.status, answer.header("cache-control").map(str::to_owned))
}

#[test]
fn oi10_a_logout_token_ends_the_sessions_it_names_at_once_on_every_node() {
    each_lying("OI-10", async |home, stage| {
        let patient = stage.linked().await;
        // Another process over the same databases.
        let folder = (home.engine == Engine::Postgres).then(|| home.node());
        let place = folder.as_ref().map_or(home.path(), |folder| folder.path());
        let mut config = home.config.clone();
        with_provider(&mut config, &stage.idp.issuer, home.path());
        let node = home.open_node(place, config).await;
        let node_served = Served::by(&node.house).await;
        let login = async |sid: &str| {
            stage.idp.tell(|script| script.sid = sid.to_owned());
            stage.login("patient").await.0
        };
        let (one, two) = (login("s-1").await, login("s-2").await);
        // Told to one node, both know: the session named, no other.
        let token = stage.idp.logout_token("lo-1", |_, claims| claims["sid"] = json!("s-1"));
        assert_eq!(tell_logout(&node_served, &token).await, (200, Some("no-store".to_owned())));
        for open in [&stage.open, &node] {
            assert_eq!(who(open, &one).await, None);
            assert_eq!(who(open, &two).await.unwrap().who, Who::Patient(patient.id));
        }
        // Without a session it means all of the person.
        let three = login("s-3").await;
        let token = stage.idp.logout_token("lo-2", |_, claims| drop(claims.as_object_mut().unwrap().remove("sid")));
        assert_eq!(tell_logout(&stage.served, &token).await.0, 200);
        assert_eq!((who(&node, &two).await, who(&node, &three).await), (None, None));
        node_served.end().await;
        node.close().await;
    });
}

#[test]
fn oi11_logout_tokens_that_are_not_exactly_that_end_nothing() {
    each_lying("OI-11", async |_, stage| {
        stage.linked().await;
        let (browser, _) = stage.login("patient").await;
        let bad: [(&str, Change); 16] = [
            ("alg none", |h, _| h["alg"] = json!("none")),
            ("alg HS256", |h, _| h["alg"] = json!("HS256")),
            ("alg of another key", |h, _| h["alg"] = json!("ES256")),
            ("typ", |h, _| h["typ"] = json!("at+jwt")),
            ("crit", |h, _| h["crit"] = json!(["x"])),
            ("kid", |h, _| h["kid"] = json!("unheard-of")),
            ("no events", |_, c| drop(c.as_object_mut().unwrap().remove("events"))),
            ("another event", |_, c| c["events"] = json!({ "http://schemas.openid.net/event/x": {} })),
            ("an event that is no object", |_, c| {
                c["events"] = json!({ "http://schemas.openid.net/event/backchannel-logout": true });
            }),
            ("nonce", |_, c| c["nonce"] = json!("n")),
            ("aud", |_, c| c["aud"] = json!("another")),
            ("two audiences", |_, c| c["aud"] = json!([CLIENT, "another"])),
            ("iss", |_, c| c["iss"] = json!("https://another.example")),
            ("expired", |_, c| c["exp"] = json!(1)),
            ("old", |_, c| c["iat"] = json!(1)),
            ("neither sub nor sid", |_, c| {
                c.as_object_mut().unwrap().retain(|name, _| name != "sub" && name != "sid");
            }),
        ];
        for (word, change) in bad {
            let token = stage.idp.logout_token("bad", change);
            assert_eq!(tell_logout(&stage.served, &token).await.0, 400, "{word}");
        }
        let good = stage.idp.logout_token("lo-1", |_, c| c["sid"] = json!("of-nobody"));
        let (text, _) = good.rsplit_once('.').unwrap();
        for token in [text, &format!("{text}."), &good[1..], "", "x.y.z"] {
            assert_eq!(tell_logout(&stage.served, token).await.0, 400, "{token}");
        }
        // Nobody has left by all that; a good one is taken once; and GET is no way to say it (OI-12).
        assert!(who(&stage.open, &browser).await.is_some());
        assert_eq!(tell_logout(&stage.served, &good).await.0, 200);
        assert_eq!(tell_logout(&stage.served, &good).await.0, 400, "replayed");
        assert!(who(&stage.open, &browser).await.is_some());
        let get = crate::wire::request("GET", "/oidc/backchannel-logout", &[], b"");
        assert_eq!(crate::wire::send(stage.served.at, &get).await.unwrap().status, 405);
    });
}

#[test]
fn p50_keys_rotate_without_a_refused_login_and_an_unknown_kid_costs_one_fetch_a_minute() {
    let test = async |home: &Home| {
        let idp = Idp::start().await;
        home.found().await.close().await;
        let clock = TestClock::at(SystemClock.now());
        let mut config = home.config.clone();
        with_provider(&mut config, &idp.issuer, home.path());
        home.set_clock(clock.clone());
        let open = home.open_with(config).await;
        let served = serve(home, &open).await;
        let stage = Stage { idp, open, served, base: base(home) };
        stage.linked().await;
        assert!(stage.signed_in("patient").await.is_some());
        assert_eq!(stage.idp.fetches(), 1);
        // Any number of tokens with an invented key: none is believed, and the provider is asked once a minute.
        stage.idp.tell(|script| script.damage = Damage::UnknownKid);
        for _ in 0..6 {
            assert_eq!(stage.signed_in("patient").await, None);
        }
        assert_eq!(stage.idp.fetches(), 1, "it was asked a moment ago");
        clock.advance_secs(61);
        for _ in 0..6 {
            assert_eq!(stage.signed_in("patient").await, None);
        }
        assert_eq!(stage.idp.fetches(), 2);
        stage.idp.tell(|script| script.damage = Damage::None);
        // A rotation is followed at once, once the minute is over; the key that was taken back is refused.
        clock.advance_secs(61);
        stage.idp.rotate("k2");
        assert!(stage.signed_in("patient").await.is_some());
        assert_eq!(stage.idp.fetches(), 3);
        clock.advance_secs(61);
        stage.idp.tell(|script| script.damage = Damage::OtherKey);
        assert_eq!(stage.signed_in("patient").await, None);
        stage.served.end().await;
        stage.open.close().await;
        clock.set(SystemClock.now());
    };
    on_with(Engine::Sqlite, "P50", &at_a_port, &test);
}

#[test]
fn pages_are_never_stored_framed_or_scripted() {
    each_lying("OA-46", async |_, stage| {
        stage.linked().await;
        let (mut browser, _) = stage.login("patient").await;
        let mut stranger = Browser::default();
        for page in [
            stranger.go(&format!("{}/login", stage.base)).await,
            stranger.go(&format!("{}/login/callback?code=x", stage.base)).await,
            browser.go(&format!("{}/login", stage.base)).await,
        ] {
            let header = |name| page.answer.header(name).unwrap_or_default();
            assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store", "no-referrer"));
            assert_eq!((header("x-frame-options"), header("x-content-type-options")), ("DENY", "nosniff"));
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("script") && !page.answer.text().contains("<script"), "{policy}");
            assert!(page.answer.text().contains("<html lang=\"fr\">") && page.answer.text().contains("<h1>"));
        }
        let english = stranger.go(&format!("{}/login?lang=en", stage.base)).await;
        assert!(english.answer.text().contains("<html lang=\"en\">"));
        assert!(english.answer.text().contains("Sign in as a patient"));
        // What a person is asked to go on to is escaped wherever it stands.
        let odd = stranger.go(&format!("{}/login?continue=/%22%3E%3Cscript%3E", stage.base)).await;
        assert!(!odd.answer.text().contains("<script"), "{}", odd.answer.text());
    });
}

#[test]
fn a_suspended_professional_and_an_erased_patient_are_out_at_the_next_request() {
    each_lying("S12", async |_, stage| {
        let patient = stage.linked().await;
        let (browser, _) = stage.login("patient").await;
        assert!(who(&stage.open, &browser).await.is_some());
        stage.open.house.patients.erase(patient.id, 0).await.unwrap();
        assert_eq!(who(&stage.open, &browser).await, None);
        let person = enrol(&stage.open, "899900000011", "10", "1990000011").await;
        stage.idp.tell(|script| script.claims = json!({ "SubjectNameID": "899900000011" }));
        let (browser, _) = stage.login("professional").await;
        assert!(who(&stage.open, &browser).await.is_some());
        stage.open.house.enrolments.set_standing(person.id.as_bytes(), false).await.map(drop).unwrap();
        assert_eq!(who(&stage.open, &browser).await, None);
        assert_eq!(stage.open.house.sessions.end_all(Person::Professional(person.id)).await.unwrap(), 1);
    });
}
