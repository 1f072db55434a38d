//! The decoders of this crate, fed with what nobody would send.

use std::collections::BTreeSet;

use meridian_fuzz::{Allowance, fuzz, fuzz_within, reads, text};
use meridian_regions::{
    FormatLevel, Genesis, Hlc, ListingId, NodeId, ShardId, Shards, Survival, UnixNanos,
};
use serde_json::{Value, json};

use crate::limits::{FIELD_ERRORS_MAX, FRAME_BYTES_MAX, SESSION_TOKEN_BYTES_MAX};
use crate::{
    Currency, EditOp, FieldError, FollowedEntry, ListingDocument, ListingDraft, ListingPatch,
    Location, LogEntry, LogFloor, Money, PullFrame, PullRequest, ReceivedEntry, SessionToken,
    ValidDraft, VersionVector,
};

/// A change unfolds to more than its bytes, by far: `limits.rs` says how much.
const DOCUMENT: Allowance = Allowance {
    base: 16 << 20,
    per_byte: 4_096,
};
const JSON: Allowance = Allowance {
    base: 64 * 1024,
    per_byte: 512,
};

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn listing() -> ListingId {
    let home = "eu-west".parse().expect("a region");
    ListingId::generate(UnixNanos::from_millis(5), 7, home)
}

fn at(ms: u64) -> UnixNanos {
    UnixNanos::from_millis(1_800_000_000_000 + ms)
}

fn draft() -> ValidDraft {
    let price = Money {
        amount: 12_900,
        currency: "EUR".parse::<Currency>().expect("a currency"),
    };
    ListingDraft::new("Loft", Location::at(59.9, 10.7), 4, price)
        .validate()
        .expect("valid")
}

/// A document and its changes: created, edited, patched.
fn document() -> (ListingDocument, Vec<Vec<u8>>) {
    let (mut document, created) = ListingDocument::create(&listing(), node(1), at(0), &draft());
    let ops = json!({"ops": [
        {"op": "add", "path": "/amenities", "value": "sauna"},
        {"op": "increment", "path": "/counters/saves", "by": 3},
    ]});
    let ops = EditOp::list_from_json(ops).expect("operations");
    let edited = document.edit(node(2), at(1), &ops).expect("valid");
    let patch = ListingPatch::from_json(json!({"title": "Barn"})).expect("a patch");
    let patched = document.patch(node(3), at(2), &patch).expect("valid");
    let later = [edited, patched].map(|change| change.expect("a change").into_bytes());
    let mut changes = vec![created.into_bytes()];
    changes.extend(later);
    (document, changes)
}

fn entries() -> Vec<LogEntry> {
    let genesis = Genesis {
        listing: listing(),
        survival: Survival::Region,
        voters: vec![node(1), node(2)],
        map_epoch: 1,
        created_by: node(1),
    };
    let entries = (1..).zip(document().1).map(|(seq, change)| LogEntry {
        origin: node(1),
        shard: listing().shard(),
        seq,
        hlc: Hlc::from_unix_nanos(at(seq)),
        listing: listing(),
        change,
        genesis: (seq == 1).then(|| genesis.clone()),
    });
    entries.collect()
}

fn vector() -> VersionVector {
    let shards: Vec<ShardId> = ShardId::all().take(3).collect();
    let triples = shards
        .iter()
        .flat_map(|shard| [(node(1), *shard, 9), (node(2), *shard, 300)]);
    triples.collect()
}

#[test]
fn log_entry() {
    let examples: Vec<Vec<u8>> = entries().iter().map(LogEntry::encode).collect();
    fuzz(
        "log-entry",
        &examples,
        reads(LogEntry::decode, LogEntry::encode),
    );
}

