//! What a decision costs. Run: `cargo test --release --lib policy::tests::speed -- --ignored --nocapture`.

use super::world::{DEED, NOW, World, physician_reads, record};
use crate::clock::Stopwatch;
use crate::model::RecordFacts;
use crate::policy::Engine;
use crate::policy::memo::Memo;

fn measure(what: &str, engine: &Engine, world: &mut World, memo: Option<&Memo>, fresh: bool) {
    const ROUNDS: i64 = 500;
    let watch = Stopwatch::start();
    for round in 0..ROUNDS {
        if fresh {
            world.provisions[0].revision = round;
        }
        drop(engine.decide_with(DEED, &world.question(), memo));
    }
    let each = watch.elapsed().as_secs_f64() * 1e6 / 500.0;
    println!("{what}: {each:.1} us");
}

#[test]
#[ignore = "a measurement, meaningful in release only"]
fn a_decision_costs() {
    let engine = Engine::load().unwrap();
    let mut world = physician_reads();
    let memo = Memo::default();
    measure("1 record, no memo", &engine, &mut world, None, false);
    measure("1 record, memo, first time", &engine, &mut world, Some(&memo), true);
    measure("1 record, memo, again", &engine, &mut world, Some(&memo), false);
    world.provisions[0].terms.valid.to = NOW;
    measure("1 record refused, no memo", &engine, &mut world, None, false);
    world.provisions[0].terms.valid.to = NOW.plus_secs(9);
    let model = world.records[0].clone();
    world.records = (0..100).map(|n| RecordFacts { key: record(n, "").key, ..model.clone() }).collect();
    measure("100 like records, memo, first time", &engine, &mut world, Some(&memo), true);
    measure("100 like records, memo, again", &engine, &mut world, Some(&memo), false);
    for (i, r) in (-900..).zip(world.records.iter_mut()) {
        r.authored = Some(crate::model::Period { from: NOW.plus_secs(i), to: NOW });
    }
    measure("100 unlike records, no memo", &engine, &mut world, None, false);
    measure("100 unlike records, memo, again", &engine, &mut world, Some(&memo), false);
}
