//! 120 synthetic Bundles, when the archive is at hand.

use std::path::PathBuf;
use std::process::Command;

use super::{envelope, tree};
use crate::clock::{Stopwatch, Timestamp};
use crate::fhir::{
    Answers, Bundle, ContentFacts, Links, Query, SearchValues, Subject, extract, subject_resolved, validate,
};
use crate::json::{Limits, parse};

/// The Bundles' texts; `None`, with the reason printed, when they are not here.
fn bundles() -> Option<Vec<String>> {
    let archive = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/carebundle.tar.zst");
    if !archive.exists() {
        eprintln!("skipped: {} is not there", archive.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new("tar").arg("--zstd").arg("-xf").arg(&archive).arg("-C").arg(folder.path()).status();
    if !done.is_ok_and(|s| s.success()) {
        eprintln!("skipped: the archive cannot be unpacked (tar and zstd are needed)");
        return None;
    }
    let mut texts = Vec::new();
    let mut folders = vec![folder.path().to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(!texts.is_empty());
    Some(texts)
}

#[test]
fn synthetic_bundles_are_valid_and_their_resources_are_taken_in_and_found_again() {
    let Some(texts) = bundles() else { return };
    let mut resources = 0;
    for text in &texts {
        let node = tree(text);
        assert_eq!(validate(&node), []);
        let bundle = Bundle::read(text, &node).unwrap();
        let mut links = Links::new();
        for entry in bundle.entries() {
            links.insert(entry.full_url.unwrap(), format!("{}/p1.r{}", entry.type_name().unwrap(), entry.index));
        }
        for entry in bundle.entries() {
            resources += 1;
            let resource = entry.resource.unwrap();
            let type_of = |r: &str| bundle.resolve(r, entry).and_then(|e| e.type_name()).map(str::to_owned);
            match (entry.type_name().unwrap(), subject_resolved(resource, &type_of).unwrap()) {
                ("Patient", Subject::Itself) | ("Practitioner", Subject::Nobody) => {}
                (_, Subject::Of(text)) => assert_eq!(links.resolve(text, None), Some("Patient/p1.r0")),
                (name, other) => panic!("{name}: {other:?}"),
            }
            let id = format!("p1.r{}", entry.index);
            let stored = entry.rewritten(&links, &envelope(&id)).unwrap();
            let stored = tree(&stored);
            assert_eq!(validate(&stored), []);
            ContentFacts::read(&stored).unwrap();
            let values = extract(&stored);
            assert_eq!(SearchValues::from_bytes(&values.to_bytes()).unwrap(), values);
            let now = Timestamp::from_secs(1_790_000_000);
            let key = "00000000000000000000000000".parse().unwrap();
            let query = Query::parse(entry.type_name().unwrap(), [("_id", id.as_str())], "", now).unwrap();
            assert!(query.matches(key, &values, &Answers::default()));
        }
    }
    println!("{} bundles, {resources} resources", texts.len());
}

#[test]
#[ignore = "a measurement: run it in release"]
fn how_long_a_resource_takes() {
    let Some(texts) = bundles() else { return };
    let node = parse(texts[0].as_bytes(), Limits::FHIR).unwrap();
    let load = Stopwatch::start();
    let _warm = validate(&node);
    println!("definitions loaded and one Bundle validated in {:?}", load.elapsed());
    let load = Stopwatch::start();
    let _warm = extract(node.get("entry").unwrap().items()[5].get("resource").unwrap());
    println!("search parameters loaded in {:?}", load.elapsed());
    let mut sources: Vec<&str> = Vec::new();
    let trees: Vec<_> = texts.iter().map(|t| tree(t)).collect();
    for (text, node) in texts.iter().zip(&trees) {
        sources.extend(node.get("entry").unwrap().items().iter().map(|e| {
            let span = e.get("resource").unwrap().span;
            &text[span.start..span.end]
        }));
    }
    let bytes: usize = sources.iter().map(|s| s.len()).sum();
    let timed = |what: &str, run: &dyn Fn(&str)| {
        let watch = Stopwatch::start();
        for source in &sources {
            run(source);
        }
        let each = watch.elapsed().as_nanos() / sources.len() as u128;
        println!("{what}: {each} ns per resource ({} resources, {} bytes each)", sources.len(), bytes / sources.len());
    };
    timed("parse", &|s| drop(tree(s)));
    timed("parse and validate", &|s| assert!(validate(&tree(s)).is_empty()));
    timed("parse and extract", &|s| drop(extract(&tree(s))));
    timed("parse and facts", &|s| drop(ContentFacts::read(&tree(s))));
}
