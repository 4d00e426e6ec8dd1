//! What one client takes is not taken from the others (P51): requests a second, requests at once, memory for bodies,
//! connections. Ending a consent is never turned away.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use garant::config::Doors;
use tokio::task::JoinSet;

use crate::cast::{self, Scene};
use crate::doors::Served;
use crate::house::{self, Engine, Home, generous, is_full};
use crate::process::{self, Process};
use crate::wire::{self, Answer, Line};

/// Doors where nobody may ask more than `n` times a second, twice that at once.
fn narrow(n: u32) -> Doors {
    let n = NonZeroU32::new(n).unwrap();
    Doors { per_second: n, strangers_per_second: n, ..generous() }
}

/// Asks `times` times; the answers that were not turned away, and those that were.
async fn ask(at: SocketAddr, times: usize, request: &[u8]) -> (Vec<Answer>, Vec<Answer>) {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(wire::send(at, request).await.unwrap());
    }
    all.into_iter().partition(|answer| answer.status != 429)
}

fn get(path: &str, headers: &[String]) -> Vec<u8> {
    wire::request("GET", path, headers, b"")
}

#[test]
fn p51_who_asks_too_fast_is_told_when_to_come_again_and_the_others_are_answered() {
    house::on(Engine::Sqlite, "P51 rate", &async |home: &Home| {
        // One a second: what is left of a share cannot grow by much while the test runs.
        home.set_doors(narrow(1));
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let (fast, slow) =
            (Scene::set(&open.house, &home.canary()).await, Scene::set(&open.house, &home.canary()).await);
        let consent = fast.grant(&open.house).await;
        slow.grant(&open.house).await;
        let path = |scene: &Scene| format!("/fhir/Observation/{}", scene.record);
        let token = fast.clinic.token(&open.house).await;
        let (answered, turned) = ask(served.at, 200, &get(&path(&fast), &[wire::bearer(&token)])).await;
        assert!(!answered.is_empty() && answered.iter().all(|a| a.status == 200));
        assert!(turned.len() > 20, "{} of 200", turned.len());
        for answer in turned {
            assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
            assert!(answer.leaf().is_none() && answer.text().contains("throttled"), "{}", answer.text());
        }
        // A new token is no new share.
        let again = fast.clinic.token(&open.house).await;
        let (_, turned) = ask(served.at, 20, &get(&path(&fast), &[wire::bearer(&again)])).await;
        assert!(turned.len() > 5, "{}", turned.len());
        let other = slow.clinic.token(&open.house).await;
        assert_eq!(wire::get(served.at, &path(&slow), &other).await.unwrap().status, 200);
        // The patient used up a share of their own, and still ends the consent.
        let patient = cast::patient_token(&open.house, fast.patient.id);
        let (_, turned) = ask(served.at, 200, &get("/api/consents", &[wire::bearer(&patient)])).await;
        assert!(turned.len() > 20, "{}", turned.len());
        let revoke = format!("/api/consents/{consent}/revoke");
        let revoke = wire::request("POST", &revoke, &[wire::bearer(&patient)], b"");
        let (answered, turned) = ask(served.at, 20, &revoke).await;
        assert_eq!((answered.first().unwrap().status, turned.len()), (200, 0));
        served.end().await;
        open.close().await;
    });
}

#[test]
fn p51_whoever_wants_to_end_an_access_is_never_told_to_come_later() {
    house::on(Engine::Sqlite, "P51 stops", &async |home: &Home| {
        home.set_doors(narrow(1));
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let form = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let post = |path: &str| wire::request("POST", path, &form, b"token=x");
        let (_, turned) = ask(served.at, 100, &post("/oauth/introspect")).await;
        assert!(turned.len() > 20, "{}", turned.len());
        // The share of this address is used up; whatever ends something is still looked at, each time.
        for (path, looked_at) in [
            ("/oauth/revoke", 401),
            ("/oidc/backchannel-logout", 400),
            ("/logout", 403),
            ("/login/sessions/end", 403),
            ("/api/consents/0000000000000000000000000A/revoke", 401),
            ("/acces/0000000000000000000000000A/retirer", 303),
            ("/appareils/0000000000000000000000000A/retirer", 303),
        ] {
            let (answered, turned) = ask(served.at, 20, &post(path)).await;
            assert_eq!((answered.len(), turned.len()), (20, 0), "{path}");
            assert!(answered.iter().all(|answer| answer.status == looked_at), "{path}: {}", answered[0].status);
        }
        let (_, turned) = ask(served.at, 3, &post("/oauth/introspect")).await;
        assert!(!turned.is_empty(), "the share had grown again: nothing was shown");
        served.end().await;
        open.close().await;
    });
}

