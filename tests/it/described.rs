//! What is told of the interfaces is what is served, and every answer has the shape that is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use garant::clock::Timestamp;
use garant::directory::Profile;
use garant::proof::statement;
use serde_json::{Value, json};

use crate::apps::{App, CHALLENGE, STATE, VERIFIER};
use crate::browser::Browser;
use crate::cast::{self, Patient, REDIRECT, Scene};
use crate::doors::routes;
use crate::house::{Engine, Home, Open, on_with};
use crate::signin::{at_a_port, base, begin, serve};
use crate::wire::{self, Answer};

const HERE: &str = "https://garant.test/openapi.json";

/// The document as it is served, and what was seen to be as it says.
pub struct Described {
    tree: Value,
    compiler: Compiler,
    schemas: Schemas,
    /// `get /path 200`
    seen: BTreeSet<String>,
}

impl Described {
    pub async fn by(at: SocketAddr) -> Self {
        let tree = wire::get(at, "/openapi.json", "").await.unwrap().json();
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(HERE, tree.clone()).unwrap();
        Self { tree, compiler, schemas: Schemas::new(), seen: BTreeSet::new() }
    }

    /// `METHOD path` of all that is told of.
    fn operations(&self) -> Vec<(String, String, &Value)> {
        let mut all = Vec::new();
        for (path, methods) in self.tree["paths"].as_object().unwrap() {
            for (method, said) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
                all.push((method.clone(), path.clone(), said));
            }
        }
        all
    }

    pub fn tells_of(&self, method: &str, path: &str) -> bool {
        !self.tree["paths"][path][method.to_lowercase()].is_null()
    }

    /// The route that a path is served by.
    fn route(&self, path: &str) -> Option<String> {
        let asked: Vec<&str> = path.split('/').collect();
        let fits = |route: &&String| {
            let parts: Vec<&str> = route.split('/').collect();
            parts.len() == asked.len() && parts.iter().zip(&asked).all(|(part, is)| part.starts_with('{') || part == is)
        };
        let all = self.tree["paths"].as_object().unwrap();
        all.keys().filter(fits).min_by_key(|route| route.matches('{').count()).cloned()
    }

    fn followed<'t>(&'t self, said: &'t Value) -> (String, &'t Value) {
        let pointer = said["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        pointer.map_or((String::new(), said), |pointer| {
            (pointer.to_owned(), self.tree.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")))
        })
    }

    fn schema(&mut self, pointer: &str) -> SchemaIndex {
        let place = format!("{HERE}#{pointer}");
        self.compiler.compile(&place, &mut self.schemas).unwrap_or_else(|e| panic!("{place}: {e:#}"))
    }

    /// Panics unless `answer` is one that is told of for this route, in every part that is told.
    pub fn holds(&mut self, method: &str, route: &str, answer: &Answer) {
        let (method, status) = (method.to_lowercase(), answer.status.to_string());
        let what = format!("{method} {route} {status}");
        let said = &self.tree["paths"][route][&method]["responses"][&status];
        assert!(!said.is_null(), "{what} is told nowhere: {}", answer.text());
        let (pointer, said) = self.followed(said);
        let escaped = route.replace('~', "~0").replace('/', "~1");
        let direct = format!("/paths/{escaped}/{method}/responses/{status}");
        let pointer = if pointer.is_empty() { direct } else { pointer };
        for name in said["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(answer.header(name).is_some(), "{what} has no {name}");
        }
        let Some(contents) = said["content"].as_object() else {
            assert!(answer.body.is_empty(), "{what} has a body: {}", answer.text());
            self.seen.insert(what);
            return;
        };
        let media = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        assert!(contents.contains_key(&media), "{what} came as {media:?}: {}", answer.text());
        let body = if media.ends_with("json") {
            serde_json::from_slice(&answer.body).unwrap()
        } else {
            Value::from(String::from_utf8(answer.body.clone()).unwrap())
        };
        let schema = self.schema(&format!("{pointer}/content/{}/schema", media.replace('/', "~1").replace('+', "%2B")));
        if let Err(error) = self.schemas.validate(&body, schema) {
            panic!("{what} is not as told: {error:#}\n{body:#}");
        }
        self.seen.insert(what);
    }

    /// Panics unless `body` is what is told to be sent there; with one member more it is not.
    fn takes(&mut self, method: &str, route: &str, body: &Value) {
        let place =
            format!("/paths/{}/{method}/requestBody/content/application~1json/schema", route.replace('/', "~1"));
        let schema = self.schema(&place);
        assert!(self.schemas.validate(body, schema).is_ok(), "{method} {route} does not take {body}");
        let mut more = body.clone();
        more["unknown"] = 1.into();
        assert!(self.schemas.validate(&more, schema).is_err(), "{method} {route} takes what is not read");
    }
}

