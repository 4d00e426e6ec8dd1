//! Tiles: the log cut into files that never change once full (C2SP tlog-tiles).

use std::fmt;

use super::checkpoint::decimal;
use super::merkle::{Hash, root_of};
use super::path::{BadProof, HashSource, Node};

/// Hashes or entries in a full tile.
pub const FULL: u16 = 256;

/// What a tile holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shelf {
    /// Roots of complete subtrees of 256^level leaves.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// One tile: the hashes or entries from `index * 256` on, `width` of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tile {
    /// What it holds.
    pub shelf: Shelf,
    /// Position on its shelf.
    pub index: u64,
    /// 1 to 256; less than 256 is a partial tile.
    pub width: u16,
}

impl Tile {
    /// The highest level there can be in a log of 64-bit positions.
    const TOP: u8 = 7;

    /// Reads a path as [`fmt::Display`] writes it; `None` for any other spelling.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (shelf, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let shelf = match shelf {
            "entries" => Shelf::Entries,
            level => Shelf::Hashes(decimal(level).and_then(|l| u8::try_from(l).ok()).filter(|l| *l <= Self::TOP)?),
        };
        let (position, width) = match rest.split_once(".p/") {
            None => (rest, FULL),
            Some((position, width)) => {
                (position, decimal(width).and_then(|w| u16::try_from(w).ok()).filter(|w| (1..FULL).contains(w))?)
            }
        };
        let mut index = 0u64;
        for group in position.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self { shelf, index, width };
        // Missing `x`, leading groups of zeros: whatever has another spelling is not this tile's path.
        (tile.to_string() == path).then_some(tile)
    }

    /// Whether a log of `size` leaves has this tile, full or partial exactly as it stands at that size (TL-23).
    #[must_use]
    pub fn stands_at(&self, size: u64) -> bool {
        width_at(self.shelf, self.index, size) == Some(self.width)
    }
}

/// Width of the tile at `index` in a log of `size` leaves; `None` when there is none.
#[must_use]
pub fn width_at(shelf: Shelf, index: u64, size: u64) -> Option<u16> {
    let held = on_shelf(shelf, size).checked_sub(index.checked_mul(FULL.into())?)?;
    match held {
        0 => None,
        some => u16::try_from(some.min(FULL.into())).ok(),
    }
}

/// How many hashes or entries the shelf holds in a log of `size` leaves.
fn on_shelf(shelf: Shelf, size: u64) -> u64 {
    match shelf {
        Shelf::Entries => size,
        Shelf::Hashes(level) => size.checked_shr(8 * u32::from(level)).unwrap_or(0),
    }
}

impl fmt::Display for Tile {
    /// The path: `tile/0/x001/x234/067`, `tile/entries/000.p/17` (TL-20, TL-21).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shelf {
            Shelf::Hashes(level) => write!(f, "tile/{level}/")?,
            Shelf::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = Vec::new();
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.width < FULL { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// The tiles that are new or larger in a log of `new` leaves than in one of `old`, as they stand at `new`.
pub fn growth(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let shelves = std::iter::once(Shelf::Entries).chain((0..=Tile::TOP).map(Shelf::Hashes));
    shelves.flat_map(move |shelf| {
        let (before, after) = (on_shelf(shelf, old), on_shelf(shelf, new));
        let first = before / u64::from(FULL);
        let end = if after > before { after.div_ceil(FULL.into()) } else { first };
        (first..end).filter_map(move |index| width_at(shelf, index, new).map(|width| Tile { shelf, index, width }))
    })
}

/// The bytes of a hash tile, from any source of subtree hashes.
pub fn bytes(tile: &Tile, source: &(impl HashSource + ?Sized)) -> Result<Vec<u8>, BadProof> {
    let Shelf::Hashes(level) = tile.shelf else { return Err(BadProof::Length) };
    let from = tile.index.checked_mul(FULL.into()).ok_or(BadProof::Length)?;
    let mut out = Vec::with_capacity(32 * usize::from(tile.width));
    for index in from..from.saturating_add(tile.width.into()) {
        out.extend_from_slice(&source.subtree(Node { level: level * 8, index })?);
    }
    Ok(out)
}

/// Subtree hashes out of tiles that `fetch` gives. Nothing here is authentic: whoever makes a proof from it
/// checks the proof against a signed root, as `proof::Proof::make` does. (A known tile reader checks tiles and
/// misses some; the check at the end misses none.)
pub struct TileHashes<F> {
    /// Size of the log the tiles are those of.
    pub size: u64,
    /// Gives a tile's bytes.
    pub fetch: F,
}

impl<F: Fn(&Tile) -> Option<Vec<u8>>> HashSource for TileHashes<F> {
    fn subtree(&self, node: Node) -> Result<Hash, BadProof> {
        let missing = || BadProof::Missing(node);
        let above = u32::from(node.level % 8);
        let first = node.index.checked_mul(1 << above).ok_or_else(missing)?;
        let held = Shelf::Hashes(node.level / 8);
        let index = first / u64::from(FULL);
        let width = width_at(held, index, self.size).ok_or_else(missing)?;
        let bytes = (self.fetch)(&Tile { shelf: held, index, width }).ok_or_else(missing)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() != usize::from(width) {
            return Err(missing());
        }
        let from = usize::try_from(first % u64::from(FULL)).map_err(|_| missing())?;
        hashes.get(from..from + (1 << above)).map(root_of).ok_or_else(missing)
    }
}

/// Appends an entry to a bundle behind its length (16 bits, big-endian); `None` when it is too long.
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let length = u16::try_from(entry.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}

/// Takes the first entry off a bundle; `None` when the bundle ends within it.
#[must_use]
pub fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Where tiles and their hashes are handed to.
pub type Taker<'t, E> = &'t mut dyn FnMut(Tile, &[Hash]) -> Result<(), E>;

/// The tiles under construction: at most 255 hashes per level, whatever the size of the log.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    size: u64,
    rows: Vec<Vec<Hash>>,
}

impl Rows {
    /// No leaves yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and hands each tile it completes to `full`, the lowest level first.
    pub fn push<E>(&mut self, leaf: Hash, full: Taker<'_, E>) -> Result<(), E> {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..=Tile::TOP {
            let at = usize::from(level);
            if self.rows.len() == at {
                self.rows.push(Vec::with_capacity(FULL.into()));
            }
            let Some(row) = self.rows.get_mut(at) else { return Ok(()) };
            row.push(hash);
            if row.len() < usize::from(FULL) {
                return Ok(());
            }
            hash = root_of(row);
            let index = on_shelf(Shelf::Hashes(level), self.size) / u64::from(FULL) - 1;
            full(Tile { shelf: Shelf::Hashes(level), index, width: FULL }, row)?;
            row.clear();
        }
        Ok(())
    }

