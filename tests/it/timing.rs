//! P43: does the time an answer takes tell the hidden from the absent? Prints Welch's t per route; the reader judges
//! (the security design asks for less than 4.5). A machine that does other work gives larger numbers for nothing.
//!
//! `cargo test --release --test it timing -- --ignored --nocapture`; with `GARANT_FULL=1` 20 000 pairs per route.

use std::time::Instant;

use garant::id::{PatientId, RecordId};
use garant::model::RecordKey;

use crate::cast::{self, Patient, Scene};
use crate::doors::Served;
use crate::house::{Engine, on, trials};
use crate::wire::{self, Line};

/// Mean and variance, one value at a time (Welford).
#[derive(Default)]
struct Sample {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Sample {
    fn add(&mut self, value: f64) {
        self.n += 1.0;
        let off = value - self.mean;
        self.mean += off / self.n;
        self.squares += off * (value - self.mean);
    }

    fn error(&self) -> f64 {
        self.squares / (self.n - 1.0) / self.n
    }
}

fn welch(a: &Sample, b: &Sample) -> f64 {
    (a.mean - b.mean) / (a.error() + b.error()).sqrt()
}

#[test]
fn p43_the_test_statistic_tells_what_differs_from_what_does_not() {
    let sample = |shift: f64| {
        let mut sample = Sample::default();
        (0..1000).for_each(|i| sample.add(f64::from(i % 10) + shift));
        sample
    };
    assert!(welch(&sample(0.0), &sample(0.0)).abs() < 1e-9);
    assert!(welch(&sample(1.0), &sample(0.0)) > 7.0);
    assert!((sample(0.0).error() * 1000.0 - 8.258_258_258).abs() < 1e-6);
}

/// The time of one request on a line that is kept, in microseconds.
async fn timed(line: &mut Line, request: &[u8], status: u16) -> f64 {
    let begun = Instant::now();
    let answer = line.ask(request).await.unwrap();
    let took = begun.elapsed().as_secs_f64() * 1e6;
    assert_eq!(answer.status, status);
    took
}

#[test]
#[ignore = "measures; its numbers are for a reader, on a quiet machine and an optimised build"]
fn p43_timing_of_hidden_and_absent() {
    on(Engine::Sqlite, "P43", &async |home| {
        let open = home.found().await;
        let served = Served::by(&open.house).await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let restricted = cast::labelled("Observation", scene.patient.id, "restricted", "V");
        let restricted = cast::import(&open.house, restricted).await;
        let empty = Patient::enrol(&open.house).await;
        scene.grant(&open.house).await;
        cast::grant(&open.house, &empty, scene.clinic.terms(open.house.clock.now())).await;
        let granted = scene.clinic.token(&open.house).await;
        let stranger = cast::Clinic::enrol(&open.house).await.token(&open.house).await;
        let random = || RecordId::random(&*open.house.chance).unwrap();
        let absent = RecordKey { patient: scene.patient.id, record: random() };
        let nobody = PatientId::random(&*open.house.chance).unwrap();
        let read = |key: RecordKey| format!("/fhir/Observation/{key}");
        let search = |patient: PatientId| format!("/fhir/Observation?patient=Patient/{patient}&code=x");
        let routes = [
            ("read, restricted or absent", &granted, read(restricted), read(absent), 404),
            ("read without consent, there or absent", &stranger, read(scene.record), read(absent), 404),
            (
                "read without consent, there or of nobody",
                &stranger,
                read(scene.record),
                read(RecordKey { patient: nobody, record: random() }),
                404,
            ),
            ("search without consent, some or none", &stranger, search(scene.patient.id), search(empty.id), 200),
            ("search without consent, some or nobody", &stranger, search(scene.patient.id), search(nobody), 200),
        ];
        let pairs = trials(2_000, 20_000);
        let mut line = Line::connect(served.at).await.unwrap();
        for (name, token, hidden, absent, status) in routes {
            let ask = |path: &str| wire::request("GET", path, &[wire::bearer(token)], b"");
            let (hidden, absent) = (ask(&hidden), ask(&absent));
            let (mut a, mut b) = (Sample::default(), Sample::default());
            for _ in 0..pairs {
                // In an order that nothing else can keep step with.
                if home.dice.below(2) == 0 {
                    a.add(timed(&mut line, &hidden, status).await);
                    b.add(timed(&mut line, &absent, status).await);
                } else {
                    b.add(timed(&mut line, &absent, status).await);
                    a.add(timed(&mut line, &hidden, status).await);
                }
            }
            println!("P43: {name}: {pairs} pairs, {:.0} and {:.0} µs, t = {:.2}", a.mean, b.mean, welch(&a, &b));
        }
        drop(line);
        served.end().await;
        open.close().await;
    });
}