/// Asks as one who holds a token, and holds each answer against what is told of it.
struct Asker<'a> {
    at: SocketAddr,
    described: &'a mut Described,
    token: String,
}

impl Asker<'_> {
    async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let route = self.described.route(path).unwrap_or_else(|| panic!("{path} is told nowhere"));
        let mut headers = vec![wire::bearer(&self.token)];
        let mut text = String::new();
        if !body.is_null() {
            self.described.takes(&method.to_lowercase(), &route, body);
            headers.push("Content-Type: application/json".to_owned());
            text = body.to_string();
        }
        let answer = wire::send(self.at, &wire::request(method, path, &headers, text.as_bytes())).await.unwrap();
        self.described.holds(method, &route, &answer);
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        answer.json()
    }

    async fn get(&mut self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).await
    }

    async fn post(&mut self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, body).await
    }

    async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Value {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let answer = wire::send(self.at, &wire::request("POST", path, &headers, body.as_bytes())).await.unwrap();
        self.described.holds("POST", path, &answer);
        assert!(answer.status < 400, "POST {path}: {}", answer.text());
        answer.json()
    }

    /// Prepares a wish, signs it on the device, hands it in twice.
    async fn sign(&mut self, patient: &Patient, wish: &Value, answers: Option<&Value>) -> Value {
        let draft = self.post("/api/consents/prepare", wish).await;
        let bytes = garant::proof::base64url::decode(draft["statement"].as_str().unwrap()).unwrap();
        let jws = patient.key.jws(statement::TYP, &patient.device.id.to_string(), &bytes);
        let mut signed = json!({ "statement": draft["statement"], "signature": { "kind": "device", "jws": jws } });
        if let Some(request) = answers {
            signed["answers"] = request.clone();
        }
        let receipt = self.post("/api/consents", &signed).await;
        assert_eq!(self.post("/api/consents", &signed).await, receipt);
        receipt
    }
}

/// A patient's decisions, with what they are made on.
async fn decides(asker: &mut Asker<'_>, scene: &Scene, now: Timestamp) {
    let terms = garant::consent::terms::write(&scene.clinic.terms(now));
    asker.post("/api/preview", &json!({ "terms": terms })).await;
    let wish = json!({ "wish": "grant", "language": "fr", "terms": terms });
    let granted = asker.sign(&scene.patient, &wish, None).await;
    let mut narrower = terms.clone();
    narrower["scope"] = json!(["Observation.rs"]);
    narrower["authoredFrom"] = 0.into();
    let consent = &granted["consent"];
    let wish = json!({ "wish": "narrow", "language": "en", "consent": consent, "terms": narrower });
    asker.sign(&scene.patient, &wish, None).await;
    let who = scene.clinic.professional.to_string();
    let wish = json!({ "wish": "exclude", "language": "fr", "professional": who });
    let shut_out = asker.sign(&scene.patient, &wish, None).await;
    asker.get("/api/consents").await;
    asker.get(&format!("/api/consents/{}", consent.as_str().unwrap())).await;
    let wish = json!({ "wish": "lift", "language": "fr", "consent": shut_out["consent"] });
    asker.sign(&scene.patient, &wish, None).await;
    for _ in 0..2 {
        asker.post(granted["withdrawal"].as_str().unwrap(), &Value::Null).await;
    }
    let all = asker.get("/api/consents").await;
    assert_eq!(all["consents"].as_array().unwrap().len(), 2, "{all:#}");
    let record = format!("/api/records/Observation/{}/visibility", scene.record);
    asker.get(&record).await;
    asker.post(&format!("{record}/MASQUE_PS"), &Value::Null).await;
    assert_eq!(asker.get(&record).await["codes"], json!(["MASQUE_PS"]));
    asker.ask("DELETE", &format!("{record}/MASQUE_PS"), &Value::Null).await;
}

