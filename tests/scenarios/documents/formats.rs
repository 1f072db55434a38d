//! The page of formats names everything that nodes store and send, with its golden files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{cells, difference, read, root};

const PAGE: &str = "docs/reference/formats.md";
/// Where formats are.
const SOURCES: [&str; 5] = ["regions", "consensus", "replication", "search", "node/src"];

/// Everything in backticks of a text.
fn coded(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Files of Rust that are not for tests alone, and not made by a generator.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        match name {
            Some("tests" | "generated" | "tests.rs") | None => {}
            Some(_) if path.is_dir() => sources(&path, found),
            Some(name) if name.ends_with(".rs") => found.push(path),
            Some(_) => {}
        }
    }
}

/// The structures of a source that are derived as messages of protobuf.
fn messages(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let derived = line.trim().strip_prefix("#[derive(");
        let is_message = derived.is_some_and(|derived| {
            let mut names = derived.split(|sign: char| !sign.is_alphanumeric());
            names.any(|name| name == "Message")
        });
        if !is_message {
            continue;
        }
        let declared = lines.by_ref().find(|line| line.contains("struct "));
        let name = declared.and_then(|line| line.split("struct ").nth(1));
        let name = name.and_then(|name| name.split(|sign: char| !sign.is_alphanumeric()).next());
        found.push(name.expect("a name").to_owned());
    }
    found
}

#[test]
fn every_message_is_documented_with_a_golden_file() {
    let mut files = Vec::new();
    for folder in SOURCES {
        sources(&root().join(folder), &mut files);
    }
    let mut is = BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source");
        let place = file.strip_prefix(root()).expect("a file of it");
        for name in messages(&source) {
            is.insert(format!("{} {name}", place.display()));
        }
    }
    assert!(is.len() > 90, "only {} messages were found", is.len());
    let page = read(PAGE);
    let table = page.split("\n## Messages\n").nth(1).expect("a table");
    let mut said = BTreeSet::new();
    for row in table.lines().filter_map(cells) {
        let [file, names, golden] = row[..] else {
            panic!("a row of three cells: {row:?}");
        };
        for (file, name) in coded(file).flat_map(|file| coded(names).map(move |name| (file, name)))
        {
            said.insert(format!("{file} {name}"));
            assert!(coded(golden).next().is_some(), "{file} has no golden file");
        }
    }
    assert_eq!(difference(&said, &is), None);
}

#[test]
fn every_golden_file_is_documented_and_is_there() {
    let folder = std::fs::read_dir(root().join("fuzz/golden")).expect("a folder");
    let names = folder.map(|file| file.expect("a file").file_name());
    let is: BTreeSet<String> = names
        .map(|name| name.into_string().expect("text"))
        .collect();
    let page = read(PAGE);
    let rows = page.lines().filter_map(cells);
    let golden = rows
        .filter(|row| row.len() > 1)
        .filter_map(|row| row.last().copied());
    let said: BTreeSet<String> = golden.flat_map(coded).map(str::to_owned).collect();
    assert_eq!(difference(&said, &is), None);
}

#[test]
fn every_column_family_and_every_channel_is_documented() {
    let page = read(PAGE);
    let said: BTreeSet<&str> = coded(&page).collect();
    let mut is = Vec::new();
    for keys in ["consensus/src/keys.rs", "replication/src/keys.rs"] {
        let source = read(keys);
        let families = source.lines().filter(|line| line.contains(": &str = \""));
        is.extend(families.filter_map(|line| line.split('"').nth(1).map(str::to_owned)));
    }
    assert!(is.len() > 12, "only {is:?}");
    let channels = read("replication/transport/src/channel.rs");
    let named = channels.lines().filter(|line| line.contains(" => \""));
    is.extend(named.filter_map(|line| line.split('"').nth(1).map(str::to_owned)));
    assert!(is.len() > 20, "only {is:?}");
    let missing: Vec<_> = is
        .iter()
        .filter(|name| !said.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{PAGE} does not name {missing:?}");
}
