//! The task that tells software of sessions that ended: a few at a time, beside everything else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::{JoinHandle, JoinSet};

use crate::identity::{Bid, Farewell, Farewells};

/// Farewells that wait; more are not said.
const WAITING: usize = 256;
/// Farewells that are said at the same moment.
const AT_ONCE: usize = 8;
/// How long those under way may take when the house closes.
const FAREWELL: Duration = Duration::from_secs(10);

/// The task.
pub(super) struct Telling(JoinHandle<()>);

/// Where farewells are bidden, and where they wait.
pub(super) fn queue() -> (Bid, Receiver<Farewell>) {
    let (queue, waiting) = channel(WAITING);
    let bid: Bid = Arc::new(move |farewell| {
        if queue.try_send(farewell).is_err() {
            tracing::warn!("too many sessions ended at once: a piece of software is not told");
        }
    });
    (bid, waiting)
}

impl Telling {
    #[expect(clippy::disallowed_methods, reason = "this room is the one that starts tasks and looks after their end")]
    pub(super) fn begin(mut waiting: Receiver<Farewell>, farewells: Farewells) -> Self {
        let farewells = Arc::new(farewells);
        Self(tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            while let Some(farewell) = waiting.recv().await {
                while under_way.len() >= AT_ONCE {
                    under_way.join_next().await;
                }
                let farewells = Arc::clone(&farewells);
                under_way.spawn(async move {
                    if let Err(error) = farewells.tell(&farewell).await {
                        tracing::warn!(%error, "software was not told that a session is over");
                    }
                });
            }
            while under_way.join_next().await.is_some() {}
        }))
    }

    /// Waits a little for those that wait; they are the last once nothing can end sessions any more.
    pub(super) async fn end(&mut self) {
        if tokio::time::timeout(FAREWELL, &mut self.0).await.is_err() {
            self.0.abort();
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}