#[test]
fn p51_strangers_share_with_their_address_and_only_our_own_front_may_name_another() {
    for fronts in [vec![], vec![IpAddr::from([127, 0, 0, 1])]] {
        house::on(Engine::Sqlite, "P51 strangers", &async |home: &Home| {
            home.set_doors(Doors { fronts: fronts.clone(), ..narrow(1) });
            let open = home.found().await;
            let served = Served::by(&open.house).await;
            let scene = Scene::set(&open.house, &home.canary()).await;
            scene.grant(&open.house).await;
            let from = |who: &str| {
                let headers = ["Authorization: Bearer garbage".to_owned(), format!("X-Forwarded-For: {who}")];
                get("/fhir/Observation/x", &headers)
            };
            // Whatever stands before the last name was written by the client itself.
            let (answered, turned) = ask(served.at, 200, &from("10.0.0.9, 10.0.0.1")).await;
            assert!(answered.iter().all(|a| a.status == 401) && turned.len() > 20, "{}", turned.len());
            let (_, of_another) = ask(served.at, 2, &from("10.0.0.1, 10.0.0.2")).await;
            assert_eq!(of_another.is_empty(), !fronts.is_empty(), "{fronts:?}");
            let (_, of_the_same) = ask(served.at, 20, &from("10.0.0.7, 10.0.0.1")).await;
            assert!(!of_the_same.is_empty());
            // Who shows a good token is not one of them.
            let token = scene.clinic.token(&open.house).await;
            let path = format!("/fhir/Observation/{}", scene.record);
            assert_eq!(wire::get(served.at, &path, &token).await.unwrap().status, 200);
            served.end().await;
            open.close().await;
        });
    }
}

/// Begins a deposit of `length` bytes and sends `now` of them.
async fn begin(at: SocketAddr, token: &str, length: usize, now: usize) -> Line {
    let mut line = Line::connect(at).await.unwrap();
    let head = format!(
        "POST /fhir/Observation HTTP/1.1\r\nHost: a\r\n{}\r\nContent-Type: application/fhir+json\r\n\
         Content-Length: {length}\r\n\r\n",
        wire::bearer(token)
    );
    line.write(&[head.as_bytes(), &vec![b' '; now]].concat()).await.unwrap();
    line
}

/// The first answer to any of these unfinished deposits, and the tasks that wait for the others.
async fn first_answer(lines: Vec<Line>) -> (Answer, JoinSet<Option<Answer>>) {
    let mut waiting: JoinSet<_> = lines.into_iter().map(|mut line| async move { line.answer().await }).collect();
    (waiting.join_next().await.unwrap().unwrap().unwrap(), waiting)
}