/// A node hands on what it cannot read, byte for byte.
#[test]
fn received_entry() {
    let examples: Vec<Vec<u8>> = entries().iter().map(LogEntry::encode).collect();
    fuzz(
        "received-entry",
        &examples,
        |input| match ReceivedEntry::decode(input.to_vec()) {
            Err(cause) => cause.to_string(),
            Ok(entry) => {
                assert_eq!(entry.as_bytes(), input);
                let content = entry.content.map(|_| "read".to_owned());
                content.unwrap_or_else(|cause| format!("unreadable: {cause}"))
            }
        },
    );
}

#[test]
fn pull_request() {
    let request = PullRequest {
        have: vector(),
        origins: vec![node(1), node(2)],
        shards: vec![Shards::ALL, ShardId::all().take(2).collect()],
        tells_only: true,
        life: 7,
        holdings: 7,
    };
    let target = reads(PullRequest::decode, PullRequest::encode);
    fuzz("pull-request", &[request.encode()], target);
}

#[test]
fn pull_frame() {
    let entries = entries().iter().map(ReceivedEntry::from).collect();
    let watermark = PullFrame::Watermark {
        origin: node(3),
        through: Hlc::from_unix_nanos(at(9)),
        shards: ShardId::all().take(2).collect(),
        whole: Shards::NONE,
    };
    let entries: Vec<ReceivedEntry> = entries;
    let packed = PullFrame::Entries(entries.iter().cycle().take(20).cloned().collect());
    let hears = PullFrame::Hears(vec![(node(1), Shards::ALL), (node(2), Shards::NONE)]);
    let floors = ShardId::all().take(3).map(|shard| LogFloor {
        origin: node(2),
        shard,
        seq: 300,
        hlc: Hlc::from_unix_nanos(at(9)),
    });
    let trimmed = PullFrame::Trimmed(floors.collect());
    let examples = [
        PullFrame::Entries(entries),
        watermark,
        packed,
        hears,
        trimmed,
    ];
    let examples = examples.map(|frame| frame.encode());
    // A few packed bytes may be a frame of the largest size, and that may be a list of
    // nothing but empty entries.
    let allowance = Allowance {
        base: 34 * FRAME_BYTES_MAX as u64,
        ..Allowance::default()
    };
    let target = reads(PullFrame::decode, PullFrame::encode);
    fuzz_within(allowance, "pull-frame", &examples, target);
}

/// What is read of what goes beside a frame's entries is written and read again as the same.
#[test]
fn followed_entries() {
    let mut example = PullFrame::Entries(Vec::new()).encode();
    let followed = FollowedEntry {
        origin: NodeId::new(1).expect("not zero"),
        shard: ShardId::new(3).expect("a shard"),
        seq: 7,
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
    };
    PullFrame::put_followed(&mut example, [followed]);
    // The field that is passed over if it is too long has been copied by then.
    let allowance = Allowance {
        base: 4 * 1024 * 1024,
        ..Allowance::default()
    };
    fuzz_within(allowance, "followed-entries", &[example], |input| {
        let read = PullFrame::followed(input);
        let mut frame = Vec::new();
        PullFrame::put_followed(&mut frame, read.clone());
        let again = PullFrame::followed(&frame);
        assert!(read.starts_with(&again));
        format!("{} read", read.len().min(3))
    });
}

#[test]
fn version_vector() {
    let target = reads(VersionVector::decode, VersionVector::encode);
    fuzz("version-vector", &[vector().encode()], target);
}

#[test]
fn session_token() {
    let mut token = SessionToken::new();
    for id in [1, 2, 300] {
        token.merge(node(id), Hlc::from_unix_nanos(at(id)));
    }
    let examples = [token.clone(), token.minted_by(node(2))];
    let examples = examples.map(|token| token.encode().into_bytes());
    let decode = |input: &[u8]| {
        let input = std::str::from_utf8(input).map_err(|_| "no text".to_owned())?;
        SessionToken::decode(input).map_err(|cause| cause.to_string())
    };
    let reads = reads(decode, |token| token.encode().into_bytes());
    fuzz("session-token", &examples, |input| {
        if let Ok(token) = decode(input) {
            assert!(token.encode().len() <= SESSION_TOKEN_BYTES_MAX);
            let mut joined = SessionToken::new();
            joined.join(&token);
            joined.join(&token);
            assert!(joined.covers(&token) && token.covers(&joined));
        }
        reads(input)
    });
}

