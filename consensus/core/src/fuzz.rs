//! The decoders of this crate, fed with what nobody would send.

use meridian_fuzz::{Allowance, fuzz_within, reads};

use crate::{
    Applied, Block, Cancel, Command, Expire, Hold, Idempotency, Ledger, Op, Release, Stay, Terms,
};

/// Records of a few bytes become entries of maps.
const RECORDS: Allowance = Allowance {
    base: 64 * 1024,
    per_byte: 1_024,
};

fn commands() -> Vec<Command> {
    let day = |day| jiff::civil::date(2027, 6, day);
    let hold = Hold {
        stay: Stay::new(day(1), day(4), 2),
        terms: Terms {
            units: 2,
            capacity: 4,
            ..Terms::default()
        },
        ttl_ms: 60_000,
        quote: "a quote".to_owned(),
        ..Hold::default()
    };
    let block = Block {
        nights: Stay::new(day(9), day(12), 0),
        units: 1,
    };
    let ops = [
        Op::Hold(hold),
        Op::Block(block),
        Op::Release(Release { number: 1 }),
        Op::Cancel(Cancel::default()),
        Op::Expire(Expire {}),
    ];
    let commands = (0..).zip(ops).map(|(place, op)| {
        let idempotency = Idempotency {
            caller: "guest".to_owned(),
            key: format!("key {place}"),
            payload_hash: vec![7; 32],
        };
        let mut command = Command::new(op, Some(idempotency));
        command.at_ms = 1_800_000_000_000 + place;
        command
    });
    commands.collect()
}

#[test]
fn command() {
    let examples: Vec<Vec<u8>> = commands().iter().map(Command::encode).collect();
    fuzz_within(RECORDS, "command", &examples, |input| {
        // Whatever is read can be applied: it stands in a log that everybody has.
        if let Ok(command) = Command::decode(input) {
            let mut ledger = Ledger::default();
            ledger.apply(&command);
            assert_eq!(ledger.check_invariants(), Ok(()));
        }
        reads(Command::decode, Command::encode)(input)
    });
}

#[test]
fn applied() {
    let mut ledger = Ledger::default();
    let answers = commands().into_iter().map(|command| ledger.apply(&command));
    let examples: Vec<Vec<u8>> = answers.map(|applied| applied.encode()).collect();
    fuzz_within(
        RECORDS,
        "applied",
        &examples,
        reads(Applied::decode, Applied::encode),
    );
}

#[test]
fn ledger() {
    let mut ledger = Ledger::default();
    let mut examples = vec![ledger.encode()];
    for command in commands() {
        ledger.apply(&command);
        examples.push(ledger.encode());
    }
    fuzz_within(RECORDS, "ledger", &examples, |input| {
        if let Ok(ledger) = Ledger::decode(input) {
            assert_eq!(ledger.check_invariants(), Ok(()));
        }
        reads(Ledger::decode, Ledger::encode)(input)
    });
}
