//! Proofs of possession (RFC 9449) at the doors: the steps of the OpenID conformance suite's negative tests, the
//! server's nonces, and one use of each proof on all nodes.

use std::net::SocketAddr;

use garant::clock::{Clock as _, SystemClock, TestClock};
use garant::config::Doors;
use garant::identity::PERIOD_SECONDS;
use garant::proof::{PublicKey, base64url, dpop};
use serde_json::{Value, json};

use crate::cast::{Clinic, Key, Scene};
use crate::doors::Served;
use crate::house::{self, BASE, Engine, Home, each, generous, on, trials};
use crate::process::{self, Process};
use crate::wire::{self, Answer};

const TOKEN_URL: &str = "http://127.0.0.1/oauth/token";

/// A proof before it is signed.
#[derive(Clone)]
struct Proof {
    header: Value,
    claims: Value,
}

impl Proof {
    /// A good one by `key` for a request made now.
    fn of(key: &Key, method: &str, url: &str, token: Option<&str>) -> Self {
        let jwk: Value = serde_json::from_str(&key.jwk).unwrap();
        let id = garant::id::StatementId::random(&garant::chance::SystemChance::new()).unwrap();
        let mut claims = json!({ "jti": id.to_string(), "htm": method, "htu": url, "iat": SystemClock.now().secs() });
        if let Some(token) = token {
            claims["ath"] = dpop::token_hash(token).into();
        }
        Self { header: json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk }), claims }
    }

    fn with_nonce(mut self, nonce: &str) -> Self {
        self.claims["nonce"] = nonce.into();
        self
    }

    fn signed(&self, key: &Key) -> String {
        key.compact(&self.header, self.claims.to_string().as_bytes())
    }
}

/// A clinic whose token is bound to a key of its own.
struct Holder<'s> {
    scene: &'s Scene,
    key: Key,
    token: String,
}

async fn ask_token(at: SocketAddr, form: &str, proof: &str) -> Answer {
    let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned(), format!("DPoP: {proof}")];
    wire::send(at, &wire::request("POST", "/oauth/token", &headers, form.as_bytes())).await.unwrap()
}

fn form(clinic: &Clinic) -> String {
    clinic.token_form("http://127.0.0.1", SystemClock.now())
}

impl<'s> Holder<'s> {
    async fn new(at: SocketAddr, scene: &'s Scene, nonce: Option<&str>) -> Self {
        let key = Key::new();
        let mut proof = Proof::of(&key, "POST", TOKEN_URL, None);
        if let Some(nonce) = nonce {
            proof = proof.with_nonce(nonce);
        }
        let answer = ask_token(at, &form(&scene.clinic), &proof.signed(&key)).await;
        assert_eq!((answer.status, answer.json()["token_type"].as_str()), (200, Some("DPoP")), "{}", answer.text());
        Self { scene, token: answer.json()["access_token"].as_str().unwrap().to_owned(), key }
    }

    fn path(&self) -> String {
        format!("/fhir/Observation/{}", self.scene.record)
    }

    fn url(&self) -> String {
        format!("{BASE}/Observation/{}", self.scene.record)
    }

    fn proof(&self) -> Proof {
        Proof::of(&self.key, "GET", &self.url(), Some(&self.token))
    }

    /// Reads with these header lines.
    async fn read(&self, at: SocketAddr, headers: &[String]) -> Answer {
        wire::send(at, &wire::request("GET", &self.path(), headers, b"")).await.unwrap()
    }

