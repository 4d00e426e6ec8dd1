//! Requests that two parsers could read differently, and bodies made to exhaust, get a clear refusal from the real
//! server, which goes on serving.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::cast::{self, Scene};
use crate::house::{self, Engine, Home, trials};
use crate::process::{self, Process};
use crate::wire::{self, Line};

/// A founded house with a granted clinic, served by the real binary.
async fn served(home: &Home) -> (Process, Scene, String) {
    let open = home.found().await;
    let scene = Scene::set(&open.house, &home.canary()).await;
    scene.grant(&open.house).await;
    let token = scene.clinic.token(&open.house).await;
    open.close().await;
    (Process::start(process::garant(home.path())), scene, token)
}

/// The server serves, never panicked, and ends well.
async fn unharmed(mut process: Process, scene: &Scene) {
    let form = scene.clinic.token_form("http://127.0.0.1", garant::clock::Clock::now(&garant::clock::SystemClock));
    let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
    let request = wire::request("POST", "/oauth/token", &headers, form.as_bytes());
    let token = wire::send(process.at(), &request).await.unwrap().json()["access_token"].as_str().unwrap().to_owned();
    let path = format!("/fhir/Observation/{}", scene.record);
    assert_eq!(wire::get(process.at(), &path, &token).await.unwrap().status, 200);
    process.signal(rustix::process::Signal::TERM);
    assert_eq!(process.ended(), Some(true));
    assert!(!process.said.iter().any(|line| line.contains("panicked")), "{:?}", process.said);
}

/// What came first on a connection: a status, or none when it was closed without an answer.
async fn first_status(to: SocketAddr, bytes: &[u8]) -> Option<u16> {
    wire::send(to, bytes).await.map(|answer| answer.status)
}