#[test]
fn p51_bodies_under_way_are_bounded_in_sum_and_one_client_fills_a_quarter_at_most() {
    house::on(Engine::Sqlite, "P51 bodies", &async |home: &Home| {
        const PART: usize = 400 * 1024;
        home.set_doors(Doors { bodies_mib: 2, ..generous() });
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let mut clinics = Vec::new();
        for _ in 0..6 {
            let scene = Scene::set(&open.house, &home.canary()).await;
            clinics.push(scene.clinic.token(&open.house).await);
        }
        // Two of 400 KiB are more than a quarter of 2 MiB: whichever comes last is refused, the other goes on.
        let mut own = Vec::new();
        for _ in 0..2 {
            own.push(begin(served.at, &clinics[0], 1_000_000, PART).await);
        }
        let (answer, mut others) = first_answer(own).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        let whole = vec![b' '; 100 * 1024];
        let answer = wire::post_fhir(served.at, "/fhir/Observation", &clinics[1], &whole).await.unwrap();
        assert_eq!(answer.status, 400, "another client has room, and blanks are no resource");
        assert!(others.try_join_next().is_none());
        drop(others);
        // Six of 400 KiB are more than 2 MiB, though each client keeps to its quarter.
        let mut all = Vec::new();
        for token in &clinics {
            all.push(begin(served.at, token, 1_000_000, PART).await);
        }
        let (answer, mut others) = first_answer(all).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert!(others.try_join_next().is_none());
        // Whoever goes gives back.
        drop(others);
        let whole = vec![b' '; PART];
        for _ in 0..3000 {
            let answer = wire::post_fhir(served.at, "/fhir/Observation", &clinics[5], &whole).await.unwrap();
            if answer.status == 400 {
                served.end().await;
                open.close().await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("what was held is not given back");
    });
}

/// Reads `n` times, one after the other: all must be answered. How long the 99th of a hundred took.
async fn p99(at: SocketAddr, scene: &Scene, token: &str, n: usize) -> Duration {
    let path = format!("/fhir/Observation/{}", scene.record);
    let mut took = Vec::new();
    for _ in 0..n {
        let began = Instant::now();
        assert_eq!(wire::get(at, &path, token).await.map(|a| a.status), Some(200));
        took.push(began.elapsed());
    }
    took.sort();
    took[took.len() * 99 / 100]
}

/// Sends what keeps a server busy for nothing, until it is dropped.
async fn besiege(at: SocketAddr, token: String) {
    const ATTACKER: [u8; 4] = [127, 0, 0, 2];
    let mut slow = Vec::new();
    for _ in 0..500 {
        slow.extend(Line::from(ATTACKER, at).await);
    }
    let head = format!("POST /fhir/Observation HTTP/1.1\r\nHost: a\r\n{}\r\n", wire::bearer(&token));
    let mut dripping = Vec::new();
    for _ in 0..30 {
        let mut line = Line::connect(at).await.unwrap();
        let length = "Content-Type: application/fhir+json\r\nContent-Length: 1000000\r\n\r\n";
        drop(line.write(format!("{head}{length}").as_bytes()).await);
        dripping.push(line);
    }
    let deep = "[".repeat(1_000_000);
    let begun = b"GET /fhir/metadata HTTP/1.1\r\nHost: a\r\nX-";
    for line in &mut slow {
        drop(line.write(begun).await);
    }
    loop {
        for line in slow.iter_mut().chain(&mut dripping) {
            drop(line.write(b"x").await);
        }
        drop(wire::post_fhir(at, "/fhir/Observation", &token, deep.as_bytes()).await);
    }
}

#[test]
fn p51_the_others_are_answered_beside_slow_connections_drip_bodies_and_deep_json() {
    house::on(Engine::Sqlite, "P51 siege", &async |home: &Home| {
        home.set_doors(Doors { dpop_nonces: false, ..Doors::default() });
        let open = home.found().await;
        let (scene, attacker) =
            (Scene::set(&open.house, &home.canary()).await, Scene::set(&open.house, &home.canary()).await);
        scene.grant(&open.house).await;
        attacker.grant(&open.house).await;
        let tokens = [scene.clinic.token(&open.house).await, attacker.clinic.token(&open.house).await];
        open.close().await;
        let mut process = Process::start(process::garant(home.path()));
        let at = process.at();
        let n = if is_full() { 2000 } else { 200 };
        let before = p99(at, &scene, &tokens[0], n).await;
        let siege = tokio::spawn(besiege(at, tokens[1].clone()));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let during = p99(at, &scene, &tokens[0], n).await;
        siege.abort();
        println!("P51: p99 of {n} reads of another client: {before:?} alone, {during:?} under siege");
        process.signal(rustix::process::Signal::TERM);
        assert_eq!(process.ended(), Some(true));
        assert!(!process.said.iter().any(|line| line.contains("panicked")), "{:?}", process.said);
    });
}

/// The next bytes until the server closes; `None` when it does not within a minute.
async fn closed(mut line: Line) -> Option<Vec<u8>> {
    let all = async {
        let mut said = Vec::new();
        loop {
            let some = line.some().await;
            if some.is_empty() {
                return said;
            }
            said.extend(some);
        }
    };
    tokio::time::timeout(Duration::from_mins(1), all).await.ok()
}

#[test]
fn p51_connections_that_only_take_room_are_closed() {
    house::on(Engine::Sqlite, "P51 idle", &async |home: &Home| {
        home.set_doors(Doors { connections: 8, ..generous() });
        let open = home.found().await;
        open.close().await;
        let process = Process::start(process::garant(home.path()));
        let at = process.at();
        let mut kept = Vec::new();
        for sent in ["", "GET /fhir/metadata HTTP/1.1\r\nHost:", "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let mut line = Line::connect(at).await.unwrap();
            line.write(sent.as_bytes()).await.unwrap();
            kept.push(line);
        }
        // Five more fill what one address may hold; the next is closed at once, and another address is not affected.
        for _ in 0..5 {
            kept.push(Line::connect(at).await.unwrap());
        }
        let get = get("/fhir/metadata", &[]);
        assert!(Line::connect(at).await.unwrap().ask(&get).await.is_none(), "the ninth connection of one address");
        let other = Line::from([127, 0, 0, 2], at).await.unwrap().ask(&get).await;
        assert_eq!(other.unwrap().status, 200);
        // Nothing said, half a head, and a whole answer without a further request.
        for line in kept {
            assert!(closed(line).await.is_some(), "a connection that says nothing is kept");
        }
        assert_eq!(wire::send(at, &get).await.unwrap().status, 200);
        assert!(process.end());
    });
}
