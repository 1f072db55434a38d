//! What CI systems read.

use roxmltree::{Document, Node};

use super::super::junit;
use super::sample;

fn cases<'a>(document: &'a Document<'_>) -> Vec<Node<'a, 'a>> {
    let cases = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    cases.collect()
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name(name))
}

#[test]
fn every_promise_is_a_case_with_its_verdict() {
    let xml = junit(&sample::run(20, 10), &sample::findings());
    let document = Document::parse(&xml).expect("well-formed");
    let suite = document
        .root_element()
        .first_element_child()
        .expect("a suite");
    assert!(suite.has_tag_name("testsuite"));
    let counted = ["tests", "failures", "errors"].map(|name| suite.attribute(name));
    assert_eq!(counted, [Some("7"), Some("2"), Some("0")]);
    let cases = cases(&document);
    let failed: Vec<_> = cases
        .iter()
        .filter_map(|case| child(*case, "failure"))
        .collect();
    assert_eq!(failed.len(), 2);
    let text = failed[0].text().expect("a description");
    assert!(text.contains("(calls 1, 2, 3, 999999999)"), "{text}");
    assert!(text.contains("again: meridian chaos run"), "{text}");
    let skipped: Vec<_> = cases
        .iter()
        .filter_map(|case| child(*case, "skipped")?.attribute("message"))
        .collect();
    assert_eq!(
        skipped,
        [
            "undecided: nobody could tell in time: lst_3: the search was given 60 s and 4,000,000 states",
            "invalid: the run shows nothing about it: slow-fsync was required and never in effect",
        ]
    );
}

#[test]
fn run_of_which_nothing_was_judged_has_not_passed() {
    let xml = junit(&sample::run(1, 1), &[]);
    let document = Document::parse(&xml).expect("well-formed");
    let cases = cases(&document);
    assert_eq!(cases.len(), 1);
    let skipped = child(cases[0], "skipped").expect("skipped");
    assert_eq!(
        skipped.attribute("message"),
        Some("invalid: nothing was judged")
    );
}
