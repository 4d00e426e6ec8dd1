//! Access tokens at the resource server: RFC 9068 (OA-01 to OA-08), RFC 6750, IHE IUA (IU-01 to IU-08).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garant::app::House;
use garant::clock::{Clock as _, SystemClock};
use ring::hmac;
use serde_json::{Value, json};

use crate::cast::Scene;
use crate::doors::Served;
use crate::house::{self, Engine, Home};
use crate::wire::{self, Answer};

const INVALID_TOKEN: &str = "Bearer error=\"invalid_token\", DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\"";

/// A served house with a granted clinic, and the claims of a good token of it.
struct World<'h> {
    house: &'h House,
    served: &'h Served,
    scene: &'h Scene,
    good: Value,
    canary: String,
}

impl World<'_> {
    fn path(&self) -> String {
        format!("/fhir/Observation/{}", self.scene.record)
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        self.house.keyring.access_signer().sign(typ, claims.to_string().as_bytes()).unwrap()
    }

    async fn read(&self, headers: &[String]) -> Answer {
        wire::send(self.served.at, &wire::request("GET", &self.path(), headers, b"")).await.unwrap()
    }

    async fn read_with(&self, token: &str) -> Answer {
        self.read(&[wire::bearer(token)]).await
    }

    /// The one answer to any token that is not good: no reason, no data.
    async fn refused(&self, token: &str, what: &str) {
        let answer = self.read_with(token).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(INVALID_TOKEN)), "{what}");
        assert!(!answer.text().contains(&self.canary) && answer.leaf().is_none(), "{what}");
    }

    /// As [`World::refused`] for the good claims changed.
    async fn refused_with(&self, what: &str, change: impl FnOnce(&mut Value)) {
        let mut claims = self.good.clone();
        change(&mut claims);
        self.refused(&self.sign("at+jwt", &claims), what).await;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a test hands its closure over")]
fn in_world(name: &str, test: impl AsyncFn(World<'_>)) {
    house::on(Engine::Sqlite, name, &async |home: &Home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let canary = home.canary();
        let scene = Scene::set(&open.house, &canary).await;
        scene.grant(&open.house).await;
        let token = scene.clinic.token(&open.house).await;
        let good = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
        let world = World { house: &open.house, served: &served, scene: &scene, good, canary };
        // What is signed here is a good token: every refusal below is for what was changed.
        assert_eq!(world.read_with(&world.sign("at+jwt", &world.good)).await.status, 200);
        test(world).await;
        served.end().await;
        open.close().await;
    });
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn oa_01_only_what_is_typed_as_an_access_token_is_one() {
    in_world("OA-01", async |world| {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
            assert_eq!(world.read_with(&world.sign(typ, &world.good)).await.status, 200, "{typ}");
        }
        for typ in ["JWT", "id_token", "dpop+jwt", "consent+jwt", "at", ""] {
            world.refused(&world.sign(typ, &world.good), typ).await;
        }
        let assertion = world.scene.clinic.assertion("http://127.0.0.1", SystemClock.now());
        world.refused(&assertion, "a client assertion").await;
        let consents = world.house.keyring.consent_signer().sign("at+jwt", world.good.to_string().as_bytes()).unwrap();
        world.refused(&consents, "signed by the key of consents").await;
    });
}

#[test]
fn oa_02_iu_01_each_required_claim_is_needed() {
    in_world("OA-02, IU-01", async |world| {
        for name in ["iss", "sub", "client_id", "aud", "jti", "exp", "scope", "iat", "extensions"] {
            world
                .refused_with(name, |claims| {
                    claims.as_object_mut().unwrap().remove(name).unwrap();
                })
                .await;
            world.refused_with(name, |claims| claims[name] = Value::Null).await;
            world.refused_with(name, |claims| claims[name] = json!([1])).await;
        }
        world.refused_with("a claim nobody knows", |claims| claims["surprise"] = true.into()).await;
    });
}

#[test]
fn oa_03_iu_02_algorithm_and_key_are_ours_to_choose() {
    in_world("OA-03, IU-02", async |world| {
        let claims = part(&world.good);
        let token = world.sign("at+jwt", &world.good);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let header: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap()).unwrap();
        let with = |alg: &str| {
            let mut header = header.clone();
            header["alg"] = alg.into();
            format!("{}.{claims}", part(&header))
        };
        for signature in ["", signature] {
            world.refused(&format!("{}.{signature}", with("none")), "none").await;
        }
        // The public key as the secret of a MAC, in the forms a library might hold it.
        let public = world.house.keyring.access_signer().public().to_vec();
        let jwks = world.house.issuer.jwks();
        for secret in [public, jwks.into_bytes()] {
            let said = with("HS256");
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), said.as_bytes());
            world.refused(&format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag)), "HS256 by the public key").await;
        }
        for alg in ["RS256", "ES384", "EdDSA", "es256"] {
            world.refused(&format!("{}.{signature}", with(alg)), alg).await;
        }
        // A key that the client chose, named or shown.
        let own = &world.scene.clinic.key;
        let mut other = header.clone();
        other["kid"] = "k1".into();
        world.refused(&own.compact(&other, world.good.to_string().as_bytes()), "another kid").await;
        world.refused(&own.compact(&header, world.good.to_string().as_bytes()), "our kid, another key").await;
        let mut shown = header.clone();
        shown["jwk"] = serde_json::from_str(&own.jwk).unwrap();
        world.refused(&own.compact(&shown, world.good.to_string().as_bytes()), "a key of its own").await;
    });
}

