//! Cursors of consumers and answers of nodes, fed with what nobody was given.

use meridian_fuzz::{fuzz, reads, text};
use meridian_regions::{ListingId, NodeId, UnixNanos};
use meridian_replication_core::{ChangeId, ChangeKind, NewChange};
use meridian_storage::FeedPosition;
use prost::Message;

use super::wire::{Answer, Ask, Record};
use super::{Cursor, FeedRecord, Told};

#[test]
fn cursor() {
    let examples = [
        "l1~12",
        "r1~eu-west~2~2.1.0~7.3.18446744073709551615",
        "r1~eu-west~l2~2.1.0~l2.1764000000000.7",
    ];
    let target = text(|input| match Cursor::parse(input) {
        None => "none".to_owned(),
        Some(cursor) => {
            let written = cursor.to_string();
            assert!(
                Cursor::parse(&written).as_ref() == Some(&cursor),
                "{written}"
            );
            written
        }
    });
    fuzz(
        "cursor",
        &examples.map(|one| one.as_bytes().to_vec()),
        target,
    );
}

/// Records of another node's feed are read as they were told, or not at all.
#[test]
fn feed_answer() {
    let home = "eu-west".parse().expect("a region");
    let listing = ListingId::generate(UnixNanos::from_millis(5), 7, home);
    let position = FeedPosition { run: 3, offset: 70 };
    let change = NewChange {
        id: ChangeId::from_bytes([7; 32]),
        node: NodeId::new(2).expect("not zero"),
        at_ms: 5,
        kind: ChangeKind::Updated,
    };
    let answers = [Told::Missed { first: 3, last: 9 }, Told::Change(change)].map(|told| {
        let record = FeedRecord {
            position,
            listing: listing.clone(),
            told,
            told_ms: 9,
        };
        let answer = Answer {
            records: vec![Record::from(&record)],
            oldest: Some(position.into()),
            next: Some(position.into()),
            failed: false,
            of_listings: matches!(told, Told::Change(_)),
        };
        answer.encode_to_vec()
    });
    fuzz("feed-answer", &answers, |input| {
        if let Ok(answer) = Answer::decode(input) {
            for record in answer.records.into_iter().filter_map(Record::read) {
                assert_eq!(Record::from(&record).read(), Some(record));
            }
        }
        reads(|bytes: &[u8]| Answer::decode(bytes), Message::encode_to_vec)(input)
    });
}

#[test]
fn feed_question() {
    let ask = Ask {
        after: Some(FeedPosition { run: 3, offset: 70 }.into()),
        limit: 100,
        of_listings: true,
    };
    let decode = |input: &[u8]| Ask::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("feed-question", &[ask.encode_to_vec()], target);
}
