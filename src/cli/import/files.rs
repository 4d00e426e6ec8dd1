//! Which files are meant.

use std::path::{Path, PathBuf};

use super::CannotImport;

/// The files that `paths` name, folders searched for `*.json`, in order of their names and each once.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CannotImport> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|error| CannotImport::Path(path.clone(), error))?;
        if metadata.is_dir() {
            search(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() { Err(CannotImport::Nothing) } else { Ok(found) }
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), CannotImport> {
    let fault = |error| CannotImport::Path(folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let path = entry.path();
        // Links to folders are not followed: they may go round in a circle.
        if entry.file_type().map_err(fault)?.is_dir() {
            search(&path, found)?;
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            found.push(path);
        }
    }
    Ok(())
}