/// Software asks for a consent twice; the patient declines once and agrees once.
async fn asks(asker: &mut Asker<'_>, scene: &Scene, (mine, theirs): (&str, &str), now: Timestamp) {
    let terms = garant::consent::terms::write(&scene.clinic.terms(now));
    let patient = scene.patient.id.to_string();
    for declines in [true, false] {
        theirs.clone_into(&mut asker.token);
        let body = json!({ "patient": patient, "terms": terms, "message": "Bonjour" });
        let asked = asker.post("/api/requests", &body).await;
        mine.clone_into(&mut asker.token);
        asker.get("/api/requests").await;
        if declines {
            let path = format!("/api/requests/{}/decline", asked["request"].as_str().unwrap());
            asker.post(&path, &Value::Null).await;
        } else {
            let wish = json!({ "wish": "grant", "language": "fr", "terms": terms });
            asker.sign(&scene.patient, &wish, Some(&asked["request"])).await;
        }
    }
    let states = asker.get("/api/requests").await;
    assert_eq!(
        (&states["requests"][0]["state"], &states["requests"][1]["state"]),
        (&json!("accepted"), &json!("declined"))
    );
}

/// A person signs in, lets an app act for them, and leaves; what the browser saw.
async fn allows(open: &Open, base: &str, app: &App) -> (Vec<(String, url::Url, Answer)>, String) {
    let patient = Patient::enrol(&open.house).await;
    let code = open.house.patients.invite(patient.id, 1).await.unwrap().expose().clone();
    let (mut browser, mut other) = (Browser::default(), Browser::default());
    let choice = begin(&mut browser, base, "patient", Some(&code), None).await;
    browser.send(&choice.form("Karim Haddouche")).await;
    let choice = begin(&mut other, base, "patient", None, None).await;
    other.send(&choice.form("Karim Haddouche")).await;
    let account = browser.go(&format!("{base}/login")).await;
    let session = account.forms().into_iter().find(|form| form.action.path() == "/login/sessions/end").unwrap();
    browser.send(&session).await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", &app.client.to_string()),
            ("redirect_uri", REDIRECT),
            ("scope", "openid fhirUser launch/patient offline_access patient/Observation.rs"),
            ("state", STATE),
            ("nonce", "n"),
            ("aud", &format!("{base}/fhir")),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    browser.once("POST", &url::Url::parse(&format!("{base}/oauth/authorize")).unwrap(), Some(&fields)).await;
    let page = browser.go(&format!("{base}/oauth/authorize?{query}")).await;
    let allowed = page.form("Autoriser").with("decision", "allow");
    let back = browser.send_until(&allowed, Some(REDIRECT)).await;
    let code = back.at.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    browser.go(&format!("{base}/logout")).await;
    let account = browser.go(&format!("{base}/login")).await;
    browser.send(&account.form("Se déconnecter")).await;
    (browser.seen, code)
}

