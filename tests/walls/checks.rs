//! The walls as functions: each takes what was read and gives what is wrong with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::source::{self, Named};

/// A room, the rooms it may name, and the crates it may name.
pub(crate) struct Room(pub(crate) &'static str, pub(crate) &'static [&'static str], pub(crate) &'static [&'static str]);

/// Parts of the standard library that reach outside the process.
const OUTWARD: &[&str] = &["std::env", "std::fs", "std::net", "std::process", "std::thread"];
/// Names that say nothing about what is inside.
const EMPTY: &[&str] =
    &["common", "handler", "helper", "helpers", "info", "manager", "misc", "service", "util", "utils"];
/// What a room says before anybody has built it.
const PLANNED: &str = "Charter to be written";

/// One source file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) room: String,
    pub(crate) text: String,
    /// Without comments, strings and test items; empty for a file of tests.
    pub(crate) code: String,
    /// Whether all of it is compiled for tests only.
    pub(crate) test: bool,
    /// The modules it declares for tests only.
    pub(crate) test_modules: Vec<String>,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, test_modules) = source::without_tests(&source::blanked(text));
        let below = path.strip_prefix("src/").unwrap_or(path);
        let room = below.split(['/', '.']).next().unwrap_or_default().to_owned();
        Self { path: path.to_owned(), room, text: text.to_owned(), code, test: false, test_modules }
    }

    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    fn named(&self) -> Vec<Named> {
        source::named(&self.code)
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// All Rust files below `folder`, in order of their paths.
pub(crate) fn read(folder: &str) -> Vec<File> {
    let texts = texts_ending(folder, "rs");
    let mut files: Vec<File> =
        texts.into_iter().map(|(path, text)| File::new(&format!("{folder}/{path}"), &text)).collect();
    let tests: Vec<String> = files.iter().flat_map(test_files).collect();
    for file in &mut files {
        if tests.iter().any(|t| file.path == format!("{t}.rs") || file.path.starts_with(&format!("{t}/"))) {
            file.test = true;
            file.code.clear();
        }
    }
    files
}

/// The modules that `file` declares for tests only, as paths without ending.
fn test_files(file: &File) -> Vec<String> {
    let stem = file.path.strip_suffix("/mod.rs").or_else(|| file.path.strip_suffix(".rs")).unwrap_or(&file.path);
    file.test_modules.iter().map(|name| format!("{stem}/{name}")).collect()
}

/// All migrations below `folder` as (path within it, text), in order.
pub(crate) fn texts(folder: &str) -> Vec<(String, String)> {
    texts_ending(folder, "sql")
}

fn texts_ending(folder: &str, ending: &str) -> Vec<(String, String)> {
    let (mut found, mut open) = (Vec::new(), vec![Path::new(folder).to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == ending)
                && let (Ok(name), Ok(text)) = (path.strip_prefix(folder), fs::read_to_string(&path))
            {
                found.push((name.to_string_lossy().into_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The crates of `Cargo.toml`, as code spells them.
pub(crate) fn dependencies(manifest: &str) -> BTreeSet<String> {
    let (mut inside, mut found) = (false, BTreeSet::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies]");
        } else if inside
            && !line.starts_with('#')
            && let Some((name, _)) = line.split_once('=')
        {
            found.insert(name.trim().replace('-', "_"));
        }
    }
    found
}

/// The room a path leads to, when it leads to one.
fn room_named(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("crate::").or_else(|| path.strip_prefix("garant::"))?;
    rest.split("::").next()
}

/// Rooms named that the table does not allow, and climbs over the wall by `super`.
pub(crate) fn strange_rooms(file: &File, house: &[Room]) -> Vec<String> {
    let allowed = house.iter().find(|r| r.0 == file.room).map_or(&[][..], |r| r.1);
    // `src/vault/mod.rs` stands in the room itself, `src/vault/seal.rs` one step inside.
    let depth = file.path.trim_end_matches("/mod.rs").matches('/').count();
    let mut wrong = Vec::new();
    for Named { path, line } in file.named() {
        if path.split("::").take_while(|p| *p == "super").count() >= depth {
            wrong.push(file.at(line, &format!("{path} climbs out of the room; write crate::…")));
        }
        if path == "crate" || path == "garant" {
            wrong.push(file.at(line, "names the whole house"));
        }
        let Some(room) = room_named(&path).filter(|r| *r != file.room) else { continue };
        let known = house.iter().any(|r| r.0 == room);
        if !known || !(allowed.contains(&room) || allowed.contains(&"*")) {
            wrong.push(file.at(line, &format!("{} may not name {room} ({path})", file.room)));
        }
    }
    wrong
}

/// What a path needs permission for: a crate, or a part of the standard library that reaches outside.
fn crate_named<'a>(path: &'a str, crates: &BTreeSet<String>) -> Option<&'a str> {
    let first = path.split("::").next()?;
    if crates.contains(first) {
        return Some(first);
    }
    OUTWARD.iter().copied().find(|part| path == *part || path.starts_with(&format!("{part}::")))
}

/// Crates named that the table does not allow.
pub(crate) fn strange_crates(file: &File, house: &[Room], crates: &BTreeSet<String>) -> Vec<String> {
    let allowed = house.iter().find(|r| r.0 == file.room).map_or(&[][..], |r| r.2);
    let named = file.named();
    let strange = named.iter().filter_map(|n| Some((n.line, crate_named(&n.path, crates)?)));
    strange
        .filter(|(_, name)| !allowed.contains(name))
        .map(|(line, name)| file.at(line, &format!("{} may not name {name}", file.room)))
        .collect()
}

/// Permissions of built rooms that no file of theirs uses.
pub(crate) fn unused(files: &[File], house: &[Room]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Room(room, rooms, crates) in house {
        let own: Vec<&File> = files.iter().filter(|f| f.room == *room).collect();
        // A planned room keeps its plan; the roof, which names all rooms, is put together from what it needs.
        if own.iter().any(|f| f.text.contains(PLANNED)) || rooms.contains(&"*") || *room == "main" {
            continue;
        }
        let paths: Vec<String> = own.iter().flat_map(|f| f.named()).map(|n| n.path).collect();
        for other in *rooms {
            if !paths.iter().any(|p| room_named(p) == Some(other)) {
                wrong.push(format!("{room} may name the room {other} but does not"));
            }
        }
        for name in *crates {
            if !paths.iter().any(|p| p == name || p.starts_with(&format!("{name}::"))) {
                wrong.push(format!("{room} may name {name} but does not"));
            }
        }
    }
    wrong
}

/// What the table itself may not say.
pub(crate) fn unsound(house: &[Room], blind: &[&[&str]], doors: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (floor, Room(room, rooms, _)) in house.iter().enumerate() {
        let below = house.get(..floor).unwrap_or_default();
        for other in rooms.iter().filter(|r| **r != "*") {
            if !below.iter().any(|r| r.0 == *other) {
                wrong.push(format!("{room} names {other}, which does not stand before it"));
            }
            if blind.iter().any(|set| set.contains(room) && set.contains(other)) {
                wrong.push(format!("{room} names {other}, and they must be blind to each other"));
            }
            if doors.contains(room) && ["policy", "vault", "store", "db"].contains(other) {
                wrong.push(format!("{room} is a door and names {other}"));
            }
        }
    }
    wrong
}

/// Capabilities named outside the rooms that hold them.
pub(crate) fn strange_keys(file: &File, keyholders: &[(&str, &[&str])]) -> Vec<String> {
    let words = |line: &str| -> BTreeSet<String> {
        line.split(|c: char| c != '_' && !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let mut wrong = Vec::new();
    for (line, text) in file.code.lines().enumerate() {
        let words = words(text);
        for (key, rooms) in keyholders {
            if words.contains(*key) && !rooms.contains(&file.room.as_str()) {
                wrong.push(file.at(line + 1, &format!("{} may not name {key}", file.room)));
            }
        }
    }
    wrong
}

/// Transactions begun where none may begin.
pub(crate) fn strange_turns(file: &File, places: &[&str]) -> Vec<String> {
    if places.iter().any(|p| file.path.starts_with(p)) {
        return Vec::new();
    }
    let begins = |line: &str| [".begin(", ".writer(", "::writer("].iter().any(|w| line.contains(w));
    let lines = file.code.lines().enumerate().filter(|(_, text)| begins(text));
    lines.map(|(line, _)| file.at(line + 1, "begins a transaction; use Db::transact or the ledger's turn")).collect()
}

/// The first `unsafe` of a file, test code included.
pub(crate) fn unsafety(file: &File) -> Option<String> {
    let code = source::blanked(&file.text);
    let is_word = |w: &str| w == concat!("un", "safe");
    let line = code.lines().position(|l| l.split(|c: char| c != '_' && !c.is_alphanumeric()).any(is_word))?;
    Some(file.at(line + 1, "unsafe"))
}

/// A file longer than `most` lines, unless it is a file of tests.
pub(crate) fn too_long(file: &File, most: usize) -> Option<String> {
    (!file.test && file.lines() > most).then(|| format!("{} has {} lines", file.path, file.lines()))
}

/// A room's `mod.rs` that does not say what the room must never do.
pub(crate) fn no_charter(file: &File) -> Option<String> {
    let folders = file.path.matches('/').count();
    if file.test || folders != 2 || !file.path.ends_with("/mod.rs") {
        return None;
    }
    let charter: String =
        file.text.lines().take_while(|l| l.starts_with("//!")).map(|l| l.get(3..).unwrap_or_default()).collect();
    let complete = ["Lives here", "May touch", "Must never"].iter().all(|part| charter.contains(part));
    (!complete).then(|| format!("{}: the charter must say Lives here, May touch, Must never", file.path))
}

/// A file that does not begin with a line on what it is.
pub(crate) fn no_opening(file: &File) -> Option<String> {
    let opens = file.text.lines().next().is_some_and(|l| l.starts_with("//! ") && l.len() > 8);
    (!opens).then(|| format!("{}: does not begin with `//!` and what it is", file.path))
}

/// A file or folder whose name says nothing.
pub(crate) fn empty_name(file: &File) -> Option<String> {
    let part = file.path.trim_end_matches(".rs").split('/').find(|part| EMPTY.contains(part))?;
    Some(format!("{}: what is in a {part}?", file.path))
}

/// Words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Files and folders that a text names in backticks and that are not there.
pub(crate) fn missing_places(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let endings = [".rs", ".md", ".toml", ".sql", ".cedar"];
    let is_place = |word: &&str| {
        !word.contains([' ', '<', '…', '*', '(', '{'])
            && (word.ends_with('/') || word.contains('/') || endings.iter().any(|e| word.ends_with(e)))
            && !word.starts_with('/')
            && *word != "mod.rs"
    };
    let found = |word: &str| exists(word) || exists(&format!("src/{word}")) || exists(&format!("src/{word}.rs"));
    quoted(text).filter(is_place).filter(|w| !found(w)).map(|w| format!("`{w}` is not there")).collect()
}

/// Rooms that a text does not name in backticks.
pub(crate) fn unnamed<'a>(text: &str, rooms: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<&str> = quoted(text).collect();
    rooms.filter(|r| !names.contains(r)).map(|r| format!("room `{r}` is not named")).collect()
}

/// Tests that a table of promises names in backticks and that no source text has.
pub(crate) fn missing_tests(text: &str, sources: &[&str]) -> Vec<String> {
    let rows: String = text.lines().filter(|l| l.starts_with("| P")).collect();
    let is_test = |word: &&str| word.matches('_').count() > 2;
    let found = |word: &str| sources.iter().any(|s| s.contains(&format!("fn {word}(")));
    let missing = quoted(&rows).filter(is_test).filter(|w| !found(w));
    missing.map(|w| format!("no test `{w}`")).collect()
}
