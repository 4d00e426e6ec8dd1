//! Verifies an exported log offline: public keys, a folder, nothing else (P29, P31, P03).
//!
//! Entries are read once, in order, in memory that does not grow with their content: tiles of at most 256
//! hashes per level, and what [`Law`] must remember.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::checkpoint::{BadCheckpoint, Checkpoint, Keys};
use super::entry::{BadEntry, Entry};
use super::law::{Breach, Law};
use super::merkle::{Hash, leaf_hash};
use super::note::Signed;
use super::tiles::{FULL, Rows, Shelf, Tile, split_entry, width_at};
use super::words::Act;
use crate::clock::Timestamp;

/// The first thing found wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file is missing or cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that a log of the signed size does not have.
    #[error("{0} does not belong to a log of the signed size")]
    Stray(PathBuf),
    /// The signed checkpoint does not hold.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] BadCheckpoint),
    /// A bundle does not hold exactly its entries.
    #[error("{tile}: the bundle breaks off or goes on at entry {index}")]
    Bundle {
        /// Which bundle.
        tile: Tile,
        /// First entry that is not there, or the first too many.
        index: u64,
    },
    /// An entry and the hash tile beside it disagree.
    #[error("entry {index} is not the one hashed in {tile}")]
    Leaf {
        /// Position.
        index: u64,
        /// The hash tile.
        tile: Tile,
    },
    /// An entry is not a leaf of this log.
    #[error("entry {index}: {source}")]
    Entry {
        /// Position.
        index: u64,
        /// Why.
        source: BadEntry,
    },
    /// A hash tile is not that of the entries.
    #[error("{tile} differs from the entries at its hash {at}")]
    Tile {
        /// Which tile.
        tile: Tile,
        /// First hash that differs or is missing.
        at: usize,
    },
    /// The house law is broken.
    #[error(transparent)]
    Law(#[from] Breach),
    /// All files agree with one another and not with the signature.
    #[error("the {0} entries do not make the signed root")]
    Root(u64),
    /// The log is not a continuation of the older one.
    #[error("the log is not a continuation of the trusted checkpoint at size {0}")]
    Rewritten(u64),
}

/// What the verifier trusts beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'k> {
    /// The log's key and the witnesses known.
    pub keys: Keys<'k>,
    /// A checkpoint seen earlier, which the log must continue.
    pub older: Option<&'k Checkpoint>,
    /// The present, against cosignatures from the future.
    pub now: Timestamp,
}

/// What was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The signed head.
    pub checkpoint: Checkpoint,
    /// Known keys that signed it, the log among them.
    pub signed: Vec<Signed>,
    /// How many entries of each act.
    pub acts: BTreeMap<Act, u64>,
    /// Time of the first and the last entry.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Consents in force at the end.
    pub active_consents: u64,
    /// Whether hash tiles were there and compared.
    pub tiles: bool,
}

/// Verifies the log in `folder`, telling `progress` how many of how many entries are done.
///
/// # Errors
/// [`Fault`]: the first thing wrong. Only `Ok` says that the log is whole.
pub fn verify(folder: &Path, trust: &Trust<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Fault> {
    let note = read(folder, "checkpoint", 64 * 1024)?;
    let note = String::from_utf8(note).map_err(|_| BadCheckpoint::Malformed("not UTF-8"))?;
    let (checkpoint, signed) = trust.keys.open(&note, trust.now)?;
    if trust.older.is_some_and(|o| o.origin != checkpoint.origin || o.size > checkpoint.size) {
        return Err(Fault::Rewritten(trust.older.map_or(0, |o| o.size)));
    }
    let tiles = survey(folder, checkpoint.size)?;
    let mut run = Run { folder, trust, size: checkpoint.size, tiles, rows: Rows::new(), law: Law::new() };
    let mut report = Report { checkpoint, signed, acts: BTreeMap::new(), span: None, active_consents: 0, tiles };
    run.compare_older()?;
    for index in 0..run.size.div_ceil(FULL.into()) {
        run.bundle(index, &mut report)?;
        progress(run.rows.size(), run.size);
    }
    run.rows.partial(&mut |tile, row| if tiles { compare(folder, tile, row) } else { Ok(()) })?;
    if run.rows.size() != report.checkpoint.size || run.rows.root() != report.checkpoint.root {
        return Err(Fault::Root(run.rows.size()));
    }
    report.active_consents = run.law.active_consents();
    Ok(report)
}

struct Run<'r> {
    folder: &'r Path,
    trust: &'r Trust<'r>,
    size: u64,
    tiles: bool,
    rows: Rows,
    law: Law,
}