    async fn read_with(&self, at: SocketAddr, proof: &str) -> Answer {
        self.read(at, &[format!("Authorization: DPoP {}", self.token), format!("DPoP: {proof}")]).await
    }
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

/// One step: which requirement, what is done, how the good proof is spoilt (or not).
type Step = (&'static str, &'static str, fn(&mut Value, &mut Value));

fn without(of: &mut Value, name: &str) {
    of.as_object_mut().unwrap().remove(name).unwrap();
}

/// The steps that change what is signed; `true`: still taken.
#[rustfmt::skip]
const SIGNED: [(bool, Step); 26] = [
    (true,  ("FA-27", "htu with a query", |_, c| c["htu"] = format!("{}?a=b", c["htu"].as_str().unwrap()).into())),
    (true,  ("FA-27", "htu with a fragment", |_, c| c["htu"] = format!("{}#a", c["htu"].as_str().unwrap()).into())),
    (true,  ("FA-28", "scheme and host in capitals", |_, c| c["htu"] = c["htu"].as_str().unwrap().replacen("http://", "HTTP://", 1).into())),
    (true,  ("FA-28", "the default port", |_, c| c["htu"] = c["htu"].as_str().unwrap().replacen("127.0.0.1", "127.0.0.1:80", 1).into())),
    (true,  ("FA-29", "a header member nobody knows", |h, _| h["surprise"] = json!({ "a": 1 }))),
    (true,  ("FA-29", "a claim nobody knows", |_, c| c["surprise"] = json!([1]))),
    (true,  ("FA-30", "iat 10 s ago", |_, c| c["iat"] = (c["iat"].as_i64().unwrap() - 10).into())),
    (true,  ("FA-30", "iat 8 s ahead", |_, c| c["iat"] = (c["iat"].as_i64().unwrap() + 8).into())),
    (true,  ("FA-49", "nbf now and exp in 5 minutes", |_, c| { c["nbf"] = c["iat"].clone(); c["exp"] = (c["iat"].as_i64().unwrap() + 300).into(); })),
    (false, ("FA-33", "no typ", |h, _| without(h, "typ"))),
    (false, ("FA-33", "no alg", |h, _| without(h, "alg"))),
    (false, ("FA-33", "no jwk", |h, _| without(h, "jwk"))),
    (false, ("FA-33", "no jti", |_, c| without(c, "jti"))),
    (false, ("FA-33", "no htm", |_, c| without(c, "htm"))),
    (false, ("FA-33", "no htu", |_, c| without(c, "htu"))),
    (false, ("FA-33", "no iat", |_, c| without(c, "iat"))),
    (false, ("FA-33", "no ath", |_, c| without(c, "ath"))),
    (false, ("FA-34", "another typ", |h, _| h["typ"] = "JWT".into())),
    (false, ("FA-35", "RS256", |h, _| h["alg"] = "RS256".into())),
    (false, ("FA-36", "none", |h, _| h["alg"] = "none".into())),
    (false, ("FA-38", "a private key shown", |h, _| h["jwk"]["d"] = "AAAA".into())),
    (false, ("FA-39", "another htm", |_, c| c["htm"] = "POST".into())),
    (false, ("FA-40", "another htu", |_, c| c["htu"] = format!("{}x", c["htu"].as_str().unwrap()).into())),
    (false, ("FA-41", "iat an hour ago", |_, c| c["iat"] = (c["iat"].as_i64().unwrap() - 3600).into())),
    (false, ("FA-41", "iat in an hour", |_, c| c["iat"] = (c["iat"].as_i64().unwrap() + 3600).into())),
    (false, ("FA-43", "the ath of another token", |_, c| c["ath"] = dpop::token_hash("another").into())),
];

/// The answer of a refused step: 401, the challenge of RFC 9449 §7.1 with nothing more said, no data.
fn refused(answer: &Answer, wanted: &str, step: &str, canary: &str) {
    assert_eq!(answer.status, 401, "{step}");
    assert_eq!(challenge(answer), wanted, "{step}");
    assert!(!answer.text().contains(canary) && answer.leaf().is_none(), "{step}");
}

const INVALID_PROOF: &str = "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA\"";
const INVALID_TOKEN: &str = "Bearer error=\"invalid_token\", DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\"";
const USE_NONCE: &str = "DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA\"";

#[test]
fn fa_26_to_fa_44_the_steps_of_the_dpop_negative_tests_at_the_resource_server() {
    each("FA-26…44", async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let canary = home.canary();
        let scene = Scene::set(&open.house, &canary).await;
        scene.grant(&open.house).await;
        let holder = Holder::new(served.at, &scene, None).await;
        let at = served.at;
        let mut steps = 0;
        for (taken, (id, what, spoil)) in SIGNED {
            let (mut proof, step) = (holder.proof(), format!("{id} {what}"));
            spoil(&mut proof.header, &mut proof.claims);
            let answer = holder.read_with(at, &proof.signed(&holder.key)).await;
            if taken {
                assert!(answer.status == 200 && answer.text().contains(&canary), "{step}: {}", answer.status);
            } else {
                refused(&answer, INVALID_PROOF, &step, &canary);
            }
            steps += 1;
        }
        let auth = format!("Authorization: DPoP {}", holder.token);
        let good = || holder.proof().signed(&holder.key);
        for (step, headers) in [
            ("FA-26 DPOP", [auth.clone(), format!("DPOP: {}", good())]),
            ("FA-26 dpop", [auth.clone(), format!("dpop: {}", good())]),
            ("FA-20 dpop as the scheme", [auth.replacen("DPoP", "dpop", 1), format!("DPoP: {}", good())]),
        ] {
            assert_eq!(holder.read(at, &headers).await.status, 200, "{step}");
            steps += 1;
        }
        let flipped = good();
        let (said, signature) = flipped.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let flipped = format!("{said}.{first}{}", &signature[1..]);
        let replayed = good();
        assert_eq!(holder.read_with(at, &replayed).await.status, 200);
        let other = Key::new();
        let by_another = Proof::of(&other, "GET", &holder.url(), Some(&holder.token)).signed(&other);
        let bearer = format!("Authorization: Bearer {}", holder.token);
        for (step, wanted, headers) in [
            (
                "FA-31 two proofs",
                INVALID_PROOF,
                vec![auth.clone(), format!("DPoP: {}", good()), format!("DPoP: {}", good())],
            ),
            ("FA-32 not a JWT", INVALID_PROOF, vec![auth.clone(), "DPoP: nonsense".to_owned()]),
            ("FA-37 a bad signature", INVALID_PROOF, vec![auth.clone(), format!("DPoP: {flipped}")]),
            ("FA-42 a proof used before", INVALID_PROOF, vec![auth.clone(), format!("DPoP: {replayed}")]),
            ("FA-44 by another key", INVALID_PROOF, vec![auth.clone(), format!("DPoP: {by_another}")]),
            ("FA-44 no proof", INVALID_PROOF, vec![auth.clone()]),
            ("FA-44 as a plain bearer", INVALID_TOKEN, vec![bearer.clone()]),
            ("FA-44 as a plain bearer with a proof", INVALID_TOKEN, vec![bearer, format!("DPoP: {}", good())]),
        ] {
            refused(&holder.read(at, &headers).await, wanted, step, &canary);
            steps += 1;
        }
        assert!(steps >= 31, "{steps}");
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fa_45_a_bound_token_names_the_thumbprint_of_the_key() {
    house::on(Engine::Sqlite, "FA-45", &async |home: &Home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let holder = Holder::new(served.at, &scene, None).await;
        let payload = base64url::decode(holder.token.split('.').nth(1).unwrap()).unwrap();
        let said: Value = serde_json::from_slice(&payload).unwrap();
        let thumbprint = PublicKey::from_jwk(holder.key.jwk.as_bytes()).unwrap().thumbprint();
        assert_eq!(said["cnf"]["jkt"], thumbprint.to_string());
        // The very same proof again, with a fresh assertion.
        let proof = Proof::of(&holder.key, "POST", TOKEN_URL, None).signed(&holder.key);
        for (status, error) in [(200, None), (400, Some("invalid_dpop_proof"))] {
            let answer = ask_token(served.at, &form(&scene.clinic), &proof).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (status, error));
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn fa_47_a_proof_needs_a_fresh_nonce_of_the_server_where_that_is_demanded() {
    each("FA-47", async |home| {
        home.set_doors(Doors { dpop_nonces: true, ..generous() });
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        // At the token endpoint; who is sent back for a nonce comes with the same assertion.
        let (key, form) = (Key::new(), form(&scene.clinic));
        let first = Proof::of(&key, "POST", TOKEN_URL, None);
        let answer = ask_token(served.at, &form, &first.signed(&key)).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("use_dpop_nonce")));
        let nonce = answer.header("dpop-nonce").unwrap().to_owned();
        // Sent back, it was not used up: the same identifier with the nonce is good.
        let again = first.with_nonce(&nonce).signed(&key);
        let answer = ask_token(served.at, &form, &again).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let holder = Holder { scene: &scene, key, token };
        // At the resource server.
        let bare = holder.read_with(served.at, &holder.proof().signed(&holder.key)).await;
        assert_eq!((bare.status, challenge(&bare)), (401, USE_NONCE));
        assert_eq!(bare.header("dpop-nonce"), Some(nonce.as_str()));
        let with = |nonce: &str| holder.proof().with_nonce(nonce).signed(&holder.key);
        assert_eq!(holder.read_with(served.at, &with(&nonce)).await.status, 200);
        for foreign in ["", "nonsense", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &nonce.replace(&nonce[30..], "AA")] {
            let answer = holder.read_with(served.at, &with(foreign)).await;
            assert_ne!(answer.status, 200, "{foreign}");
            assert!([USE_NONCE, INVALID_PROOF].contains(&challenge(&answer)), "{foreign}");
        }
        // As long again after its own period it is taken, and no longer; the answer brings the next one.
        let to_next = PERIOD_SECONDS - clock.now().secs().rem_euclid(PERIOD_SECONDS);
        let aged = |seconds: i64| {
            clock.advance_secs(seconds);
            let mut proof = holder.proof().with_nonce(&nonce);
            proof.claims["iat"] = clock.now().secs().into();
            proof.signed(&holder.key)
        };
        let answer = holder.read_with(served.at, &aged(to_next)).await;
        assert_eq!(answer.status, 200);
        let next = answer.header("dpop-nonce").unwrap().to_owned();
        assert_ne!(next, nonce);
        let answer = holder.read_with(served.at, &aged(PERIOD_SECONDS)).await;
        assert_eq!((answer.status, challenge(&answer)), (401, USE_NONCE), "an old nonce");
        served.end().await;
        open.close().await;
    });
}

/// Sends one proof 64 times at the same moment, to the servers in turn: exactly one use is taken. Gives an answer.
async fn taken_once(holder: &Holder<'_>, at: &[SocketAddr], proof: &str, round: usize) -> Answer {
    let mut answers = at_once((0..64).map(|i| holder.read_with(at[i % at.len()], proof))).await;
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1, "round {round}");
    assert!(answers.iter().all(|a| a.status == 200 || challenge(a) == INVALID_PROOF), "round {round}");
    answers.remove(0)
}

/// Waits for all at once.
async fn at_once<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[test]
fn p48_a_proof_is_taken_once_by_two_server_processes_and_across_a_restart() {
    let test = async |home: &Home| {
        home.set_doors(Doors { dpop_nonces: true, ..generous() });
        let n = trials(10, 1000);
        println!("P48: {n} proofs, 64 uses each, at two processes");
        let own = home.found().await;
        let scene = Scene::set(&own.house, &home.canary()).await;
        scene.grant(&own.house).await;
        let (one, two) = (home.node(), home.node());
        let mut processes = [one.path(), two.path()].map(|folder| Process::start(process::garant(folder)));
        let at = [processes[0].at(), processes[1].at()];
        // The nonce that one gives is good at the other.
        let key = Key::new();
        let bare = Proof::of(&key, "POST", TOKEN_URL, None).signed(&key);
        let answer = ask_token(at[0], &form(&scene.clinic), &bare).await;
        let nonce = answer.header("dpop-nonce").unwrap().to_owned();
        let mut holder = Holder::new(at[1], &scene, Some(&nonce)).await;
        let nonces_of = |answer: &Answer| answer.header("dpop-nonce").unwrap().to_owned();
        for round in 0..n {
            let answer = holder.read_with(at[0], &holder.proof().signed(&holder.key)).await;
            let proof = holder.proof().with_nonce(&nonces_of(&answer)).signed(&holder.key);
            let answer = taken_once(&holder, &at, &proof, round).await;
            if round % 200 == 199 {
                holder = Holder::new(at[0], &scene, Some(&nonces_of(&answer))).await;
            }
        }
        // Killed and started again, neither knows less.
        let nonce = nonces_of(&holder.read_with(at[0], &holder.proof().signed(&holder.key)).await);
        let proof = holder.proof().with_nonce(&nonce).signed(&holder.key);
        assert_eq!(holder.read_with(at[0], &proof).await.status, 200);
        for process in &mut processes {
            process.kill();
        }
        let again = [one.path(), two.path()].map(|folder| Process::start(process::garant(folder)));
        for process in &again {
            let answer = holder.read_with(process.at(), &proof).await;
            assert_eq!((answer.status, challenge(&answer)), (401, INVALID_PROOF));
            let fresh = holder.proof().with_nonce(&nonce).signed(&holder.key);
            assert_eq!(holder.read_with(process.at(), &fresh).await.status, 200, "the nonce outlives a restart");
        }
        for process in again {
            assert!(process.end());
        }
        own.close().await;
    };
    on(Engine::Postgres, "P48", &test);
}

#[test]
fn p48_a_proof_is_taken_once_by_one_process_on_either_engine() {
    each("P48 alone", async |home| {
        let n = trials(10, 200);
        println!("P48: {n} proofs, 64 uses each");
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let holder = Holder::new(served.at, &scene, None).await;
        for round in 0..n {
            taken_once(&holder, &[served.at], &holder.proof().signed(&holder.key), round).await;
        }
        served.end().await;
        open.close().await;
    });
}

#[test]
fn d19_what_was_used_up_is_forgotten_after_its_window() {
    each("D19", async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let store = &open.house.store;
        let held = async || {
            let count = |row: &garant::db::Row<'_>| row.int(0);
            store.db().all("used_once", "SELECT COUNT(*) FROM used_once", &[], count).await.unwrap()[0]
        };
        for window in 0..3 {
            for n in 0..100_u8 {
                let now = clock.now();
                let jti = [n; 32].map(|b| b ^ window);
                assert!(store.use_once("dpop", jti, now, now.plus_secs(dpop::REMEMBER_SECONDS)).await.unwrap());
            }
            let n = held().await;
            assert!(n <= 100, "{n} after window {window}");
            clock.advance_secs(dpop::REMEMBER_SECONDS + 1);
        }
        open.close().await;
    });
}
