//! After a revocation is acknowledged nothing more is released: on any node, by any route.

use std::sync::Arc;

use garant::clock::{Clock as _, SystemClock, TestClock, Timestamp};
use garant::ledger::{Act, Unsound};
use garant::release::Withheld;

use crate::cast::{self, Scene};
use crate::house::{self, Engine, Open, each, on, trials};
use crate::process::{self, Process};
use crate::wire;

/// Reads on both nodes by every route; whether each was refused.
async fn refused_everywhere(nodes: &[&Open], scene: &Scene) -> bool {
    let bearer = scene.clinic.bearer();
    for node in nodes {
        let read = cast::read(&node.house, &bearer, scene.record);
        let search = cast::search(&node.house, &bearer, scene.patient.id);
        let (read, search) = tokio::join!(read, search);
        if !matches!(read, Err(Withheld::Hidden)) || search.unwrap() != 0 {
            return false;
        }
    }
    true
}

#[test]
fn p01_no_read_that_starts_after_a_revoke_is_released_on_any_node_by_any_route() {
    each("P01", async |home| {
        let n = trials(200, 10_000);
        println!("P01: {n} revocations, 4 reads after each");
        let a = home.found().await;
        let folder = home.node();
        // SQLite serves from one process: there both nodes are the same house.
        let b = if home.engine == Engine::Postgres { Some(home.open_in(folder.path()).await.unwrap()) } else { None };
        let nodes: Vec<&Open> = [Some(&a), b.as_ref()].into_iter().flatten().collect();
        let scene = Scene::set(&a.house, &home.canary()).await;
        let bearer = scene.clinic.bearer();
        for round in 0..n {
            let consent = scene.grant(&a.house).await;
            for node in &nodes {
                // Warm: every memory that could outlive the revocation is filled.
                cast::read(&node.house, &bearer, scene.record).await.unwrap();
            }
            if round % 20 == 0 {
                for node in &nodes {
                    assert_eq!(cast::search(&node.house, &bearer, scene.patient.id).await.unwrap(), 1);
                }
            }
            cast::revoke(&a.house, scene.patient.id, consent).await.unwrap();
            assert!(refused_everywhere(&nodes, &scene).await, "released after revocation {round} of {n}");
        }
        if let Some(b) = b {
            b.close().await;
        }
        a.close().await;
    });
}

#[test]
fn p01_two_server_processes_refuse_over_http_what_was_revoked_at_either() {
    let test = async |home: &house::Home| {
        let n = trials(20, 500);
        println!("P01 over HTTP: {n} revocations, 4 requests after each");
        let own = home.found().await;
        let scene = Scene::set(&own.house, &home.canary()).await;
        let token = scene.clinic.token(&own.house).await;
        let (one, two) = (home.node(), home.node());
        let processes = [one.path(), two.path()].map(|folder| Process::start(process::garant(folder)));
        let paths = [
            format!("/fhir/Observation/{}", scene.record),
            format!("/fhir/Observation?patient=Patient/{}", scene.patient.id),
        ];
        for round in 0..n {
            let consent = scene.grant(&own.house).await;
            for process in &processes {
                assert_eq!(wire::get(process.at(), &paths[0], &token).await.unwrap().status, 200);
                assert!(wire::get(process.at(), &paths[1], &token).await.unwrap().leaf().is_some());
            }
            // The patient revokes at one of the two; the other hears of it from nobody.
            let (at, path) = (processes[round % 2].at(), format!("/api/consents/{consent}/revoke"));
            let patient = cast::patient_token(&own.house, scene.patient.id);
            let revoke = wire::request("POST", &path, &[wire::bearer(&patient)], b"");
            assert_eq!(wire::send(at, &revoke).await.unwrap().status, 200);
            for process in &processes {
                assert_eq!(wire::get(process.at(), &paths[0], &token).await.unwrap().status, 404, "round {round}");
                let found = wire::get(process.at(), &paths[1], &token).await.unwrap();
                assert_eq!((found.status, found.leaf(), found.json().get("entry").is_some()), (200, None, false));
            }
        }
        for process in processes {
            assert!(process.end(), "a server ends well when it is told to");
        }
        own.close().await;
    };
    on(Engine::Postgres, "P01 over HTTP", &test);
}

#[test]
fn p01_p03_reads_racing_a_revoke_stand_before_it_or_not_at_all() {
    each("P03", async |home| {
        let n = trials(40, 2_000);
        println!("P03: {n} revocations, each raced by 8 readers");
        let open = home.found().await;
        let scene = Arc::new(Scene::set(&open.house, &home.canary()).await);
        for _ in 0..n {
            let consent = scene.grant(&open.house).await;
            let readers: Vec<_> = (0..8)
                .map(|_| {
                    let (house, scene) = (Arc::clone(&open.house), Arc::clone(&scene));
                    tokio::spawn(async move {
                        let bearer = scene.clinic.bearer();
                        let mut released = Vec::new();
                        for _ in 0..3 {
                            released.extend(cast::read(&house, &bearer, scene.record).await.ok().map(|r| r.leaf()));
                        }
                        released
                    })
                })
                .collect();
            let leaf = cast::revoke(&open.house, scene.patient.id, consent).await.unwrap();
            for reader in readers {
                // What was released stands in the log before the revocation.
                assert!(reader.await.unwrap().into_iter().all(|released| released < leaf));
            }
        }
        let entries = house::entries(&open.house).await;
        println!(
            "P03: {} leaves, {} disclosures",
            entries.len(),
            entries.iter().filter(|e| e.act == Act::Disclose).count()
        );
        open.close().await;
    });
}

