//! Searches files for canaries in every form they might have been written in.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The forms of a text: UTF-8, UTF-16 in both orders, hexadecimal in both cases, base64 at each of three offsets.
pub fn forms(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut forms = vec![
        bytes.to_vec(),
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        bytes.iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect(),
        bytes.iter().flat_map(|b| format!("{b:02X}").into_bytes()).collect(),
    ];
    for offset in 0..3 {
        let padded = [vec![b' '; offset], bytes.to_vec()].concat();
        let code = STANDARD.encode(padded).into_bytes();
        // The first characters mix with what stands before the text, the last with what follows.
        let from = if offset == 0 { 0 } else { offset + 1 };
        forms.push(code[from..code.len() - 4].to_vec());
    }
    forms
}

/// Whether any of `forms` occurs in `bytes`. One pass: pairs of first bytes are looked up in a table.
pub fn holds(bytes: &[u8], forms: &[Vec<u8>]) -> bool {
    let mut begins = vec![false; 1 << 16];
    for form in forms {
        begins[usize::from(u16::from_be_bytes([form[0], form[1]]))] = true;
    }
    bytes.windows(2).enumerate().any(|(at, pair)| {
        begins[usize::from(u16::from_be_bytes([pair[0], pair[1]]))]
            && forms.iter().any(|form| bytes[at..].starts_with(form))
    })
}

/// The files below `folder` that hold any of `canaries` in any form.
pub fn folder(folder: &Path, canaries: &[String]) -> Vec<PathBuf> {
    let forms: Vec<Vec<u8>> = canaries.iter().flat_map(|text| forms(text)).collect();
    let mut found = Vec::new();
    if forms.is_empty() {
        return found;
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(listing) = std::fs::read_dir(&folder) else { continue };
        for item in listing.flatten() {
            let path = item.path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).is_ok_and(|bytes| holds(&bytes, &forms)) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_canary_is_found_in_each_of_its_forms_wherever_it_stands() {
    let text = "Kanariabcdefgh";
    for form in forms(text) {
        for lead in 0..4 {
            let hay = [vec![b'K'; lead], form.clone(), b"xyz".to_vec()].concat();
            assert!(holds(&hay, &forms(text)));
        }
    }
    for lead in ["", "x", "xy", "xyz"] {
        let code = STANDARD.encode(format!("{lead}{text}, and more"));
        assert!(holds(code.as_bytes(), &forms(text)), "{lead}");
    }
    assert!(!holds(b"Kanariabcdefgi", &forms(text)));
}
