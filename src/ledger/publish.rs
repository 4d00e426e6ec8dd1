//! Checkpoints: re-read, re-hash, compare, only then sign.
//!
//! The sequencer keeps a keyed chain over the leaves it wrote. Before a tree head is signed every new leaf is read
//! back from the store and hashed again, and the chain must come out the same: a bit that changed between writing
//! and signing is found while it can still be told apart from tampering, and nothing is signed (security.md K18).
//! The newest checkpoint is also kept outside the database, in the anchor file: a restored older database is then
//! found at start instead of being served (P28).

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{BadCheckpoint, Checkpoint, Keys};
use super::merkle::{Frontier, leaf_hash, sha256};
use super::note::{self, BadNote, Verifier};
use super::sequencer::link;
use crate::clock::{Clock, Timestamp};
use crate::db::DbError;
use crate::store::Store;
use crate::store::rows::{CheckpointRow, Head, LeafRow};
use crate::vault::{LogSigner, RowMac};

/// Leaves read at a time.
const STRIDE: i64 = 2048;

/// Why the log may not be served or signed.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The log was never begun.
    #[error("the log was never begun; `garant init` begins it")]
    Unbegun,
    /// A leaf is missing.
    #[error("leaf {0} is missing")]
    Missing(i64),
    /// The leaves are not those that were written.
    #[error("the leaves below {0} are not those that were written")]
    Altered(i64),
    /// A kept tree head is not that of the leaves.
    #[error("the checkpoint of size {0} does not match the leaves")]
    Forked(i64),
    /// The anchor knows of more than the database does.
    #[error("the database holds {found} leaves, but a checkpoint of {anchored} was published: this is an older state")]
    RolledBack {
        /// Leaves in the database.
        found: i64,
        /// Leaves in the anchored checkpoint.
        anchored: u64,
    },
    /// There is no anchor to hold the database against.
    #[error(
        "the anchor file {} is missing, so an older state of the database could not be told. Bring it back, or copy \
         it from another node. If it is lost, compare the newest checkpoint with one that others kept, then accept \
         the log as it is: `garant log anchor`", .0.display()
    )]
    Unanchored(PathBuf),
    /// The clock stands before the last leaf.
    #[error("the clock says {now}, before the last leaf of {last}: set the clock right")]
    ClockBack {
        /// The clock.
        now: Timestamp,
        /// The last leaf.
        last: Timestamp,
    },
    /// A signed checkpoint does not verify.
    #[error("a checkpoint does not verify")]
    Checkpoint(#[from] BadCheckpoint),
    /// The note could not be made.
    #[error("a checkpoint could not be signed")]
    Note(#[from] BadNote),
    /// The log key refused.
    #[error("the log key does not sign")]
    Key,
    /// The anchor file cannot be read or written.
    #[error("the anchor file {0}")]
    Anchor(PathBuf, #[source] std::io::Error),
}

/// Publishes checkpoints and checks the log against them.
pub struct Publisher {
    /// Where the log is.
    pub store: Store,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// The log's own key.
    pub signer: LogSigner,
    /// Its public half, under the log's origin.
    pub verifier: Verifier,
    /// The key of the chain.
    pub mac: RowMac,
    /// Where the newest checkpoint is kept outside the database.
    pub anchor: PathBuf,
}

/// How far a walk over the leaves has come.
#[derive(Clone)]
struct Walk {
    frontier: Frontier,
    chain: [u8; 32],
}

impl Walk {
    fn begin() -> Self {
        Self { frontier: Frontier::new(), chain: [0; 32] }
    }

    fn resume(row: &CheckpointRow) -> Result<Self, Unsound> {
        let frontier = Frontier::from_bytes(&row.frontier).ok_or(Unsound::Forked(row.size))?;
        if frontier.root() != row.root || i64::try_from(frontier.size()) != Ok(row.size) {
            return Err(Unsound::Forked(row.size));
        }
        Ok(Self { frontier, chain: row.chain })
    }

    fn size(&self) -> i64 {
        i64::try_from(self.frontier.size()).unwrap_or(i64::MAX)
    }

    fn step(&mut self, mac: &RowMac, row: &LeafRow) -> Result<(), Unsound> {
        if row.leaf != self.size() {
            return Err(Unsound::Missing(self.size()));
        }
        self.frontier.append(leaf_hash(&row.entry));
        self.chain = link(mac, &self.chain, row.patient, &row.entry, row.personal.as_ref());
        Ok(())
    }
}

impl Publisher {
    /// Signs a checkpoint over all leaves written so far, when there are new ones. Gives its size.
    ///
    /// # Errors
    /// [`Unsound`]: then nothing was signed.
    pub async fn publish(&self) -> Result<i64, Unsound> {
        // The head is read last: another process may write and publish meanwhile, and what it published would then
        // reach beyond the head that was read.
        let (anchored, last) = (self.anchored()?, self.store.last_checkpoint().await?);
        let head = self.store.head().await?.ok_or(Unsound::Unbegun)?;
        if let Some(anchored) = &anchored {
            not_older(head.size, anchored)?;
        }
        // What nobody signed may be anyone's: the walk then begins at the first leaf.
        let vouched = last.filter(|row| !row.note.is_empty());
        let mut walk = match &vouched {
            Some(row) => {
                self.vouch(row)?;
                Walk::resume(row)?
            }
            None => Walk::begin(),
        };
        // Whoever put an older checkpoint back would have another tree signed beside the one that was published.
        if let Some((size, root)) = anchored.and_then(|a| Some((i64::try_from(a.size).ok()?, a.root)))
            && size >= walk.size()
        {
            self.walk_to(&mut walk, size).await?;
            if walk.frontier.root() != root {
                return Err(Unsound::Forked(size));
            }
        }
        if let Some(row) = vouched.filter(|row| row.size == head.size) {
            if walk.chain != head.chain {
                return Err(Unsound::Altered(head.size));
            }
            // Another process may have published it, or this one ended between publishing and anchoring.
            self.keep_anchor(&row.note)?;
            return Ok(row.size);
        }
        self.walk_to(&mut walk, head.size).await?;
        if walk.chain != head.chain {
            return Err(Unsound::Altered(head.size));
        }
        self.publish_walked(&walk).await
    }

    /// Keeps, signs and anchors the head that was walked to.
    async fn publish_walked(&self, walk: &Walk) -> Result<i64, Unsound> {
        let row = CheckpointRow {
            size: walk.size(),
            root: walk.frontier.root(),
            frontier: walk.frontier.to_bytes(),
            chain: walk.chain,
            note: String::new(),
        };
        // Kept before it is signed: whoever signs this size signs this root (TL-08).
        self.store.keep_checkpoint(&row).await?;
        let kept = self.store.checkpoint_at(row.size).await?.ok_or(Unsound::Forked(row.size))?;
        if kept.root != row.root || kept.chain != row.chain {
            return Err(Unsound::Forked(row.size));
        }
        let note = if kept.note.is_empty() {
            self.sign(&row)?
        } else {
            self.vouch(&kept)?;
            kept.note
        };
        self.store.sign_checkpoint(row.size, note.clone()).await?;
        self.keep_anchor(&note)?;
        Ok(row.size)
    }

    /// Holds a checkpoint's row against its own signed note: the note cannot be forged, the rest of the row can.
    fn vouch(&self, row: &CheckpointRow) -> Result<(), Unsound> {
        let (signed, _) = self.keys().open(&row.note, self.clock.now())?;
        let same = signed.root == row.root && i64::try_from(signed.size) == Ok(row.size);
        if same { Ok(()) } else { Err(Unsound::Forked(row.size)) }
    }

    /// Checks the whole log against its checkpoints, the anchor and the clock; what does not agree is not served.
    ///
    /// # Errors
    /// [`Unsound`] with what is wrong.
    pub async fn check(&self) -> Result<Head, Unsound> {
        let head = self.check_unanchored().await?;
        // A log that holds its genesis alone has nothing to go back from.
        if head.size > 1 && !self.anchor.exists() {
            return Err(Unsound::Unanchored(self.anchor.clone()));
        }
        Ok(head)
    }

    /// As [`Publisher::check`], for a log whose anchor is lost: whoever asks vouches that it is the newest.
    ///
    /// # Errors
    /// [`Unsound`] with what is wrong.
    pub async fn check_unanchored(&self) -> Result<Head, Unsound> {
        let (anchored, last) = (self.anchored()?, self.store.last_checkpoint().await?);
        let head = self.store.head().await?.ok_or(Unsound::Unbegun)?;
        let now = self.clock.now();
        if now < head.time {
            return Err(Unsound::ClockBack { now, last: head.time });
        }
        if let Some(anchored) = &anchored {
            not_older(head.size, anchored)?;
        }
        if let Some(row) = last.as_ref().filter(|row| !row.note.is_empty()) {
            self.vouch(row)?;
            if row.size > head.size {
                return Err(Unsound::Forked(row.size));
            }
        }
        let mut stops: Vec<(i64, [u8; 32])> = Vec::new();
        stops.extend(anchored.and_then(|a| Some((i64::try_from(a.size).ok()?, a.root))));
        stops.extend(last.map(|row| (row.size, row.root)));
        stops.sort_unstable();
        let mut walk = Walk::begin();
        for (size, root) in stops {
            self.walk_to(&mut walk, size).await?;
            if walk.frontier.root() != root {
                return Err(Unsound::Forked(size));
            }
        }
        self.walk_to(&mut walk, head.size).await?;
        if walk.chain == head.chain { Ok(head) } else { Err(Unsound::Altered(head.size)) }
    }

    /// The newest signed checkpoint.
    ///
    /// # Errors
    /// [`Unsound`] when none was signed yet or the database fails.
    pub async fn newest(&self) -> Result<String, Unsound> {
        let row = self.store.last_checkpoint().await?.ok_or(Unsound::Unbegun)?;
        if row.note.is_empty() { Err(Unsound::Unbegun) } else { Ok(row.note) }
    }

    async fn walk_to(&self, walk: &mut Walk, size: i64) -> Result<(), Unsound> {
        while walk.size() < size {
            let rows = self.store.leaves(walk.size(), STRIDE.min(size - walk.size())).await?;
            if rows.is_empty() {
                return Err(Unsound::Missing(walk.size()));
            }
            for row in &rows {
                walk.step(&self.mac, row)?;
            }
        }
        Ok(())
    }

    const fn keys(&self) -> Keys<'_> {
        Keys { log: &self.verifier, witnesses: &[] }
    }

    fn sign(&self, row: &CheckpointRow) -> Result<String, Unsound> {
        let size = u64::try_from(row.size).map_err(|_| Unsound::Forked(row.size))?;
        let text = Checkpoint { origin: self.verifier.name().to_owned(), size, root: row.root }.to_text();
        let line = note::sign(&self.verifier, &text, &|bytes| self.signer.sign(bytes).map_err(|_| Unsound::Key))?;
        Ok(note::assemble(&text, &[line]))
    }

    fn anchored(&self) -> Result<Option<Checkpoint>, Unsound> {
        match fs::read_to_string(&self.anchor) {
            Ok(note) => Ok(Some(self.keys().open(&note, self.clock.now())?.0)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Unsound::Anchor(self.anchor.clone(), error)),
        }
    }

    /// Replaces the anchor whole, never by an older one.
    fn keep_anchor(&self, note: &str) -> Result<(), Unsound> {
        let size = |text: &str| Some(Checkpoint::parse(note::unverified_text(text).ok()?).ok()?.size);
        let now_kept = fs::read_to_string(&self.anchor).ok().and_then(|old| size(&old));
        if now_kept >= size(note) {
            return Ok(());
        }
        replace(&self.anchor, note.as_bytes()).map_err(|e| Unsound::Anchor(self.anchor.clone(), e))
    }
}

/// Whether the database reaches as far as what was published.
fn not_older(found: i64, anchored: &Checkpoint) -> Result<(), Unsound> {
    if u64::try_from(found).is_ok_and(|found| found >= anchored.size) {
        Ok(())
    } else {
        Err(Unsound::RolledBack { found, anchored: anchored.size })
    }
}

/// Writes a file so that after a crash it is the old or the new one, whole.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Named by what is in it: two processes that share a folder must not rename each other's half-written file.
    let name: String = sha256(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect();
    let fresh = path.with_extension(format!("{name}.new"));
    let mut file = fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