/// Whatever a document is told, it stays one: it is saved, loaded and edited.
fn stays_whole(mut document: ListingDocument) {
    assert!(document.is_sound());
    let loaded = ListingDocument::load(&listing(), Some(&document.save()), []);
    let loaded = loaded.expect("what was saved");
    assert_eq!(loaded.heads(), document.heads());
    assert_eq!(loaded.view(), document.view());
    let shown: BTreeSet<String> = document
        .conflicts()
        .into_iter()
        .map(|one| one.field)
        .collect();
    assert!(shown.len() < 100, "conflicts out of nothing");
    // These look into the former document, if one is kept.
    let _ = document.beyond(&document.have(&[]), 1_024);
    let patch = ListingPatch::from_json(json!({"title": "Attic"})).expect("a patch");
    // It may have been deleted.
    let _ = document.patch(node(4), at(9), &patch);
}

#[test]
fn change() {
    let (document, changes) = document();
    let snapshot = document.save();
    fuzz_within(DOCUMENT, "change", &changes, |input| {
        let mut known = ListingDocument::load(&listing(), Some(&snapshot), []).expect("saved");
        let mut fresh = ListingDocument::empty(&listing());
        let said = known.apply(input).err();
        let first = fresh.apply(input).err();
        let is_whole = said.is_none() || known.is_sound();
        if is_whole {
            stays_whole(known);
        }
        format!("{said:?} {first:?}").chars().take(60).collect()
    });
}

/// As snapshots stand on disk, but for their checksum, which would hide everything else.
#[test]
fn snapshot() {
    let (document, _) = document();
    let sealed = document.save();
    let (version, rest) = sealed.split_first().expect("a version");
    let heads = document.heads();
    let mut renewed = document.clone();
    let begun = renewed.begin_anew(node(1), at(3), &heads);
    begun.expect("sound").expect("nothing is awaited");
    let with_former = renewed.save().split_off(1);
    let messages = [rest, &with_former].map(|sealed| sealed[blake3::OUT_LEN..].to_vec());
    fuzz_within(DOCUMENT, "snapshot", &messages, |input| {
        let mut snapshot = vec![*version];
        snapshot.extend_from_slice(blake3::hash(input).as_bytes());
        snapshot.extend_from_slice(input);
        match ListingDocument::load(&listing(), Some(&snapshot), []) {
            Ok(document) => {
                stays_whole(document);
                "read".to_owned()
            }
            Err(cause) => cause.to_string().chars().take(60).collect(),
        }
    });
}

/// Where a document begins, by the word of a peer: to a replica that has an earlier document
/// of the listing, and to one that has none.
#[test]
fn beginning() {
    let (mut document, _) = document();
    let earlier = document.save();
    let heads = document.heads();
    let begun = document.begin_anew(node(1), at(3), &heads);
    begun.expect("sound").expect("nothing is awaited");
    document.forget_former();
    let beginning = document.beyond(&[], usize::MAX).beginning;
    let examples = [beginning.expect("it has begun anew")];
    fuzz_within(DOCUMENT, "beginning", &examples, |input| {
        let mut known = ListingDocument::load(&listing(), Some(&earlier), []).expect("saved");
        let mut fresh = ListingDocument::empty(&listing());
        let said = known.take_beginning(input);
        let first = fresh.take_beginning(input);
        let begins = [(&said, &known), (&first, &fresh)];
        for (said, document) in begins {
            assert_eq!(document.generation() == 1, *said == Ok(true));
        }
        stays_whole(known);
        format!("{said:?} {first:?}").chars().take(60).collect()
    });
}