/// Software's tokens, its own and a person's.
async fn fetches(asker: &mut Asker<'_>, open: &Open, scene: &Scene, (app, code): (&App, &str)) {
    let house = &open.house;
    let signed = |more: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        let assertion = scene.clinic.assertion(house.config.issuer(), house.clock.now());
        let kind = crate::apps::ASSERTION.to_owned();
        [&[("client_assertion_type", kind), ("client_assertion", assertion)][..], more].concat()
    };
    let send = async |asker: &mut Asker<'_>, path: &str, fields: &[(&'static str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        asker.form(path, &fields).await
    };
    let own = signed(&[("grant_type", "client_credentials".into()), ("scope", "system/Observation.rs".into())]);
    let token = send(asker, "/oauth/token", &own).await["access_token"].as_str().unwrap().to_owned();
    let said = send(asker, "/oauth/introspect", &signed(&[("token", token)])).await;
    assert_eq!(said["active"], true);
    send(asker, "/oauth/introspect", &signed(&[("token", "x".into())])).await;
    send(asker, "/oauth/revoke", &signed(&[("token", "x".into())])).await;
    let pushed = [
        ("response_type", "code".to_owned()),
        ("redirect_uri", REDIRECT.into()),
        ("state", "s".into()),
        ("aud", house.config.base_url.clone()),
        ("scope", "openid".into()),
        ("code_challenge", CHALLENGE.into()),
        ("code_challenge_method", "S256".into()),
    ];
    send(asker, "/oauth/par", &signed(&pushed)).await;
    let redeemed = [
        ("grant_type", "authorization_code".to_owned()),
        ("client_id", app.client.to_string()),
        ("code", code.to_owned()),
        ("redirect_uri", REDIRECT.into()),
        ("code_verifier", VERIFIER.into()),
    ];
    let tokens = send(asker, "/oauth/token", &redeemed).await;
    for name in ["id_token", "refresh_token", "patient"] {
        assert!(tokens[name].is_string(), "{name}: {tokens}");
    }
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    let again =
        [("grant_type", "refresh_token".to_owned()), ("client_id", app.client.to_string()), ("refresh_token", refresh)];
    send(asker, "/oauth/token", &again).await;
}

/// Answers that nobody outside is given here, with the reason.
const UNSEEN: [&str; 3] = [
    // Only the house itself asks it, with a key that nobody else has.
    "post /development/{who}/token 200",
    // Needs a logout token of a provider that keeps sessions: oi10_a_logout_token_ends_the_sessions_it_names_at_once_on_every_node.
    "post /oidc/backchannel-logout 200",
    // A professional who names a patient in vain: the page of the question once more.
    "post /oauth/answer 200",
];

