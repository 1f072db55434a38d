//! The feed's records and positions, fed with what nobody would send.

use meridian_fuzz::{fuzz, reads, reads_exactly};
use meridian_storage::FeedPosition;
use prost::Message;

use super::Told;
use super::record::StoredRecord;
use crate::tests::genesis;

const POSITION: FeedPosition = FeedPosition {
    run: 3,
    offset: 700,
};

#[test]
fn feed_record() {
    let missed = Told::Missed { first: 3, last: 9 };
    let record = StoredRecord::new(&genesis(1).listing, missed, 5);
    fuzz("feed-record", &[record.encode_to_vec()], |input| {
        if let Ok(record) = StoredRecord::decode(input) {
            // Refused or read.
            let _ = record.read(POSITION);
        }
        reads(
            |bytes: &[u8]| StoredRecord::decode(bytes),
            Message::encode_to_vec,
        )(input)
    });
}

#[test]
fn feed_position() {
    let decode = |input: &[u8]| FeedPosition::from_key(input).ok_or("none");
    let target = reads_exactly(decode, |position: &FeedPosition| position.key());
    fuzz("feed-position", &[POSITION.key()], target);
}
