//! Frames, requests and entries read back, or are refused.

use meridian_regions::{FormatLevel, Genesis, Hlc, ListingId, NodeId, ShardId, Shards, Survival};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::Strategy;

use super::packed::pack;
use super::{FrameKind, LogFloor, PullFrame, PullRequest, encode};
use crate::limits::{CHANGE_BYTES_MAX, FRAME_BYTES_MAX};
use crate::{LogEntry, ReceivedEntry, VersionVector, WireError};

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn listing(external: &str) -> ListingId {
    ListingId::derived("eu-west".parse().expect("a region"), "test", external)
}

fn entry() -> impl Strategy<Value = LogEntry> {
    let change = prop::collection::vec(any::<u8>(), 0..100);
    (
        1..u64::MAX,
        1..u64::MAX,
        any::<u64>(),
        "[a-z]{0,9}",
        change,
        any::<bool>(),
    )
        .prop_map(|(origin, seq, hlc, external, change, created)| {
            let listing = listing(&external);
            LogEntry {
                origin: node(origin),
                shard: listing.shard(),
                seq,
                hlc: Hlc::from_u64(hlc),
                change,
                genesis: created.then(|| Genesis {
                    listing: listing.clone(),
                    survival: Survival::Region,
                    voters: vec![node(1), node(2), node(3)],
                    map_epoch: 1,
                    created_by: node(origin),
                }),
                listing,
            }
        })
}

fn one_entry() -> LogEntry {
    let listing = listing("one");
    LogEntry {
        origin: node(1),
        shard: listing.shard(),
        seq: 1,
        hlc: Hlc::from_u64(7),
        listing,
        change: vec![0; CHANGE_BYTES_MAX],
        genesis: None,
    }
}

#[test]
fn largest_entry_fits_a_frame() {
    let frame = PullFrame::Entries(vec![ReceivedEntry::from(&one_entry())]);
    assert!(frame.encode().len() <= FRAME_BYTES_MAX);
    assert_eq!(PullFrame::decode(&frame.encode()), Ok(frame));
}

#[test]
fn largest_entry_fits_a_frame_of_the_next_level() {
    let bytes = one_entry().encode_at(FormatLevel::REHEARSED);
    let frame = PullFrame::encode_entries_at(FormatLevel::REHEARSED, [bytes.clone()]);
    assert!(frame.len() <= FRAME_BYTES_MAX);
    let read = PullFrame::decode_up_to(FormatLevel::REHEARSED, &frame);
    let entry = ReceivedEntry::decode(bytes).expect("sound");
    assert_eq!(read, Ok(PullFrame::Entries(vec![entry])));
}

#[test]
fn what_is_of_a_later_level_is_refused_by_name_and_never_misread() {
    let entry = LogEntry {
        change: vec![1; 1_000],
        ..one_entry()
    };
    let bytes = entry.encode_at(FormatLevel::REHEARSED);
    assert_eq!(LogEntry::decode(&bytes), Ok(entry));
    // In a frame of the first level it keeps its place, and nothing is taken from it.
    let frame = PullFrame::encode_entries([bytes.clone()]);
    let Ok(PullFrame::Entries(read)) = PullFrame::decode(&frame) else {
        panic!("it is a frame of entries");
    };
    let refused = read[0].content.as_ref().expect_err("a later level");
    assert!(refused.to_string().contains("format level 3"), "{refused}");
    assert_eq!(read[0].as_bytes(), bytes);
    let frame = PullFrame::encode_entries_at(FormatLevel::REHEARSED, [bytes]);
    let refused = PullFrame::decode(&frame).expect_err("a later level");
    assert!(refused.to_string().contains("format level 3"), "{refused}");
}

#[test]
fn every_flipped_bit_of_a_summed_frame_is_noticed() {
    let level = FormatLevel::REHEARSED;
    let entry = LogEntry {
        change: vec![7; 20],
        ..one_entry()
    };
    let bytes = entry.encode_at(level);
    let frame = PullFrame::encode_entries_at(level, [bytes.clone()]);
    for bit in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // A field under another name is passed over: then there is no frame left.
        let read = PullFrame::decode_up_to(level, &flipped);
        assert!(read.is_err(), "bit {bit}: {read:?}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let read = LogEntry::decode(&flipped);
        assert!(read.is_err(), "bit {bit}: {read:?}");
    }
}

#[test]
fn entry_with_a_change_too_large_is_refused() {
    let mut entry = one_entry();
    entry.change.push(0);
    let refused = LogEntry::decode(&entry.encode());
    assert!(matches!(
        refused,
        Err(WireError::TooLarge { what: "change", .. })
    ));
}

#[test]
fn entry_with_the_genesis_record_of_another_listing_is_refused() {
    let mut entry = one_entry();
    entry.genesis = Some(Genesis {
        listing: listing("other"),
        survival: Survival::Region,
        voters: vec![node(1)],
        map_epoch: 1,
        created_by: node(1),
    });
    assert!(LogEntry::decode(&entry.encode()).is_err());
}

#[test]
fn entry_whose_content_cannot_be_read_keeps_its_place_and_its_bytes() {
    let mut entry = one_entry();
    entry.change.push(0);
    let bytes = entry.encode();
    let received = ReceivedEntry::decode(bytes.clone()).expect("its envelope is sound");
    assert_eq!((received.origin, received.seq), (entry.origin, entry.seq));
    assert!(received.content.is_err());
    assert_eq!(received.as_bytes(), bytes);
}