#[test]
fn every_good_answer_outside_fhir_is_given_once_and_has_the_shape_that_is_told() {
    let test = async |home: &Home| {
        let open = home.found().await;
        let (served, base) = (serve(home, &open).await, base(home));
        let scene = Scene::set(&open.house, &home.canary()).await;
        let now = open.house.clock.now();
        let mut described = Described::by(served.at).await;
        let mine = cast::patient_token(&open.house, scene.patient.id);
        let theirs = scene.clinic.token(&open.house).await;
        let mut asker = Asker { at: served.at, described: &mut described, token: mine.clone() };
        decides(&mut asker, &scene, now).await;
        asks(&mut asker, &scene, (&mine, &theirs), now).await;
        let app = App::enrol(&open.house, scene.clinic.organisation, Profile::Smart, true).await;
        let (seen, code) = allows(&open, &base, &app).await;
        fetches(&mut asker, &open, &scene, (&app, &code)).await;
        let body = json!({ "patient": scene.patient.id.to_string() });
        let request = wire::request(
            "POST",
            "/development/token",
            &["Content-Type: application/json".to_owned()],
            body.to_string().as_bytes(),
        );
        let answer = wire::send(served.at, &request).await.unwrap();
        described.holds("POST", "/development/token", &answer);
        for (method, url, answer) in seen.iter().filter(|(_, url, _)| url.as_str().starts_with(&base)) {
            let route = described.route(url.path()).unwrap_or_else(|| panic!("{url} is told nowhere"));
            described.holds(method, &route, answer);
        }
        let quiet: Vec<String> = described
            .operations()
            .iter()
            .filter(|(method, path, said)| method == "get" && path != "/logout" && !said["responses"]["200"].is_null())
            .map(|(_, path, _)| path.clone())
            .filter(|path| !path.contains("{id}"))
            .collect();
        for path in quiet {
            let answer = wire::get(served.at, &path.replace("{who}", "patients"), &mine).await.unwrap();
            described.holds("GET", &path, &answer);
        }
        let mut good = BTreeSet::new();
        for (method, path, said) in described.operations() {
            let statuses = said["responses"].as_object().unwrap().keys().filter(|status| status.as_str() < "400");
            good.extend(statuses.map(|status| format!("{method} {path} {status}")));
        }
        let unseen: Vec<&String> = good.difference(&described.seen).collect();
        assert_eq!(unseen, UNSEEN.iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        served.end().await;
        open.close().await;
    };
    on_with(Engine::Sqlite, "OpenAPI", &at_a_port, &test);
}

#[test]
fn every_route_outside_fhir_is_told_of_in_both_languages_and_nothing_is_told_that_is_not_served() {
    let test = async |home: &Home| {
        let open = home.found().await;
        let served = serve(home, &open).await;
        let mut described = Described::by(served.at).await;
        let told: BTreeSet<String> = described
            .operations()
            .iter()
            .map(|(method, path, _)| format!("{} {path}", method.to_uppercase()))
            .collect();
        let ours = |route: &String| !route.contains(" /fhir/") || route.contains("/.well-known/");
        let all: BTreeSet<String> = routes().into_iter().filter(ours).collect();
        assert_eq!(all, told);
        let mut ids = BTreeSet::new();
        for (method, path, said) in described.operations() {
            let id = said["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            for words in ["summary", "x-fr"] {
                assert!(said[words].as_str().is_some_and(|text| text.len() > 4), "{method} {path} has no {words}");
            }
            let tags = described.tree["tags"].as_array().unwrap();
            assert!(tags.iter().any(|tag| tag["name"] == said["tags"][0]), "{method} {path} stands under no heading");
        }
        for file in ["app/demo", "oauth", "openapi", "signin", "web"] {
            let path = format!("{}/src/{file}/told.json", env!("CARGO_MANIFEST_DIR"));
            let words: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            for id in words["operations"].as_object().unwrap().keys() {
                assert!(ids.contains(id), "{file} tells of {id}, which is not served");
            }
        }
        // Every schema can be read, and every reference leads somewhere.
        let names: Vec<String> = described.tree["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        for name in names {
            described.schema(&format!("/components/schemas/{name}"));
        }
        let text = described.tree.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(described.tree.pointer(reference).is_some(), "nothing at {reference}");
        }
        served.end().await;
        open.close().await;
    };
    on_with(Engine::Sqlite, "OpenAPI routes", &at_a_port, &test);
}

#[test]
fn the_page_tells_of_every_operation_in_french_and_in_english_without_script_or_anything_from_elsewhere() {
    let test = async |home: &Home| {
        let open = home.found().await;
        let served = serve(home, &open).await;
        let described = Described::by(served.at).await;
        for (language, words) in [("fr", "x-fr"), ("en", "summary")] {
            let page = wire::get(served.at, &format!("/docs?lang={language}"), "").await.unwrap();
            let html = page.text();
            assert!(html.contains(&format!("<html lang=\"{language}\">")));
            for (method, path, said) in described.operations() {
                let route = format!("<b>{}</b> {path}<", method.to_uppercase());
                let words = said[words].as_str().unwrap().replace('\'', "&#39;");
                assert!(html.contains(&route) && html.contains(&words), "{route} {words}");
            }
            let policy = page.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self';"), "{policy}");
            for foreign in ["<script", "<style", " style=", "javascript:", "src=", "href=\"http", "href=\"//"] {
                assert!(!html.contains(foreign), "{foreign} stands in the page");
            }
            let ids: BTreeSet<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            for link in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(ids.contains(link), "#{link} leads nowhere");
            }
        }
        let french = wire::get(served.at, "/docs", "").await.unwrap();
        assert!(french.text().contains("<html lang=\"fr\">"), "French comes first");
        served.end().await;
        open.close().await;
    };
    on_with(Engine::Sqlite, "the page", &at_a_port, &test);
}
