//! The promises of the JSON interface.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Patients, router};
use crate::consent::terms;
use crate::consent::tests::world::{Me, World, hospital_client};
use crate::id::PatientId;
use crate::model::{Grantee, Purpose};
use crate::proof::{AccessToken, Iua, access_token};

struct Door(Router);

impl Door {
    fn of(world: &World) -> Self {
        Self(
            router(Arc::new(Patients {
                consents: Arc::clone(&world.house.consents),
                masking: Arc::clone(&world.house.masking),
                authenticator: Arc::clone(&world.house.authenticator),
                base_url: "https://garant.example".into(),
            }))
            .into_router(),
        )
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.0.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        read(self.send(request.body(Body::empty()).unwrap()).await).await
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        read(self.send(request.body(body).unwrap()).await).await
    }
}

async fn read(response: Response<Body>) -> (StatusCode, Value) {
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let status = response.status();
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    assert_eq!(response.headers()[header::CONTENT_TYPE], kind);
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn token(world: &World, patient: Option<PatientId>) -> String {
    let now = world.house.clock.now();
    let token = AccessToken {
        issuer: "https://garant.example".into(),
        audience: "https://garant.example/fhir".into(),
        subject: patient.map_or_else(|| hospital_client().to_string(), |p| p.to_string()),
        client: hospital_client(),
        issued: now,
        expires: now.plus_secs(300),
        id: "t-1".into(),
        scope: if patient.is_some() { "patient/*.rs".into() } else { "system/*.rs".into() },
        patient,
        bound_to: None,
        iua: Iua {
            organisation: patient.is_none().then(|| world.hospital.to_string()),
            professional: None,
            role: None,
            purpose: Some(if patient.is_some() { Purpose::Patrqt } else { Purpose::Treat }),
        },
        person: None,
    };
    world.house.keyring.access_signer().sign(access_token::TYP, token.to_claims_json().as_bytes()).unwrap()
}

fn signed(me: &Me, statement: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(statement).unwrap();
    json!({ "statement": statement, "signature": { "kind": "device", "jws": me.jws(me.device, &bytes) } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_prepares_signs_sees_and_revokes_in_four_calls() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let (door, token) = (Door::of(&world), token(&world, Some(me.patient)));
    let terms = terms::write(&world.terms(&["Observation.rs"]));
    let (status, preview) = door.post(&token, "/api/preview", &json!({ "terms": terms })).await;
    assert_eq!((status, &preview["counts"]["Observation"]), (StatusCode::OK, &json!(1)), "{preview}");

    let wish = json!({ "wish": "grant", "language": "fr", "terms": terms });
    let (status, draft) = door.post(&token, "/api/consents/prepare", &wish).await;
    assert_eq!(status, StatusCode::OK, "{draft}");
    assert!(draft["text"].as_str().unwrap().starts_with("Le Dr\u{a0}Martin (médecin) pourra lire"));
    let body = signed(&me, draft["statement"].as_str().unwrap());
    let (status, receipt) = door.post(&token, "/api/consents", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{receipt}");
    assert_eq!(door.post(&token, "/api/consents", &body).await, (StatusCode::OK, receipt.clone()));
    assert!(world.reads(&world.bearer(world.martin), "Observation", lab).await);

    let path = format!("/api/consents/{}", receipt["consent"].as_str().unwrap());
    let (_, view) = door.get(&token, &path).await;
    assert_eq!((&view["state"], &view["history"][0]["statement"]), (&json!("active"), &draft["statement"]));
    let (status, _) = door.post(&token, receipt["withdrawal"].as_str().unwrap(), &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!world.reads(&world.bearer(world.martin), "Observation", lab).await);
    let (_, all) = door.get(&token, "/api/consents").await;
    assert_eq!(all["consents"][0]["state"], "ended");
    drop(door);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_why_and_by_which_article() {
    let world = World::new().await;
    let me = world.patient().await;
    let (door, token) = (Door::of(&world), token(&world, Some(me.patient)));
    let insurer = world.terms_for(Grantee::Organisation(world.insurer), Purpose::Hpaymt, &["DocumentReference.rs"]);
    let wish = json!({ "wish": "grant", "language": "fr", "terms": terms::write(&insurer) });
    let (status, problem) = door.post(&token, "/api/consents/prepare", &wish).await;
    assert_eq!((status, &problem["reason"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("insurer-medical")));
    assert!(problem["article"].as_str().unwrap().contains("L.1111-18"));
    assert!(problem["detail"].as_str().unwrap().contains("an insurer may not open a medical record"));
    drop(door);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_patient_reaches_their_consents() {
    let world = World::new().await;
    let (me, other) = (world.patient().await, world.patient().await);
    let consent = world.granted(&me, &["Observation.rs"]).await.consent;
    let door = Door::of(&world);
    let routes = ["/api/consents", "/api/requests", &format!("/api/consents/{consent}")];
    for path in routes {
        for header in ["", "Bearer x", "Basic YTpi"] {
            let mut request = Request::get(path);
            if !header.is_empty() {
                request = request.header(header::AUTHORIZATION, header);
            }
            let (status, _) = read(door.send(request.body(Body::empty()).unwrap()).await).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {header}");
        }
        let good = format!("Bearer {}", token(&world, Some(me.patient)));
        let twice = Request::get(path).header(header::AUTHORIZATION, &good).header(header::AUTHORIZATION, &good);
        let (status, _) = read(door.send(twice.body(Body::empty()).unwrap()).await).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} twice");
        assert_eq!(door.get(&token(&world, None), path).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    let others = token(&world, Some(other.patient));
    assert_eq!(door.get(&others, routes[2]).await.0, StatusCode::NOT_FOUND);
    let revoke = format!("/api/consents/{consent}/revoke");
    assert_eq!(door.post(&others, &revoke, &Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(door.get(&others, "/api/consents/x").await.0, StatusCode::NOT_FOUND);
    drop(door);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_strict_json_of_known_members_and_not_too_long() {
    let world = World::new().await;
    let me = world.patient().await;
    let (door, token) = (Door::of(&world), token(&world, Some(me.patient)));
    let send = async |kind: &str, body: String| {
        let request = Request::post("/api/consents/prepare")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, kind);
        read(door.send(request.body(Body::from(body)).unwrap()).await).await.0.as_u16()
    };
    let good = json!({ "wish": "exclude", "language": "fr", "professional": world.martin.to_string() }).to_string();
    assert_eq!(send("application/json; charset=utf-8", good.clone()).await, 200);
    assert_eq!(send("text/plain", good.clone()).await, 415);
    assert_eq!(send("application/json", format!("{good} ")).await, 200);
    assert_eq!(send("application/json", format!("{good}{}", " ".repeat(65_536))).await, 413);
    assert_eq!(send("application/json", good.replacen('{', "{\"wish\":\"lift\",", 1)).await, 400);
    assert_eq!(send("application/json", good.replacen('{', "{\"x\":1,", 1)).await, 422);
    assert_eq!(send("application/json", good.replacen("\"fr\"", "\"de\"", 1)).await, 422);
    assert_eq!(send("application/json", "[]".into()).await, 422);
    drop(door);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn software_asks_and_the_patient_declines() {
    let world = World::new().await;
    let me = world.patient().await;
    let (door, mine, theirs) = (Door::of(&world), token(&world, Some(me.patient)), token(&world, None));
    let terms = world.terms_for(Grantee::Organisation(world.hospital), Purpose::Treat, &["Observation.rs"]);
    let body = json!({ "patient": me.patient.to_string(), "terms": terms::write(&terms), "message": "Bonjour" });
    assert_eq!(door.post(&mine, "/api/requests", &body).await.0, StatusCode::FORBIDDEN);
    let (status, asked) = door.post(&theirs, "/api/requests", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
    let (_, seen) = door.get(&mine, "/api/requests").await;
    assert_eq!(
        (&seen["requests"][0]["request"], &seen["requests"][0]["message"]),
        (&asked["request"], &json!("Bonjour"))
    );
    let path = format!("/api/requests/{}/decline", asked["request"].as_str().unwrap());
    assert_eq!(door.post(&theirs, &path, &Value::Null).await.0, StatusCode::FORBIDDEN);
    assert_eq!(door.post(&mine, &path, &Value::Null).await.0, StatusCode::OK);
    assert_eq!(door.get(&mine, "/api/requests").await.1["requests"][0]["state"], "declined");
    drop(door);
    world.end().await;
}