    /// Hands the partial tiles to `take`, the lowest level first.
    pub fn partial<E>(&self, take: Taker<'_, E>) -> Result<(), E> {
        for (shelf, row) in (0..).map(Shelf::Hashes).zip(&self.rows).filter(|(_, row)| !row.is_empty()) {
            let index = on_shelf(shelf, self.size) / u64::from(FULL);
            if let Some(width) = width_at(shelf, index, self.size) {
                take(Tile { shelf, index, width }, row)?;
            }
        }
        Ok(())
    }

    /// The root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut below: Option<Hash> = None;
        for row in &self.rows {
            // What is less than a full tile stands, as one hash, at the right end of the next level.
            let whole: Vec<Hash> = row.iter().copied().chain(below).collect();
            below = if whole.is_empty() { None } else { Some(root_of(&whole)) };
        }
        below.unwrap_or_else(super::merkle::empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_one_path() {
        let tile = |shelf, index, width| Tile { shelf, index, width };
        for (at, path) in [
            (tile(Shelf::Hashes(0), 1_234_067, FULL), "tile/0/x001/x234/067"),
            (tile(Shelf::Hashes(1), 0, FULL), "tile/1/000"),
            (tile(Shelf::Entries, 255, FULL), "tile/entries/255"),
            (tile(Shelf::Entries, 1000, 17), "tile/entries/x001/000.p/17"),
            (tile(Shelf::Hashes(7), u64::MAX, 1), "tile/7/x018/x446/x744/x073/x709/x551/615.p/1"),
        ] {
            assert_eq!(at.to_string(), path);
            assert_eq!(Tile::parse(path), Some(at));
        }
        for bad in [
            "tile/0/0",
            "tile/0/x000/001",
            "tile/0/1000",
            "tile/0/001/002",
            "tile/8/000",
            "tile/00/000",
            "tile/0/000/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/-1/000",
            "tile/x/000",
            "tile/0/../000",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "/tile/0/000",
            "tile/0/00é",
            "",
        ] {
            assert_eq!(Tile::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn growth_names_the_tiles_that_change_and_no_others() {
        let paths = |old, new| growth(old, new).map(|t| t.to_string()).collect::<Vec<_>>();
        assert_eq!(paths(0, 0), Vec::<String>::new());
        assert_eq!(paths(7, 7), Vec::<String>::new());
        assert_eq!(paths(0, 1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(paths(255, 256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(paths(256, 257), ["tile/entries/001.p/1", "tile/0/001.p/1"]);
        assert_eq!(
            paths(250, 520),
            [
                "tile/entries/000",
                "tile/entries/001",
                "tile/entries/002.p/8",
                "tile/0/000",
                "tile/0/001",
                "tile/0/002.p/8",
                "tile/1/000.p/2"
            ]
        );
        assert_eq!(growth(65_535, 65_536).last().unwrap().to_string(), "tile/2/000.p/1");
    }

    #[test]
    fn a_bundle_gives_back_its_entries_and_stops_where_it_breaks_off() {
        let mut bundle = Vec::new();
        push_entry(&mut bundle, b"").unwrap();
        push_entry(&mut bundle, &vec![7; 65_535]).unwrap();
        assert_eq!(push_entry(&mut bundle, &vec![7; 65_536]), None);
        let (first, rest) = split_entry(&bundle).unwrap();
        let (second, rest) = split_entry(rest).unwrap();
        assert_eq!((first.len(), second.len(), rest.len()), (0, 65_535, 0));
        assert_eq!(split_entry(rest), None);
        assert_eq!(split_entry(&bundle[2..100]), None);
        assert_eq!(split_entry(&[0]), None);
    }
}
