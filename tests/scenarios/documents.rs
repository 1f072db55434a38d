//! The book, and what is deployed beside the binary, say what is so.
//!
//! Pages that a program can write are written by it: with `MERIDIAN_BLESS=1` these tests write
//! them anew, without it they compare. Pages of people are compared as far as they can be.

mod deployment;
mod formats;
mod links;
mod reference;
mod tutorials;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Set to write generated pages anew.
const BLESS: &str = "MERIDIAN_BLESS";

/// The root of the workspace.
fn root() -> PathBuf {
    let node = Path::new(env!("CARGO_MANIFEST_DIR"));
    node.parent().expect("node is a folder of it").to_owned()
}

/// A file of the workspace, by its path from the root.
fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// A page is what a program would write, or becomes it.
fn generated(path: &str, expected: &str) {
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(root().join(path), expected).expect("a page that can be written");
        return;
    }
    let page = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    let differs = page
        .lines()
        .zip(expected.lines())
        .find(|(says, is)| says != is);
    assert!(
        page == expected,
        "{path} is out of date, first at {differs:?}: run this test with {BLESS}=1, and look at \
         what it has written"
    );
}

/// What only one of two sets has, for people.
fn difference(said: &BTreeSet<String>, is: &BTreeSet<String>) -> Option<String> {
    let missing: Vec<_> = is.difference(said).collect();
    let gone: Vec<_> = said.difference(is).collect();
    let same = missing.is_empty() && gone.is_empty();
    (!same).then(|| format!("not on the page: {missing:?}; on it, and not so: {gone:?}"))
}

/// The cells of a table's row, or nothing of what is none.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix("| ")?.strip_suffix('|')?;
    Some(row.split(" | ").map(str::trim).collect())
}

/// What stands in backticks, if all of it does.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// The anchor of a heading, as the book and forges make it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    let lower = heading.trim().to_lowercase();
    lower
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}