#[test]
fn oa_04_issuer_and_audience_are_exact() {
    in_world("OA-04", async |world| {
        let base = world.good["aud"].clone();
        for aud in [
            json!("https://other.example/fhir"),
            json!("http://127.0.0.1"),
            json!("http://127.0.0.1/fhir/"),
            json!([base.clone(), "https://other.example/fhir"]),
            json!([]),
        ] {
            let what = aud.to_string();
            world.refused_with(&what, |claims| claims["aud"] = aud).await;
        }
        for iss in ["http://127.0.0.1/", "HTTP://127.0.0.1", "https://127.0.0.1", "http://127.0.0.1/fhir"] {
            world.refused_with(iss, |claims| claims["iss"] = iss.into()).await;
        }
    });
}

#[test]
fn oa_05_the_subject_of_a_software_token_is_the_software() {
    in_world("OA-05", async |world| {
        assert_eq!(world.good["sub"], world.scene.clinic.client.to_string());
        assert_eq!(world.good["sub"], world.good["client_id"]);
        // A patient named beside another subject is refused rather than chosen from.
        let patient = world.scene.patient.id.to_string();
        world.refused_with("patient and subject differ", |claims| claims["patient"] = patient.into()).await;
    });
}

#[test]
fn oa_06_iu_08_no_token_and_too_little_scope_are_told_in_the_words_of_rfc_6750() {
    in_world("OA-06, IU-08", async |world| {
        let nobody = world.read(&[]).await;
        assert_eq!(nobody.status, 401);
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer, DPoP algs=\"ES256 EdDSA\""), "no error code");
        for scheme in ["Basic", "Token", "Negotiate"] {
            let token = world.sign("at+jwt", &world.good);
            let answer = world.read(&[format!("Authorization: {scheme} {token}")]).await;
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(INVALID_TOKEN)), "{scheme}");
        }
        let mut narrow = world.good.clone();
        narrow["scope"] = "system/Condition.rs".into();
        let answer = world.read_with(&world.sign("at+jwt", &narrow)).await;
        assert_eq!(answer.status, 403);
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""));
        assert!(!answer.text().contains(&world.canary));
    });
}

#[test]
fn oa_08_a_token_says_no_more_about_health_than_its_scopes() {
    in_world("OA-08", async |world| {
        let names: Vec<&String> = world.good.as_object().unwrap().keys().collect();
        let known = ["aud", "client_id", "exp", "extensions", "iat", "iss", "jti", "scope", "sub"];
        assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
        assert!(!world.good.to_string().contains(&world.scene.patient.id.to_string()));
    });
}

#[test]
fn iu_03_iu_04_the_extensions_have_their_types_and_no_second_opinion() {
    in_world("IU-03, IU-04", async |world| {
        for name in [
            "subject_name",
            "subject_organization",
            "subject_organization_id",
            "home_community_id",
            "national_provider_identifier",
            "person_id",
        ] {
            for wrong in [json!(1), json!(["x"]), json!({ "value": "x" }), json!("")] {
                world.refused_with(name, |claims| claims["extensions"]["ihe_iua"][name] = wrong).await;
            }
        }
        for name in ["subject_role", "purpose_of_use"] {
            for wrong in
                [json!("TREAT"), json!([]), json!([{ "code": "TREAT" }]), json!([{ "system": 1, "code": "x" }])]
            {
                world.refused_with(name, |claims| claims["extensions"]["ihe_iua"][name] = wrong).await;
            }
        }
        for name in ["ihe_bppc", "ihe_pcf"] {
            world.refused_with(name, |claims| claims["extensions"][name] = json!({ "doc_id": "x" })).await;
        }
    });
}

#[test]
fn iu_05_the_token_response_is_kept_by_nobody() {
    in_world("IU-05", async |world| {
        let form = world.scene.clinic.token_form("http://127.0.0.1", SystemClock.now());
        let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let request = wire::request("POST", "/oauth/token", &headers, form.as_bytes());
        let answer = wire::send(world.served.at, &request).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
        assert_eq!(answer.json()["token_type"], "Bearer");
    });
}

#[test]
fn iu_07_a_token_stands_in_one_authorization_header_and_nowhere_else() {
    in_world("IU-07", async |world| {
        let token = world.sign("at+jwt", &world.good);
        let path = world.path();
        let ask = async |method: &str, path: &str, headers: &[String], body: &[u8]| {
            let answer = wire::send(world.served.at, &wire::request(method, path, headers, body)).await.unwrap();
            assert!(!answer.text().contains(&world.canary) && answer.leaf().is_none(), "{method} {path}");
            answer.status
        };
        let form = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let said = format!("access_token={token}");
        assert_eq!(ask("GET", &format!("{path}?{said}"), &[], b"").await, 400);
        assert_eq!(ask("GET", &format!("{path}?x=1&{said}"), &[wire::bearer(&token)], b"").await, 400, "both");
        assert_eq!(ask("GET", &format!("/api/consents?{said}"), &[], b"").await, 400);
        for path in ["/fhir", "/fhir/Observation", "/api/consents"] {
            assert_eq!(ask("POST", path, &form, said.as_bytes()).await, 401, "{path}");
        }
        assert_eq!(ask("GET", &path, &[format!("Cookie: access_token={token}")], b"").await, 401);
        let twice = [wire::bearer(&token), wire::bearer(&token)];
        assert_eq!(ask("GET", &path, &twice, b"").await, 401, "two headers");
        let both = [wire::bearer(&token), "Authorization: Bearer x".to_owned()];
        assert_eq!(ask("GET", &path, &both, b"").await, 401, "two different headers");
    });
}