#[test]
fn s05_ambiguous_framing_is_refused() {
    house::on(Engine::Sqlite, "framing", &async |home: &Home| {
        let (process, scene, token) = served(home).await;
        let at = process.at();
        let path = format!("/fhir/Observation/{}", scene.record);
        let auth = wire::bearer(&token);
        let requests: [(&str, String); 12] = [
            (
                "length and chunks",
                format!(
                    "POST /fhir HTTP/1.1\r\nHost: a\r\n{auth}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                ),
            ),
            (
                "chunks and length",
                format!(
                    "POST /fhir HTTP/1.1\r\nHost: a\r\n{auth}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
                ),
            ),
            (
                "two lengths",
                format!(
                    "POST /fhir HTTP/1.1\r\nHost: a\r\n{auth}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}x"
                ),
            ),
            (
                "two equal lengths",
                format!(
                    "POST /fhir HTTP/1.1\r\nHost: a\r\n{auth}\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}"
                ),
            ),
            (
                "a list of lengths",
                format!("POST /fhir HTTP/1.1\r\nHost: a\r\n{auth}\r\nContent-Length: 2, 2\r\n\r\n{{}}"),
            ),
            (
                "a length with a sign",
                format!("POST /fhir HTTP/1.1\r\nHost: a\r\n{auth}\r\nContent-Length: +2\r\n\r\n{{}}"),
            ),
            ("two hosts", format!("GET {path} HTTP/1.1\r\nHost: a\r\nHost: b\r\n{auth}\r\n\r\n")),
            ("no host", format!("GET {path} HTTP/1.1\r\n{auth}\r\n\r\n")),
            ("absolute form", format!("GET http://127.0.0.1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{auth}\r\n\r\n")),
            ("a folded header", format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer\r\n {token}\r\n\r\n")),
            ("a blank before the colon", format!("GET {path} HTTP/1.1\r\nHost : a\r\n{auth}\r\n\r\n")),
            ("two authorizations", format!("GET {path} HTTP/1.1\r\nHost: a\r\n{auth}\r\n{auth}\r\n\r\n")),
        ];
        for (name, request) in requests {
            let status = first_status(at, request.as_bytes()).await;
            assert!(status.is_none_or(|s| (400..500).contains(&s)), "{name}: {status:?}");
        }
        let good = first_status(at, format!("GET {path} HTTP/1.1\r\nHost: a\r\n{auth}\r\n\r\n").as_bytes()).await;
        assert_eq!(good, Some(200));
        unharmed(process, &scene).await;
    });
}

#[test]
#[ignore = "BUG: hyper reads a bare LF as the end of a header line; a front that does not would disagree with us"]
fn s05_bare_line_feeds_are_refused() {
    house::on(Engine::Sqlite, "line feeds", &async |home: &Home| {
        let (process, scene, token) = served(home).await;
        let path = format!("/fhir/Observation/{}", scene.record);
        let auth = wire::bearer(&token);
        for request in [
            format!("GET {path} HTTP/1.1\nHost: a\n{auth}\n\n"),
            format!("GET {path} HTTP/1.1\r\nHost: a\n{auth}\r\n\r\n"),
        ] {
            let status = first_status(process.at(), request.as_bytes()).await;
            assert!(status.is_none_or(|s| (400..500).contains(&s)), "{status:?}");
        }
        unharmed(process, &scene).await;
    });
}

#[test]
fn s05_silent_and_dripping_connections_are_closed_and_starve_nobody() {
    house::on(Engine::Sqlite, "slow", &async |home: &Home| {
        let (process, scene, token) = served(home).await;
        let at = process.at();
        let n = trials(40, 500);
        println!("slow: {n} connections each silent, half a head, dripping");
        let mut closings = Vec::new();
        for _ in 0..n {
            for (begin, drip) in
                [("", ""), ("GET /fhir/metadata HTTP/1.1\r\nHo", ""), ("GET /fhir/metadata HTTP/1.1\r\n", "X")]
            {
                closings.push(tokio::spawn(async move {
                    let began = Instant::now();
                    let mut line = Line::connect(at).await.unwrap();
                    line.write(begin.as_bytes()).await.unwrap();
                    loop {
                        match tokio::time::timeout(Duration::from_secs(1), line.some()).await {
                            Ok(bytes) if bytes.is_empty() => return began.elapsed(),
                            Ok(_) => {}
                            Err(_) if drip.is_empty() || line.write(drip.as_bytes()).await.is_ok() => {}
                            Err(_) => return began.elapsed(),
                        }
                        if began.elapsed() > Duration::from_secs(30) {
                            return began.elapsed();
                        }
                    }
                }));
            }
        }
        // Meanwhile others are served.
        let path = format!("/fhir/Observation/{}", scene.record);
        for _ in 0..20 {
            let began = Instant::now();
            assert_eq!(wire::get(at, &path, &token).await.unwrap().status, 200);
            assert!(began.elapsed() < Duration::from_secs(5));
        }
        let mut longest = Duration::ZERO;
        for closing in closings {
            longest = longest.max(closing.await.unwrap());
        }
        println!("slow: the longest stood {:.1} s", longest.as_secs_f64());
        assert!(longest <= Duration::from_secs(15));
        unharmed(process, &scene).await;
    });
}

#[test]
fn s05_hostile_bodies_get_a_clear_refusal() {
    house::on(Engine::Sqlite, "bodies", &async |home: &Home| {
        let (process, scene, token) = served(home).await;
        let at = process.at();
        let good = cast::observation(scene.patient.id, "good");
        let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
        let with = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
        let bodies: Vec<(&str, Vec<u8>)> = vec![
            ("nothing", vec![]),
            ("not JSON", b"<Observation/>".to_vec()),
            ("not UTF-8", vec![b'"', 0xff, 0xfe, b'"']),
            ("10 000 arrays", deep("[", "]", 10_000).into_bytes()),
            ("10 000 objects", deep("{\"a\":", "}", 10_000).into_bytes()),
            ("10 000 deep inside", with(&format!("\"extension\":{}", deep("[", "]", 10_000))).into_bytes()),
            ("NUL", good.replace("good", "go\\u0000od").into_bytes()),
            ("raw NUL", good.replace("good", "go\0od").into_bytes()),
            ("lone high surrogate", good.replace("good", "go\\ud800od").into_bytes()),
            ("lone low surrogate", good.replace("good", "go\\udc00od").into_bytes()),
            ("a name twice", with("\"status\":\"final\"").into_bytes()),
            ("a name twice, escaped", with("\"\\u0073tatus\":\"final\"").into_bytes()),
            ("a huge number", with("\"valueInteger\":1e999999999").into_bytes()),
            ("another type", good.replace("Observation", "Nothing").into_bytes()),
            ("a member nobody knows", with("\"surprise\":1").into_bytes()),
            ("byte order mark", ["\u{feff}", &good].concat().into_bytes()),
            ("two values", [good.as_str(), "{}"].concat().into_bytes()),
        ];
        for (name, body) in bodies {
            for path in ["/fhir", "/fhir/Observation"] {
                let answer = wire::post_fhir(at, path, &token, &body).await.unwrap();
                assert!((400..500).contains(&answer.status), "{name} at {path}: {}", answer.status);
                assert!(answer.text().contains("OperationOutcome"), "{name} at {path}: {}", answer.text());
            }
        }
        // Longer than is accepted: a clear answer or a closed connection, and not kept in memory.
        let mut long = good.replace("good", &"x".repeat(70 * 1024 * 1024)).into_bytes();
        let answer = wire::post_fhir(at, "/fhir", &token, &long).await;
        assert!(answer.as_ref().is_none_or(|a| a.status == 413), "{:?}", answer.map(|a| a.status));
        // Within the limit and still nothing that may be stored.
        long.truncate(50 * 1024 * 1024);
        let answer = wire::post_fhir(at, "/fhir", &token, &long).await.unwrap();
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        let form = vec![b'a'; 50 * 1024 * 1024];
        let headers = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let answer = wire::send(at, &wire::request("POST", "/oauth/token", &headers, &form)).await;
        assert!(answer.as_ref().is_none_or(|a| (400..500).contains(&a.status)), "{:?}", answer.map(|a| a.status));
        unharmed(process, &scene).await;
    });
}

#[test]
fn s05_hostile_addresses_get_a_clear_refusal() {
    house::on(Engine::Sqlite, "addresses", &async |home: &Home| {
        let (process, scene, token) = served(home).await;
        let patient = scene.patient.id;
        let long = "a".repeat(40_000);
        for path in [
            format!("/fhir/Observation/{}?_format=xml", scene.record),
            format!("/fhir/Observation/{}%00", scene.record),
            format!("/fhir/Observation/{}/", scene.record),
            format!("/fhir//Observation/{}", scene.record),
            format!("/fhir/../fhir/Observation/{}", scene.record),
            format!("/fhir/%2e%2e/Observation/{}", scene.record),
            format!("/fhir/observation/{}", scene.record),
            format!("/fhir/Observation/{}", scene.record.to_string().to_uppercase()),
            format!("/fhir/Observation/{}/_history/x", scene.record),
            format!("/fhir/Patient/{patient}/$everything?_count=-1"),
            "/fhir/Observation".to_owned(),
            "/fhir/Observation?patient=*".to_owned(),
            format!("/fhir/Observation?patient={patient},{patient}"),
            format!("/fhir/Observation?patient=Patient/{patient}&_include=*"),
            format!("/fhir/Observation?patient=Patient/{patient}&_count=-1"),
            format!("/fhir/Observation?patient=Patient/{patient}&_has:Condition:subject:code=x"),
            format!("/fhir/Observation?patient=Patient/{patient}&code=%ff"),
            format!("/fhir/Observation?patient=Patient/{patient}&code=%zz"),
            format!("/fhir/Observation?patient=Patient/{patient}&code=%00"),
            format!("/fhir/Observation?{long}=1"),
            "/.git/config".to_owned(),
        ] {
            let answer = wire::get(process.at(), &path, &token).await;
            let status = answer.as_ref().map(|a| a.status);
            let shown = answer.is_some_and(|a| a.leaf().is_some());
            assert!(status.is_none_or(|s| (400..500).contains(&s)) && !shown, "{path:.120}: {status:?}");
        }
        unharmed(process, &scene).await;
    });
}
