//! Links between pages lead somewhere, and every page is in the book.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{anchor, root};

/// Every page below a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            all.push(path);
        }
    }
    all
}

/// A page without its blocks of code and what stands in backticks.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            let outside = line.split('`').step_by(2);
            prose.extend(outside);
            prose.push('\n');
        }
    }
    prose
}

/// Where the links of a page lead.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

/// Anchors of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if !is_code && line.starts_with('#') {
            anchors.insert(anchor(line.trim_start_matches('#')));
        }
    }
    anchors
}

/// What is wrong with a link of a page.
fn complaint(page: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return None;
    }
    let (file, part) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.parent().expect("a page is in a folder");
    let target = match file {
        "" => page.to_owned(),
        file => folder.join(file),
    };
    let Ok(target) = target.canonicalize() else {
        return Some(format!("{}: {link}: there is no such file", page.display()));
    };
    let docs = root().join("docs").canonicalize().expect("the book");
    let is_in_book = |path: &Path| path.starts_with(&docs);
    if is_in_book(page) && !is_in_book(&target) {
        return Some(format!("{}: {link} leads out of the book", page.display()));
    }
    if !part.is_empty() {
        let text = std::fs::read_to_string(&target).expect("a page");
        if !anchors(&text).contains(part) {
            return Some(format!("{}: {link}: no such heading", page.display()));
        }
    }
    None
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = root().canonicalize().expect("the workspace");
    let mut all = pages(&root.join("docs"));
    all.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    let mut count = 0;
    let mut complaints = Vec::new();
    for page in all {
        let text = std::fs::read_to_string(&page).expect("a page");
        for link in links(&text) {
            count += 1;
            complaints.extend(complaint(&page, &link));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(count > 100, "only {count} links were found");
}

#[test]
fn every_page_is_in_the_book() {
    let docs = root().join("docs").canonicalize().expect("the book");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).expect("a summary");
    let listed: BTreeSet<PathBuf> = links(&summary).iter().map(|link| docs.join(link)).collect();
    let is: BTreeSet<PathBuf> = pages(&docs)
        .into_iter()
        .filter(|page| *page != docs.join("SUMMARY.md"))
        .collect();
    let missing: Vec<_> = is.difference(&listed).collect();
    assert!(missing.is_empty(), "add to docs/SUMMARY.md: {missing:?}");
}