#[test]
fn field_of_a_later_version_survives_the_way_through() {
    let mut bytes = LogEntry {
        change: vec![1],
        ..one_entry()
    }
    .encode();
    // Field 99, a varint.
    bytes.extend([0x98, 0x06, 0x07]);
    let frame = PullFrame::encode_entries([bytes.clone()]);
    let Ok(PullFrame::Entries(entries)) = PullFrame::decode(&frame) else {
        panic!("it is a frame of entries");
    };
    assert!(entries[0].content.is_ok());
    assert_eq!(entries[0].as_bytes(), bytes);
}

#[test]
fn entries_like_each_other_travel_packed() {
    let entries = (1..=100).map(|seq| {
        let mut entry = one_entry();
        (entry.seq, entry.change) = (seq, vec![7; 40]);
        entry.encode()
    });
    let entries: Vec<Vec<u8>> = entries.collect();
    let bytes: usize = entries.iter().map(Vec::len).sum();
    let frame = PullFrame::encode_entries(entries.clone());
    assert!(frame.len() * 4 < bytes, "{} of {bytes}", frame.len());
    let Ok(PullFrame::Entries(read)) = PullFrame::decode(&frame) else {
        panic!("it is a frame of entries");
    };
    let read: Vec<Vec<u8>> = read.iter().map(|entry| entry.as_bytes().to_vec()).collect();
    assert_eq!(read, entries);
}

#[test]
fn frame_that_unfolds_to_more_than_a_frame_is_refused() {
    // A few KB that become more than a frame may have.
    let packed = pack(&vec![0; FRAME_BYTES_MAX + 1]).expect("far shorter");
    let refused = PullFrame::decode(&encode(FrameKind::Packed(packed)));
    assert!(matches!(refused, Err(WireError::TooLarge { .. })));
}

/// As a node of an earlier version writes and reads them.
#[test]
fn request_and_frames_without_shards_speak_of_all() {
    let request = PullRequest {
        origins: vec![node(1), node(2)],
        ..PullRequest::default()
    };
    let read = PullRequest::decode(&request.encode()).expect("a request");
    assert!(!read.knows_shards());
    assert_eq!(
        read.wanted(),
        [(node(1), Shards::ALL), (node(2), Shards::ALL)]
    );
    // Kind 2: origin 7, until 9. Kind 3: origin 7.
    let watermark = [&[0x12, 0x0b, 0x08, 7, 0x11, 9][..], &[0; 7]].concat();
    let all = PullFrame::Watermark {
        origin: node(7),
        through: Hlc::from_u64(9),
        shards: Shards::ALL,
        whole: Shards::ALL,
    };
    assert_eq!(PullFrame::decode(&watermark), Ok(all));
    let hears = PullFrame::decode(&[0x1a, 0x03, 0x0a, 0x01, 7]);
    assert_eq!(hears, Ok(PullFrame::Hears(vec![(node(7), Shards::ALL)])));
}

proptest! {
    #[test]
    fn frames_read_back_as_themselves(
        entries in prop::collection::vec(entry(), 0..5),
        origin in 1..u64::MAX,
        through in any::<u64>(),
        shards in any::<u64>(),
        whole in any::<u64>(),
    ) {
        let entries = entries.iter().map(ReceivedEntry::from).collect();
        let frame = PullFrame::Entries(entries);
        prop_assert_eq!(PullFrame::decode(&frame.encode()), Ok(frame));
        let frame = PullFrame::Watermark {
            origin: node(origin),
            through: Hlc::from_u64(through),
            shards: Shards::from_bits(shards),
            whole: Shards::from_bits(whole),
        };
        prop_assert_eq!(PullFrame::decode(&frame.encode()), Ok(frame));
        let frame = PullFrame::Hears(vec![(node(origin), Shards::from_bits(shards))]);
        prop_assert_eq!(PullFrame::decode(&frame.encode()), Ok(frame));
        let floors = ShardId::all().take(3).flat_map(|shard| {
            let hlc = Hlc::from_u64(through);
            [1, origin].map(|seq| LogFloor { origin: node(origin), shard, seq, hlc })
        });
        let frame = PullFrame::Trimmed(floors.collect());
        prop_assert_eq!(PullFrame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn requests_read_back_as_themselves(
        origins in prop::collection::vec(1..u64::MAX, 0..9),
        entries in prop::collection::vec(entry(), 0..9),
        by_shard in any::<bool>(),
        tells_only in any::<bool>(),
        life in any::<u64>(),
        holdings in any::<u64>(),
    ) {
        let have: VersionVector = entries
            .iter()
            .map(|entry| (entry.origin, entry.shard, entry.seq))
            .collect();
        let origins: Vec<NodeId> = origins.into_iter().map(node).collect();
        let shards = origins.iter().filter(|_| by_shard);
        let shards = shards.map(|origin| Shards::from_bits(origin.get())).collect();
        let request = PullRequest { have, origins, shards, tells_only, life, holdings };
        prop_assert_eq!(PullRequest::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Only that they return matters: a panic would fail the test.
        let _ = PullFrame::decode(&bytes);
        let _ = PullRequest::decode(&bytes);
        let _ = LogEntry::decode(&bytes);
    }

    #[test]
    fn frame_cut_short_is_never_the_frame(entry in entry(), cut in 1..40_usize) {
        let frame = PullFrame::Entries(vec![ReceivedEntry::from(&entry)]);
        let bytes = frame.encode();
        let kept = bytes.len().saturating_sub(cut);
        prop_assert!(PullFrame::decode(&bytes[..kept]) != Ok(frame));
    }
}
