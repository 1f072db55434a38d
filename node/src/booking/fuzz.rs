//! What another node answers about a booking, fed with what none would answer.

use bytes::Bytes;
use meridian_consensus_core::{Applied, Command, Expire, Ledger, Op};
use meridian_fuzz::{Allowance, fuzz_within, reads};
use prost::Message;

use super::attempt::{Answer, answered, from_wire, unanswered};
use super::wire::{Answered, Asked, Failure, Forwarded, GuestQuestion, NotLeader, Read, Reply};

/// Records of a few bytes become entries of maps.
const RECORDS: Allowance = Allowance {
    base: 64 * 1024,
    per_byte: 1_024,
};

fn wire(answered: Answered) -> Vec<u8> {
    let answered = Some(answered);
    Reply { answered }.encode_to_vec()
}

#[test]
fn forwarded_reply() {
    let mut ledger = Ledger::default();
    let applied: Applied = ledger.apply(&Command::new(Op::Expire(Expire {}), None));
    let examples = [
        Answered::Applied(applied.encode()),
        Answered::Ledger(ledger.encode()),
        Answered::NotLeader(NotLeader { leader: 3 }),
        Answered::Failed(Failure::NoQuorum.into()),
    ];
    fuzz_within(
        RECORDS,
        "forwarded-reply",
        &examples.map(wire),
        |input| match from_wire(&Bytes::copy_from_slice(input)) {
            Ok(answer) => {
                let again = Bytes::from(wire(answered(&answer)));
                assert!(from_wire(&again).is_ok(), "an answer is not read again");
                match answer {
                    Answer::Applied(_) => "applied".to_owned(),
                    Answer::Ledger(_) => "a ledger".to_owned(),
                }
            }
            Err(attempt) => format!("{:?}", unanswered(attempt)),
        },
    );
}

/// What another node asks of a group, or of the node itself.
#[test]
fn forwarded_request() {
    let question = GuestQuestion {
        guest: "guest-1".to_owned(),
        listing: vec![1, 2],
        number: 7,
        ..GuestQuestion::default()
    };
    let asked = [
        Asked::Propose(vec![1]),
        Asked::Book(vec![2]),
        Asked::Read(Read {}),
        Asked::Sightings(vec![3]),
        Asked::Guest(question),
    ];
    let examples = asked.map(|asked| {
        let forwarded = Forwarded {
            genesis: vec![9],
            deadline_ms: 5_000,
            asked: Some(asked),
            request_id: "request-1".to_owned(),
            claimant: vec![7; 16],
            caller: 3,
            trace: String::new(),
        };
        forwarded.encode_to_vec()
    });
    let decode = |input: &[u8]| Forwarded::decode(input);
    fuzz_within(
        RECORDS,
        "forwarded-request",
        &examples,
        reads(decode, Message::encode_to_vec),
    );
}
