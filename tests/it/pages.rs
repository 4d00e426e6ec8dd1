//! The patient's pages in a real browser: giving, seeing, removing, and what axe-core says of each page.

use garant::app::demo::{Cast, stage};
use garant::config::Config;
use garant::fhir::Handling;
use garant::id::PatientId;
use garant::identity::{Login, Person};
use garant::model::{Bearer, Purpose, Rubric, Subject};
use garant::release::Wanted;
use serde_json::Value;

use crate::cast::{Patient, Scene};
use crate::certified::packages;
use crate::chromium::Chromium;
use crate::doors::Served;
use crate::house::{Engine, Home, Open, each_with, on_with};
use crate::signin::{base, free_port, serve};
use crate::wire;

/// Passkeys are made for a name, never for an address.
fn at_a_name(config: &mut Config) {
    config.base_url = format!("http://localhost:{}/fhir", free_port());
}

/// The demonstration's people, a server, and a browser in which Mireille Kervadec is signed in.
struct Stage {
    open: Open,
    served: Served,
    cast: Cast,
    browser: Chromium,
    base: String,
}

impl Stage {
    /// `None` where there is no browser.
    async fn set(home: &Home) -> Option<Self> {
        let mut browser = Chromium::start("fr").await?;
        browser.hold_passkeys().await;
        let open = home.found().await;
        let cast = stage(&open.house, |_| {}).await.unwrap();
        let served = serve(home, &open).await;
        let base = base(home);
        browser.go(&format!("{base}/acces")).await;
        browser.click("button", "comme patient").await;
        browser.click("button", "Mireille Kervadec").await;
        browser.until("location.pathname === '/acces'").await;
        Some(Self { open, served, cast, browser, base })
    }

    fn patient(&self) -> PatientId {
        self.cast.patients[0].id.parse().unwrap()
    }

    async fn go(&mut self, path: &str) {
        self.browser.go(&format!("{}{path}", self.base)).await;
    }

    /// The text of these elements, with plain blanks.
    async fn text(&mut self, selector: &str) -> String {
        let script = format!(
            "[...document.querySelectorAll({})].map(e => e.innerText).join('\\n')",
            serde_json::json!(selector)
        );
        self.browser.look(&script).await.as_str().unwrap_or_default().replace(['\u{a0}', '\u{202f}'], " ")
    }

    async fn add_passkey(&mut self) {
        self.go("/appareils?lang=fr").await;
        self.browser.click("form[data-passkey] button", "Ajouter une clé").await;
        self.browser.until("document.body.innerText.includes('Clé d’accès ajoutée le')").await;
    }

    /// Chooses a recipient and what they see, up to the page that is to be signed.
    async fn choose(&mut self, name: &str, choices: &[&str]) {
        self.go(&format!("/acces/nouveau?lang=fr&q={name}")).await;
        self.browser.click("a.btn", "Choisir").await;
        for choice in choices {
            self.browser.click("label", choice).await;
        }
        self.browser.click("button", "Relire").await;
        self.browser
            .until("document.querySelector('.signed, h1') !== null && location.pathname.endsWith('/relire')")
            .await;
    }

    async fn sign(&mut self) {
        self.browser.click("form[data-passkey] button", "Donner").await;
        self.browser.until("document.body.innerText.includes('Ce que vous avez accepté')").await;
    }

    /// How many records of each part of the record are really released to a professional now.
    async fn released(&self, key: &str) -> Vec<(Rubric, usize)> {
        let person = self.cast.professionals.iter().find(|p| p.key == key).unwrap();
        let client = self.cast.clients.iter().find(|c| c.key == person.client).unwrap();
        let house = &self.open.house;
        let enrolled = house.lookup.party(&bytes(&person.id)).await.unwrap().unwrap();
        let enrolled = enrolled.professional().unwrap();
        let software = house.lookup.party(&bytes(&client.id)).await.unwrap().unwrap();
        let bearer = Bearer {
            subject: Subject::Client {
                client: client.id.parse().unwrap(),
                organisation: software.client().unwrap().organisation,
                professional: Some((enrolled.id, enrolled.profession.clone())),
            },
            purpose: Purpose::Treat,
            scopes: vec!["*.rs".parse().unwrap()],
            only: None,
        };
        let mut released = Vec::new();
        for rubric in Rubric::ALL {
            let mut count = 0;
            for kind in rubric.types() {
                let pairs = vec![("patient".to_owned(), format!("Patient/{}", self.patient()))];
                let base = &house.config.base_url;
                let wanted = Wanted::search(kind, pairs, base, house.clock.now(), Handling::Strict).unwrap();
                count += house.door.search(&bearer, self.patient(), &wanted).await.unwrap().entries.len();
            }
            released.push((rubric, count));
        }
        released.retain(|(_, count)| *count > 0);
        released
    }