fn told(errors: &[FieldError]) -> String {
    assert!(errors.len() <= FIELD_ERRORS_MAX, "{} errors", errors.len());
    errors
        .iter()
        .map(|error| format!("{error:?} "))
        .take(2)
        .collect()
}

fn json(target: impl Fn(Value) -> String) -> impl Fn(&[u8]) -> String {
    text(move |input| {
        serde_json::from_str::<Value>(input).map_or_else(|_| "no JSON".to_owned(), &target)
    })
}

#[test]
fn draft_body() {
    let body = json!({
        "title": "Loft", "location": {"latitude": 59.9, "longitude": 10.7}, "capacity": 4,
        "nightly_price": {"amount": 12_900, "currency": "EUR"}, "amenities": ["sauna"],
        "photos": ["https://example.com/1.jpg"], "slot": "hour", "min_stay": 2,
    });
    let target = json(|body| match ListingDraft::from_json(body) {
        Err(errors) => told(&errors),
        Ok(draft) => match draft.validate() {
            Err(errors) => told(&errors),
            Ok(valid) => {
                stays_whole(ListingDocument::create(&listing(), node(1), at(0), &valid).0);
                "valid".to_owned()
            }
        },
    });
    let examples = [body.to_string().into_bytes()];
    fuzz_within(DOCUMENT, "draft-body", &examples, target);
}

#[test]
fn patch_body() {
    let body = json!({
        "title": "Barn", "description": null, "location": {"city": "Oslo"}, "units": 3,
        "nightly_price": {"amount": 1, "currency": "USD"}, "amenities": ["wifi"],
    });
    let (document, _) = document();
    let snapshot = document.save();
    let target = json(|body| match ListingPatch::from_json(body) {
        Err(errors) => told(&errors),
        Ok(patch) => {
            let mut document =
                ListingDocument::load(&listing(), Some(&snapshot), []).expect("saved");
            let patched = document.patch(node(2), at(5), &patch);
            let said = patched.map(|change| change.is_some());
            stays_whole(document);
            format!("{said:?}").chars().take(60).collect()
        }
    });
    let examples = [body.to_string().into_bytes()];
    fuzz_within(DOCUMENT, "patch-body", &examples, target);
}

#[test]
fn edit_body() {
    let body = json!({"ops": [
        {"op": "splice", "path": "/description", "at": 0, "delete": 0, "insert": "Sea"},
        {"op": "add", "path": "/photos", "value": "https://example.com/2.jpg"},
        {"op": "remove", "path": "/amenities", "value": "sauna"},
        {"op": "increment", "path": "/counters/saves", "by": -3},
    ]});
    let target = json(|body| match EditOp::list_from_json(body) {
        Err(errors) => told(&errors),
        Ok(ops) => format!("{} operations", "+".repeat(ops.len().min(8))),
    });
    fuzz_within(JSON, "edit-body", &[body.to_string().into_bytes()], target);
}

/// What the next level of formats writes.
#[test]
fn next_level() {
    const NEXT: FormatLevel = FormatLevel::REHEARSED;
    let entries: Vec<Vec<u8>> = entries().iter().map(|one| one.encode_at(NEXT)).collect();
    let target = reads(LogEntry::decode, |entry: &LogEntry| entry.encode_at(NEXT));
    fuzz("log-entry-2", &entries, target);
    let frame = PullFrame::encode_entries_at(NEXT, entries);
    let allowance = Allowance {
        base: 34 * FRAME_BYTES_MAX as u64,
        ..Allowance::default()
    };
    fuzz_within(
        allowance,
        "pull-frame-2",
        &[frame],
        |input| match PullFrame::decode_up_to(NEXT, input) {
            Ok(_) => "a frame".to_owned(),
            Err(cause) => cause.to_string(),
        },
    );
}
