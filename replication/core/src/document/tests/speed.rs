//! What the common operations cost, printed and not asserted: numbers of a shared
//! machine prove nothing, but a look at them shows a slip of a factor of ten.
//!
//! `cargo nextest run -p meridian-replication-core speed --no-capture`

use std::hint::black_box;
use std::time::{Duration, Instant};

use meridian_regions::ListingId;
use serde_json::json;

use super::{at, body, draft_of, edited, node, patched};
use crate::limits::{DESCRIPTION_CHARS_MAX, TEXT_DIFF_CHARS_MAX};
use crate::{ListingDocument, ValidDraft};

const ROUNDS: u32 = 500;

fn imported() -> ValidDraft {
    let mut body = body();
    let fields = body.as_object_mut().expect("an object");
    for name in ["description", "amenities", "photos"] {
        fields.remove(name);
    }
    draft_of(body)
}

fn listing(round: u32) -> ListingId {
    let home = "eu-west".parse().expect("a region");
    ListingId::derived(home, "speed", &round.to_string())
}

fn time(what: &str, mut work: impl FnMut(u32)) {
    let mut spent: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            let start = Instant::now();
            work(round);
            start.elapsed()
        })
        .collect();
    spent.sort_unstable();
    let (median, slow) = (spent[spent.len() / 2], spent[spent.len() * 99 / 100]);
    println!("{what:<44} median {median:>10.1?}   p99 {slow:>10.1?}");
}

#[test]
fn speed_of_an_import_is_printed() {
    let draft = imported();
    let mut changes = Vec::new();
    time("genesis", |round| {
        black_box(ListingDocument::empty(&listing(round)));
    });
    time("create an imported listing", |round| {
        changes.push(ListingDocument::create(&listing(round), node(1), at(0), &draft).1);
    });
    println!("the change has {} bytes", changes[0].as_bytes().len());
    let mut documents = Vec::new();
    time("genesis and apply on a receiver", |round| {
        let mut document = ListingDocument::empty(&listing(round));
        let change = changes[round as usize].as_bytes();
        document.apply(change).expect("a change of a replica");
        documents.push(document);
    });
    time("heads and digest", |round| {
        black_box(documents[round as usize].heads().digest());
    });
    time("view", |round| {
        black_box(documents[round as usize].view());
    });
    time("save", |round| {
        black_box(documents[round as usize].save());
    });
    println!("the snapshot has {} bytes", documents[0].save().len());
    let snapshot = documents[0].save();
    time("load the snapshot", |_round| {
        let loaded = ListingDocument::load(&listing(0), Some(&snapshot), []);
        black_box(loaded.expect("a snapshot"));
    });
    time("load genesis and the change", |round| {
        let change = changes[round as usize].as_bytes();
        let loaded = ListingDocument::load(&listing(round), None, [change]);
        black_box(loaded.expect("a change"));
    });
    time("reconcile without a difference", |round| {
        let document = &mut documents[round as usize];
        let change = document.reconcile(node(1), at(1), &draft);
        assert_eq!(change.expect("it fits"), None);
    });
}

#[test]
fn speed_of_edits_is_printed() {
    let draft = draft_of(body());
    let id = super::listing();
    let (mut document, created) = ListingDocument::create(&id, node(1), at(0), &draft);
    let mut replica = ListingDocument::empty(&id);
    replica.apply(created.as_bytes()).expect("the creation");
    let mut changes = vec![created.into_bytes()];
    time("patch a title", |round| {
        let title = format!("Title number {round}");
        changes.push(patched(&mut document, 1, json!({ "title": title })));
    });
    time("splice a word into the description", |_round| {
        let op = json!([{"op": "splice", "path": "/description", "at": 3, "insert": "very "}]);
        changes.push(edited(&mut document, 1, op));
    });
    let mut rest = changes[1..].iter();
    time("apply an edit", |_round| {
        let change = rest.next().expect("a change per round");
        replica.apply(change).expect("a change of a replica");
    });
    time("view after 1,000 edits", |_round| {
        black_box(document.view());
    });
    let snapshot = document.save();
    println!(
        "{} changes, snapshot of {} bytes",
        changes.len(),
        snapshot.len()
    );
    let start = Instant::now();
    let loaded = ListingDocument::load(&id, Some(&snapshot), []).expect("a snapshot");
    println!("load that snapshot {:?}", start.elapsed());
    let start = Instant::now();
    let stored = changes.iter().map(Vec::as_slice);
    let replayed = ListingDocument::load(&id, None, stored).expect("changes");
    println!("load the changes {:?}", start.elapsed());
    assert_eq!(loaded.heads(), replayed.heads());
}

#[test]
fn speed_of_long_descriptions_is_printed() {
    let text = |seed: u64, chars: usize| -> String {
        let hash = |n: usize| blake3::hash(&(seed + n as u64).to_be_bytes()).to_hex();
        (0..chars)
            .map(|n| char::from(hash(n).as_bytes()[0]))
            .collect()
    };
    let mut body = body();
    body["description"] = json!(text(0, DESCRIPTION_CHARS_MAX));
    let draft = draft_of(body);
    let start = Instant::now();
    let id = super::listing();
    let (mut document, created) = ListingDocument::create(&id, node(1), at(0), &draft);
    println!("create with the longest description {:?}", start.elapsed());
    let start = Instant::now();
    let mut replica = ListingDocument::empty(&id);
    replica.apply(created.as_bytes()).expect("the creation");
    println!("apply that {:?}", start.elapsed());
    for chars in [100, TEXT_DIFF_CHARS_MAX / 2] {
        let short = json!({ "description": text(1, chars) });
        patched(&mut document, 1, short);
        let other = json!({ "description": text(100_000, chars) });
        let start = Instant::now();
        patched(&mut document, 1, other);
        println!(
            "compare {chars} characters with as many {:?}",
            start.elapsed()
        );
    }
}