    async fn end(self) {
        drop(self.browser);
        self.served.end().await;
        self.open.close().await;
    }
}

fn bytes(id: &str) -> [u8; 16] {
    *id.parse::<garant::id::ClientId>().unwrap().as_bytes()
}

/// Who gives, sees exactly what is then released; who removes, needs no script, and nothing is released after.
#[test]
fn what_the_page_says_will_be_seen_is_what_is_released_until_the_page_says_it_is_removed() {
    each_with("pages", at_a_name, async |home| {
        let Some(mut stage) = Stage::set(home).await else { return };
        assert!(stage.text("main").await.contains("Personne ne voit votre dossier."));
        stage.choose("lefevre", &["Tout, sauf", "6 mois"]).await;
        assert!(stage.text("main").await.contains("il vous faut une clé d’accès"), "nothing is given without a key");
        stage.add_passkey().await;
        stage.choose("lefevre", &["Tout, sauf", "6 mois"]).await;
        let sentence = stage.text(".signed").await;
        assert!(sentence.starts_with("Le Dr Hélène Lefèvre (médecin) pourra lire vos allergies"), "{sentence}");
        let seen = stage.text(".points").await;
        stage.sign().await;
        let released = stage.released("dr-lefevre").await;
        let told: Vec<String> =
            released.iter().map(|(r, n)| format!("{} : {n}", r.word(garant::model::Language::Fr))).collect();
        assert_eq!(seen, told.join("\n"), "the preview is what is released");
        assert!(stage.text("main").await.contains(&sentence), "the access says what was signed");
        stage.go("/historique").await;
        assert!(
            stage.text(".log").await.contains("Dr Hélène Lefèvre (Maison de santé des Tilleuls) a lu 24 résultats")
        );
        // Without script.
        stage.go("/acces").await;
        stage.browser.click("a.stop", "Retirer").await;
        stage.browser.until("location.pathname.endsWith('/retirer')").await;
        stage.browser.run_scripts(false).await;
        stage.browser.click("button.stop", "Retirer").await;
        stage.browser.until("location.pathname.endsWith('/retire')").await;
        assert!(stage.text("[role=status]").await.contains("ne peut plus se servir de cet accès"));
        assert_eq!(stage.released("dr-lefevre").await, [], "effective before the page returns");
        stage.browser.run_scripts(true).await;
        stage.go("/historique?qui=refus").await;
        assert!(stage.text(".log").await.contains("n’a pas pu lire"));
        stage.end().await;
    });
}

/// An insurer is offered bills and nothing else, whatever the form is made to say.
#[test]
fn an_insurer_can_be_shown_bills_only_on_the_page_and_behind_it() {
    on_with(Engine::Sqlite, "insurer page", &at_a_name, &async |home: &Home| {
        let Some(mut stage) = Stage::set(home).await else { return };
        stage.add_passkey().await;
        stage.go("/acces/nouveau?q=orvane").await;
        stage.browser.click("a.btn", "Choisir").await;
        assert_eq!(stage.browser.look("document.querySelectorAll('input[name=quoi]').length").await, 0);
        let path = stage.browser.at().await.path().to_owned();
        stage.go(&format!("{path}/relire?quoi=tout&resultats=oui&jusqua=mois")).await;
        assert_eq!(stage.text(".points").await, "Factures : 6");
        assert!(
            stage.text("main").await.contains("Ne verra pas : Allergies, Traitements"),
            "{}",
            stage.text("main").await
        );
        stage.sign().await;
        stage.end().await;
    });
}

/// Whoever takes over a session and adds a key gains nothing before the patient can notice.
#[test]
fn t15_a_key_that_is_not_the_first_gives_no_access_for_a_day() {
    on_with(Engine::Sqlite, "young key", &at_a_name, &async |home: &Home| {
        let Some(mut stage) = Stage::set(home).await else { return };
        let first = crate::cast::Key::new();
        let patient = stage.patient();
        let house = std::sync::Arc::clone(&stage.open.house);
        house.patients.add_device(patient, garant::model::DeviceKind::Device, &first.jwk).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        stage.add_passkey().await;
        stage.choose("lefevre", &["L’essentiel", "30 jours"]).await;
        stage.browser.click("form[data-passkey] button", "Donner").await;
        stage.browser.until("document.querySelector('h1').innerText === 'Cette clé est trop récente'").await;
        assert_eq!(house.consents.list(patient).await.unwrap().len(), 0);
        drop(house);
        stage.end().await;
    });
}

