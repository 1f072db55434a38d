//! Registers of other nodes, fed with what nobody would send.

use meridian_fuzz::{fuzz, reads};
use prost::Message;

use super::record::{Record, Register, Space, Stamp};
use super::wire::{Answer, Ask, Bucket, Known};

#[test]
fn register_exchange() {
    let register = Register {
        space: Space::Outbound,
        key: "endpoint/x".to_owned(),
        stamp: Stamp { ms: 7, node: 2 },
        value: Some(b"a value".to_vec()),
    };
    let ask = Ask {
        digests_unless: Some(u64::MAX),
        bucket: Some(Bucket {
            space: 1,
            bucket: 255,
            known: vec![Known::from(&register)],
        }),
        take: vec![Record::from(&register)],
    };
    fuzz("register-exchange", &[ask.encode_to_vec()], |input| {
        if let Ok(ask) = Ask::decode(input) {
            for register in ask.take.into_iter().filter_map(Record::read) {
                assert_eq!(Record::from(&register).read(), Some(register));
            }
        }
        reads(|bytes: &[u8]| Ask::decode(bytes), Message::encode_to_vec)(input)
    });
}

#[test]
fn register_answer() {
    let register = Register {
        space: Space::Preferences,
        key: "guest/x".to_owned(),
        stamp: Stamp { ms: 7, node: 2 },
        value: None,
    };
    let answer = Answer {
        digests: vec![1, u64::MAX],
        newer: vec![Record::from(&register)],
    };
    let decode = |input: &[u8]| Answer::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("register-answer", &[answer.encode_to_vec()], target);
}
