//! Writes a log as a folder that [`super::verify`] reads: `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint::{BadCheckpoint, Checkpoint};
use super::merkle::leaf_hash;
use super::note::unverified_text;
use super::tiles::{self, FULL, Rows, Shelf, Tile};

/// Why the folder was not written to its end; it then has no checkpoint and verifies nowhere.
#[derive(Debug, thiserror::Error)]
pub enum BadExport {
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder holds something already.
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
    /// An entry is longer than a bundle can say.
    #[error("entry {0} is longer than 65535 bytes")]
    TooLong(u64),
    /// The note is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// The entries given are not those of the checkpoint.
    #[error("the checkpoint is for {signed} entries of another content; {given} were given")]
    Another {
        /// Size in the checkpoint.
        signed: u64,
        /// Entries given.
        given: u64,
    },
}

/// A folder being written; entries come in order, the checkpoint last.
pub struct Export {
    folder: PathBuf,
    rows: Rows,
    bundle: Vec<u8>,
}

impl Export {
    /// Begins in a folder that is empty or does not exist yet.
    ///
    /// # Errors
    /// [`BadExport`] when it holds something or cannot be made.
    pub fn begin(folder: &Path) -> Result<Self, BadExport> {
        let failed = |source| BadExport::File { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        if fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(BadExport::NotEmpty(folder.to_owned()));
        }
        Ok(Self { folder: folder.to_owned(), rows: Rows::new(), bundle: Vec::new() })
    }

    /// Appends the next entry.
    ///
    /// # Errors
    /// [`BadExport`] when the entry is too long or a tile cannot be written.
    pub fn push(&mut self, entry: &[u8]) -> Result<(), BadExport> {
        let at = self.rows.size();
        tiles::push_entry(&mut self.bundle, entry).ok_or(BadExport::TooLong(at))?;
        let folder = &self.folder;
        self.rows.push(leaf_hash(entry), &mut |tile, row| write(folder, &tile.to_string(), row.as_flattened()))?;
        if self.rows.size().is_multiple_of(FULL.into()) { self.write_bundle(FULL) } else { Ok(()) }
    }

    fn write_bundle(&mut self, width: u16) -> Result<(), BadExport> {
        let index = (self.rows.size() - 1) / u64::from(FULL);
        write(&self.folder, &Tile { shelf: Shelf::Entries, index, width }.to_string(), &self.bundle)?;
        self.bundle.clear();
        Ok(())
    }

    /// Writes what is partial, then the checkpoint.
    ///
    /// # Errors
    /// [`BadExport::Another`] when the entries do not make the tree of the checkpoint; then none is written.
    pub fn finish(mut self, checkpoint: &str) -> Result<(), BadExport> {
        let text = unverified_text(checkpoint).map_err(BadCheckpoint::from)?;
        let head = Checkpoint::parse(text)?.head();
        let given = self.rows.size();
        if head.size != given || head.root != self.rows.root() {
            return Err(BadExport::Another { signed: head.size, given });
        }
        let folder = &self.folder;
        self.rows.partial(&mut |tile, row| write(folder, &tile.to_string(), row.as_flattened()))?;
        if let Some(width) = tiles::width_at(Shelf::Entries, given / u64::from(FULL), given) {
            self.write_bundle(width)?;
        }
        write(&self.folder, "checkpoint", checkpoint.as_bytes())
    }
}

/// Writes a whole log at once.
///
/// # Errors
/// As [`Export::push`] and [`Export::finish`].
pub fn export<B: AsRef<[u8]>>(
    folder: &Path,
    entries: impl IntoIterator<Item = B>,
    checkpoint: &str,
) -> Result<(), BadExport> {
    let mut export = Export::begin(folder)?;
    for entry in entries {
        export.push(entry.as_ref())?;
    }
    export.finish(checkpoint)
}

/// A file appears whole or not at all: a reader of a growing folder never sees half a tile.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), BadExport> {
    let path = folder.join(name);
    let failed = |source| BadExport::File { path: path.clone(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let unfinished = folder.join(".unfinished");
    fs::write(&unfinished, bytes).map_err(failed)?;
    fs::rename(&unfinished, &path).map_err(failed)
}