/// Each page and each press of a button, as nobody, as its patient, as another patient, as a professional, and as
/// somebody who holds an access token in place of a session.
#[rustfmt::skip]
const ROWS: [(&str, &str, &str, [u16; 5]); 22] = [
    ("GET",  "/",                                  "/",                                     [303, 200, 200, 403, 303]),
    ("GET",  "/dossier",                           "/dossier",                              [303, 200, 200, 403, 303]),
    ("GET",  "/dossier/{rubric}",                  "/dossier/resultats",                    [303, 200, 200, 403, 303]),
    ("GET",  "/dossier/{rubric}",                  "/dossier/nothing",                      [303, 404, 404, 403, 303]),
    ("GET",  "/acces",                             "/acces",                                [303, 200, 200, 403, 303]),
    ("GET",  "/acces/nouveau",                     "/acces/nouveau",                        [303, 200, 200, 403, 303]),
    ("POST", "/acces/nouveau",                     "/acces/nouveau",                        [303, 403, 403, 403, 303]),
    ("GET",  "/acces/nouveau/{grantee}",           "/acces/nouveau/o.PLACE",                [303, 200, 200, 403, 303]),
    ("GET",  "/acces/nouveau/{grantee}/relire",    "/acces/nouveau/o.PLACE/relire?quoi=tout&jusqua=mois", [303, 200, 200, 403, 303]),
    ("GET",  "/acces/nouveau/{grantee}/relire",    "/acces/nouveau/o.PLACE/relire",         [303, 422, 422, 403, 303]),
    ("GET",  "/acces/{id}",                        "/acces/CONSENT",                        [303, 200, 404, 403, 303]),
    ("GET",  "/acces/{id}/retirer",                "/acces/CONSENT/retirer",                [303, 200, 404, 403, 303]),
    ("POST", "/acces/{id}/retirer",                "/acces/CONSENT/retirer",                [303, 403, 403, 403, 303]),
    ("GET",  "/acces/{id}/retire",                 "/acces/CONSENT/retire",                 [303, 303, 404, 403, 303]),
    ("GET",  "/historique",                        "/historique",                           [303, 200, 200, 403, 303]),
    ("GET",  "/demandes",                          "/demandes",                             [303, 200, 200, 403, 303]),
    ("GET",  "/demandes/{id}",                     "/demandes/00000000000000000000000000",  [303, 404, 404, 403, 303]),
    ("POST", "/demandes/{id}/refuser",             "/demandes/CONSENT/refuser",             [303, 403, 403, 403, 303]),
    ("GET",  "/appareils",                         "/appareils",                            [303, 200, 200, 403, 303]),
    ("POST", "/appareils",                         "/appareils",                            [303, 403, 403, 403, 303]),
    ("POST", "/appareils/{id}/retirer",            "/appareils/CONSENT/retirer",            [303, 403, 403, 403, 303]),
    ("GET",  "/favicon.ico",                       "/favicon.ico",                          [200, 200, 200, 200, 200]),
];

#[test]
fn p45_each_page_answers_its_own_patient_and_tells_nothing_to_anybody_else() {
    let mut covered: std::collections::BTreeSet<String> =
        ROWS.iter().map(|(method, route, ..)| format!("{method} {route}")).collect();
    // Style, script and fonts say nothing of anybody.
    covered.insert("GET /assets/{name}".to_owned());
    assert_eq!(covered, crate::doors::page_routes());
    crate::house::each("P45 pages", async |home| {
        let open = home.found().await;
        let house = &open.house;
        let served = Served::by(house).await;
        let scene = Scene::set(house, &home.canary()).await;
        let consent = scene.grant(house).await;
        let other = Patient::enrol(house).await;
        let sign_in = async |person| {
            let login =
                Login { person, auth_time: house.clock.now(), acr: String::new(), amr: Vec::new(), provider: None };
            let cookie = house.sessions.start(&login).await.unwrap();
            format!("Cookie: garant-session={}", cookie.expose())
        };
        let token = format!("Authorization: Bearer {}", crate::cast::patient_token(house, scene.patient.id));
        let actors = [
            String::new(),
            sign_in(Person::Patient(scene.patient.id)).await,
            sign_in(Person::Patient(other.id)).await,
            sign_in(Person::Professional(scene.clinic.professional)).await,
            token,
        ];
        let place = scene.clinic.organisation.to_string();
        for (method, _, path, expected) in ROWS {
            let path = path.replace("CONSENT", &consent.to_string()).replace("PLACE", &place);
            for (header, status) in actors.iter().zip(expected) {
                let mut headers: Vec<String> = Some(header.clone()).filter(|h| !h.is_empty()).into_iter().collect();
                headers.push("Content-Type: application/x-www-form-urlencoded".to_owned());
                let answer = wire::send(served.at, &wire::request(method, &path, &headers, b"form=x")).await.unwrap();
                assert_eq!(answer.status, status, "{method} {path} with {header:.20}");
                if status == 303 && *header != actors[1] {
                    assert!(answer.header("location").unwrap().starts_with("/login?"), "{method} {path}");
                }
                if [200, 403, 404, 422].contains(&status) && !path.starts_with("/favicon") {
                    let policy = answer.header("content-security-policy").unwrap();
                    let own = format!("script-src {}/assets/;", house.config.issuer());
                    assert!(policy.starts_with("default-src 'none';") && policy.contains(&own), "{policy}");
                    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
                }
                if !path.starts_with("/favicon") {
                    assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
                }
            }
        }
        served.end().await;
        open.close().await;
    });
}