impl Run<'_> {
    fn bundle(&mut self, index: u64, report: &mut Report) -> Result<(), Fault> {
        let Some(width) = width_at(Shelf::Entries, index, self.size) else { return Ok(()) };
        let tile = Tile { shelf: Shelf::Entries, index, width };
        let bytes = read(self.folder, &tile.to_string(), usize::from(width) * (2 + Entry::LONGEST))?;
        let hashes = self.leaf_hashes(index, width)?;
        let mut rest = bytes.as_slice();
        for at in 0..usize::from(width) {
            let index = self.rows.size();
            let (entry, more) = split_entry(rest).ok_or(Fault::Bundle { tile, index })?;
            rest = more;
            let leaf = leaf_hash(entry);
            if let Some((tile, hashes)) = &hashes
                && hashes.get(at) != Some(&leaf)
            {
                return Err(Fault::Leaf { index, tile: *tile });
            }
            self.entry(entry, leaf, report)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(Fault::Bundle { tile, index: self.rows.size() }) }
    }

    fn entry(&mut self, bytes: &[u8], leaf: Hash, report: &mut Report) -> Result<(), Fault> {
        let index = self.rows.size();
        let entry = Entry::parse(bytes).map_err(|source| Fault::Entry { index, source })?;
        self.law.take(&entry)?;
        let (folder, tiles) = (self.folder, self.tiles);
        self.rows.push(leaf, &mut |tile, row| {
            // The lowest level was compared leaf by leaf already.
            if tiles && tile.shelf != Shelf::Hashes(0) { compare(folder, tile, row) } else { Ok(()) }
        })?;
        *report.acts.entry(entry.act).or_default() += 1;
        report.span = Some((report.span.map_or(entry.time, |(first, _)| first), entry.time));
        self.compare_older()
    }

    /// At the size of the older checkpoint the root must be the older root: the one consistency check that
    /// needs no proof.
    fn compare_older(&self) -> Result<(), Fault> {
        match self.trust.older {
            Some(older) if older.size == self.rows.size() && older.root != self.rows.root() => {
                Err(Fault::Rewritten(older.size))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn leaf_hashes(&self, index: u64, width: u16) -> Result<Option<(Tile, Vec<Hash>)>, Fault> {
        if !self.tiles {
            return Ok(None);
        }
        let tile = Tile { shelf: Shelf::Hashes(0), index, width };
        Ok(Some((tile, hash_tile(self.folder, tile)?)))
    }
}

/// The hashes in a tile; exactly as many as its width.
fn hash_tile(folder: &Path, tile: Tile) -> Result<Vec<Hash>, Fault> {
    let bytes = read(folder, &tile.to_string(), 32 * usize::from(tile.width))?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() != usize::from(tile.width) {
        return Err(Fault::Tile { tile, at: hashes.len() });
    }
    Ok(hashes.to_vec())
}

fn compare(folder: &Path, tile: Tile, row: &[Hash]) -> Result<(), Fault> {
    let hashes = hash_tile(folder, tile)?;
    match hashes.iter().zip(row).position(|(a, b)| a != b) {
        Some(at) => Err(Fault::Tile { tile, at }),
        None => Ok(()),
    }
}

/// Reads a file of at most `most` bytes; a longer one is refused before it fills the memory.
fn read(folder: &Path, name: &str, most: usize) -> Result<Vec<u8>, Fault> {
    let path = folder.join(name);
    let failed = |source| Fault::File { path: path.clone(), source };
    let file = File::open(&path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "longer than it can be")));
    }
    Ok(bytes)
}

/// Refuses every file under `tile` that a log of `size` leaves does not have, so that nothing goes unread;
/// says whether there are hash tiles.
fn survey(folder: &Path, size: u64) -> Result<bool, Fault> {
    let mut hashes = false;
    let mut folders = vec!["tile".to_owned()];
    while let Some(name) = folders.pop() {
        let path = folder.join(&name);
        let failed = |source| Fault::File { path: path.clone(), source };
        let listing = match fs::read_dir(&path) {
            // An empty log has no tiles; any other will be missed when it is read.
            Err(e) if e.kind() == io::ErrorKind::NotFound && name == "tile" => return Ok(false),
            other => other.map_err(failed)?,
        };
        for item in listing {
            let item = item.map_err(failed)?;
            let kind = item.file_type().map_err(failed)?;
            let stray = || Fault::Stray(item.path());
            let child = format!("{name}/{}", item.file_name().to_str().ok_or_else(stray)?);
            if kind.is_dir() {
                folders.push(child);
                continue;
            }
            // A link may lead anywhere and change after it was checked: only plain files count.
            let tile = Tile::parse(&child).filter(|t| kind.is_file() && t.stands_at(size)).ok_or_else(stray)?;
            hashes |= tile.shelf != Shelf::Entries;
        }
    }
    Ok(hashes)
}