#[test]
fn p05_a_consent_is_dead_at_its_second_and_a_clock_set_back_does_not_revive_it() {
    each("P05", async |home| {
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let bearer = scene.clinic.bearer();
        let n = trials(10, 200);
        println!("P05: {n} expiries");
        for _ in 0..n {
            let mut terms = scene.clinic.terms(clock.now());
            let seconds = 2 + i64::try_from(home.dice.below(1_000_000)).unwrap();
            terms.valid.to = terms.valid.from.plus_secs(seconds);
            let end = terms.valid.to;
            cast::grant(&open.house, &scene.patient, terms).await;
            clock.set(Timestamp(end.0 - 1));
            cast::read(&open.house, &bearer, scene.record).await.unwrap();
            clock.set(end);
            assert!(cast::read(&open.house, &bearer, scene.record).await.is_err(), "alive at its end");
            clock.advance_secs(-86_400);
            assert!(cast::read(&open.house, &bearer, scene.record).await.is_err(), "revived by a clock set back");
            clock.set(end.plus_secs(1));
        }
        open.close().await;
        clock.advance_secs(-5);
        match home.open().await {
            Err(garant::app::Cannot::Unsound(Unsound::ClockBack { .. })) => {}
            Err(other) => panic!("refused for another reason: {other}"),
            Ok(_) => panic!("starts with a clock before the last leaf"),
        }
        clock.advance_secs(10);
    });
}

/// A clock that moves on whenever it is looked at, so that a consent may end between decision and turn.
#[derive(Clone)]
struct Restless(TestClock, i64);

impl garant::clock::Clock for Restless {
    fn now(&self) -> Timestamp {
        let now = self.0.now();
        self.0.set(Timestamp(now.0 + self.1));
        now
    }
}

#[test]
fn p05_a_consent_that_ends_between_decision_and_turn_releases_nothing() {
    each("P05 turn", async |home| {
        home.publish_when_told();
        let clock = TestClock::at(SystemClock.now());
        home.set_clock(clock.clone());
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        open.close().await;
        let n = trials(40, 2_000);
        println!("P05: {n} consents that end while they are read");
        // Every look at the clock takes 150 ms.
        home.set_clock(Restless(clock.clone(), 150_000));
        let open = home.open().await.unwrap();
        let (mut released, mut refused) = (0, 0);
        for _ in 0..n {
            let mut terms = scene.clinic.terms(clock.now());
            terms.valid.to = terms.valid.from.plus_secs(10);
            let end = terms.valid.to;
            cast::grant(&open.house, &scene.patient, terms).await;
            // Begun in the last second of it.
            clock.set(Timestamp(end.0 - 1_000_000 + i64::try_from(home.dice.below(1_000_000)).unwrap()));
            match cast::read(&open.house, &scene.clinic.bearer(), scene.record).await {
                Ok(out) => {
                    released += 1;
                    let entries = house::entries(&open.house).await;
                    assert!(entries[usize::try_from(out.leaf()).unwrap()].time < end, "released after its end");
                }
                Err(_) => refused += 1,
            }
            clock.set(end.plus_secs(1));
        }
        println!("P05: {released} released before the end, {refused} refused at it");
        assert!(released > 0 && refused > 0);
        open.close().await;
        home.set_clock(clock);
    });
}

#[test]
fn p13_narrowing_ends_what_it_leaves_out_at_once() {
    each("P13", async |home| {
        let n = trials(20, 2_000);
        println!("P13: {n} narrowings");
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        let bearer = scene.clinic.bearer();
        for _ in 0..n {
            let mut terms = scene.clinic.terms(open.house.clock.now());
            let consent = cast::grant(&open.house, &scene.patient, terms.clone()).await;
            cast::read(&open.house, &bearer, scene.record).await.unwrap();
            terms.scope = vec!["Condition.r".parse().unwrap()];
            // A second may have begun since the grant; what ends later than it would be wider.
            terms.valid.to = terms.valid.to.plus_secs(-60);
            cast::narrow(&open.house, &scene.patient, consent, terms).await;
            assert!(refused_everywhere(&[&open], &scene).await);
            cast::revoke(&open.house, scene.patient.id, consent).await.unwrap();
        }
        open.close().await;
    });
}

#[test]
fn p09_suspending_organisation_professional_or_client_acts_like_a_revoke() {
    each("P09", async |home| {
        let n = trials(5, 300);
        println!("P09: {n} suspensions of each of three");
        let open = home.found().await;
        let scene = Scene::set(&open.house, &home.canary()).await;
        scene.grant(&open.house).await;
        let parties = [
            *scene.clinic.organisation.as_bytes(),
            *scene.clinic.professional.as_bytes(),
            *scene.clinic.client.as_bytes(),
        ];
        for _ in 0..n {
            for party in &parties {
                cast::read(&open.house, &scene.clinic.bearer(), scene.record).await.unwrap();
                open.house.enrolments.set_standing(party, false).await.unwrap();
                assert!(refused_everywhere(&[&open], &scene).await);
                open.house.enrolments.set_standing(party, true).await.unwrap();
            }
        }
        open.close().await;
    });
}