/// Every page in both languages and two widths: nothing that axe-core (WCAG 2.2 AA and best practice) finds, nothing
/// that stands out to the right, no complaint of the browser's, and no word of another language.
#[test]
fn every_page_passes_axe_core_in_both_languages_and_fits_a_phone() {
    on_with(Engine::Sqlite, "axe", &at_a_name, &async |home: &Home| {
        let axe = packages().join("node_modules/axe-core/axe.min.js");
        let Ok(axe) = std::fs::read_to_string(&axe) else {
            eprintln!("skipped: no axe-core in {} (scripts/test fetches it)", axe.display());
            return;
        };
        let Some(mut stage) = Stage::set(home).await else { return };
        let mut seen = Vec::new();
        look(&mut stage, &axe, "keys-none", "/appareils", &mut seen).await;
        look(&mut stage, &axe, "home-empty", "/", &mut seen).await;
        look(&mut stage, &axe, "sees-empty", "/acces", &mut seen).await;
        stage.add_passkey().await;
        stage.choose("lefevre", &["Tout, sauf", "6 mois"]).await;
        let over = stage.browser.at().await;
        let over = format!("{}?{}", over.path(), over.query().unwrap());
        look(&mut stage, &axe, "read-over", &over, &mut seen).await;
        let recipient = over.split("/relire").next().unwrap().to_owned();
        look(&mut stage, &axe, "give", &recipient, &mut seen).await;
        stage.go(&format!("{over}&lang=fr")).await;
        stage.sign().await;
        let access = stage.browser.at().await.path().to_owned();
        stage.choose("orvane", &["30 jours"]).await;
        stage.sign().await;
        stage.released("dr-lefevre").await;
        stage.released("dr-aubertin").await;
        let remove = format!("{access}/retirer");
        for (name, path) in [
            ("home", "/"),
            ("record", "/dossier"),
            ("results", "/dossier/resultats"),
            ("medicines", "/dossier/traitements"),
            ("sees", "/acces"),
            ("find", "/acces/nouveau?q=le"),
            ("find-none", "/acces/nouveau?q=zzz"),
            ("access", access.as_str()),
            ("remove", remove.as_str()),
            ("history", "/historique"),
            ("history-refused", "/historique?qui=refus"),
            ("requests-none", "/demandes"),
            ("keys", "/appareils"),
            ("absent", "/acces/nobody"),
        ] {
            look(&mut stage, &axe, name, path, &mut seen).await;
        }
        stage.go(&remove).await;
        stage.browser.click("button.stop", "").await;
        stage.browser.until("location.pathname.endsWith('/retire')").await;
        look(&mut stage, &axe, "removed", &format!("{access}/retire"), &mut seen).await;
        println!("{} pages, each in two languages and at two widths", seen.len());
        let absent = |c: &&String| !c.contains("/acces/nobody") && !c.contains("favicon");
        let complaints: Vec<&String> = stage.browser.complaints.iter().filter(absent).collect();
        assert!(complaints.iter().all(|c| c.contains("pubKeyCredParams")), "{complaints:#?}");
        stage.end().await;
    });
}

async fn look(stage: &mut Stage, axe: &str, name: &str, path: &str, seen: &mut Vec<String>) {
    let with = if path.contains('?') { '&' } else { '?' };
    for language in ["fr", "en"] {
        stage.go(&format!("{path}{with}lang={language}")).await;
        assert_eq!(stage.browser.look("document.documentElement.lang").await, language, "{name}");
        for width in [390, 1280] {
            assert_eq!(stage.browser.overhang(&format!("{name}-{language}"), width).await, 0, "{name} at {width}");
            stage.browser.look(&format!("{axe};0")).await;
            let found: Value = stage
                .browser
                .look(
                    "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', \
                     'best-practice'] }).then(r => r.violations.map(v => v.id + ': ' + \
                     v.nodes.map(n => n.html.slice(0, 200)).join(' | ')))",
                )
                .await;
            assert_eq!(found, serde_json::json!([]), "{name} in {language} at {width}");
        }
    }
    seen.push(name.to_owned());
}
