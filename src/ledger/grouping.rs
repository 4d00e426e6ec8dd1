//! Who goes first, and who shares a turn.

use std::time::Duration;

use tokio::sync::oneshot;

use super::sequencer::{Deed, Lanes, Sequencer, Waiting};
use super::{Act, Personal};
use crate::consent::tests::world::World;
use crate::id::{DeedId, PatientId, RecordId};
use crate::model::Sealed;
use crate::store::turn::{NewRecord, Write};

async fn deed(world: &World, act: Act, bytes: usize) -> Deed {
    let house = &world.house;
    let id = DeedId::ordered(&*house.clock, &*house.chance).unwrap();
    let mut deed = house.ledger.prepare(id, act, Personal::default(), None).await.unwrap();
    if bytes > 0 {
        deed.writes.push(Write::Record(NewRecord {
            patient: PatientId::from_bytes([1; 16]),
            record: RecordId::from_bytes([2; 16]),
            kind: [0; 8],
            facts: Sealed(Vec::new()),
            found: Sealed(Vec::new()),
            sealed: Sealed(vec![0; bytes]),
            at: house.clock.now(),
        }));
    }
    deed
}

async fn wait(world: &World, lanes: &Lanes, act: Act, bytes: usize) {
    lanes.queue(Waiting::new(deed(world, act, bytes).await, oneshot::channel().0)).await.unwrap();
}

/// The acts of the next turns.
async fn turns(sequencer: &mut Sequencer, n: usize) -> Vec<Vec<Act>> {
    let mut turns = Vec::new();
    for _ in 0..n {
        let group = tokio::time::timeout(Duration::from_secs(5), sequencer.next_group());
        turns.push(group.await.expect("a turn is missing").unwrap().iter().map(Waiting::act).collect());
    }
    turns
}

/// T23: a suspension or an exclusion does not wait until somebody's large deposit is written.
#[tokio::test(flavor = "multi_thread")]
async fn heavy_deposits_take_their_turns_alone_and_after_what_ends_an_access() {
    const HEAVY: usize = 5 * 1024 * 1024;
    let world = World::new().await;
    let mac = world.house.keyring.row_mac();
    let (mut sequencer, lanes) = Sequencer::new(world.house.store.clone(), world.house.clock.clone(), mac);
    for (act, bytes) in [(Act::Admit, 10), (Act::Admit, HEAVY), (Act::Admit, HEAVY), (Act::Refuse, 0)] {
        wait(&world, &lanes, act, bytes).await;
    }
    assert_eq!(turns(&mut sequencer, 1).await, [[Act::Admit]]);
    wait(&world, &lanes, Act::Suspend, 0).await;
    assert_eq!(
        turns(&mut sequencer, 3).await,
        [vec![Act::Suspend], vec![Act::Admit], vec![Act::Admit]],
        "the suspension waited, or two heavy deposits shared a turn"
    );
    wait(&world, &lanes, Act::Exclude, 0).await;
    assert_eq!(turns(&mut sequencer, 1).await, [[Act::Exclude, Act::Refuse]]);
    world.end().await;
}
