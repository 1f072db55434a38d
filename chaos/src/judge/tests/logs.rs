//! Logs and ledgers of replicas: those that agree, and every way in which they may not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::date;
use meridian_consensus_core::{
    Book, Command, Confirm, Expire, Idempotency, Ledger, Op, Price, Stay, Terms,
};

use super::super::{Finding, Verdict};
use super::{LISTING, empty_run, finding};
use crate::judge::judge;
use crate::record::{Final, FinalCopy, LogEntry, LogPage, Run};

const PROMISE: &str = "replicas have written down the same";
const NODES: [u64; 3] = [1, 2, 3];

fn book(night: i8, key: &str) -> Command {
    let check_in = date(2027, 6, night);
    let op = Op::Book(Book {
        stay: Stay::new(check_in, check_in.tomorrow().expect("a date"), 1),
        terms: Terms {
            units: 1,
            capacity: 2,
            min_stay: 1,
            max_stay: 28,
            policy: None,
            turnover: 0,
        },
        price: Price {
            amount: 12_900,
            currency: "EUR".to_owned(),
        },
        quote: String::new(),
        quote_seen: None,
        heads: String::new(),
        payment_method: "card_ok".to_owned(),
    });
    let idempotency = Idempotency {
        caller: "guest".to_owned(),
        key: key.to_owned(),
        payload_hash: vec![1; 32],
    };
    let mut command = Command::new(op, Some(idempotency));
    command.at_ms = 1_800_000_000_000;
    command
}

fn confirm(number: u64) -> Command {
    let confirm = Confirm {
        number,
        authorization: "auth".to_owned(),
    };
    Command::new(Op::Confirm(confirm), None)
}

fn entry(index: u64, kind: &str, payload: String) -> LogEntry {
    LogEntry {
        index,
        term: 1,
        kind: kind.to_owned(),
        payload,
    }
}

/// A log as groups begin one, with these commands.
fn log_of(commands: &[Command]) -> Vec<LogEntry> {
    let mut log = vec![
        entry(0, "voters", "[{1, 2, 3}] of [1, 2, 3]".to_owned()),
        entry(1, "nothing", String::new()),
    ];
    for (index, command) in (2..).zip(commands) {
        log.push(entry(index, "command", STANDARD.encode(command.encode())));
    }
    log
}

fn commands() -> Vec<Command> {
    vec![
        book(1, "a"),
        confirm(1),
        book(1, "b"),
        book(2, "c"),
        Command::new(Op::Expire(Expire {}), None),
    ]
}

/// The ledger after the first so many commands, as a node has it.
fn copy(node: u64, commands: &[Command]) -> Final {
    let mut ledger = Ledger::default();
    for command in commands {
        ledger.apply(command);
    }
    Final::Copy(FinalCopy {
        listing: LISTING.to_owned(),
        node,
        index: commands.len() as u64 + 1,
        bytes: STANDARD.encode(ledger.encode()),
    })
}

fn page(node: u64, entries: Vec<LogEntry>) -> LogPage {
    LogPage {
        listing: LISTING.to_owned(),
        node,
        entries,
    }
}

/// Three replicas of which one is behind by an entry.
fn good() -> Run {
    let (mut run, commands) = (empty_run(), commands());
    for node in NODES {
        run.logs.push(page(node, log_of(&commands)));
        let behind = usize::from(node == 3);
        let applied = &commands[..commands.len() - behind];
        run.finals.push(copy(node, applied));
    }
    run
}

fn judged(run: &Run) -> Finding {
    finding(&judge(run), PROMISE).clone()
}

fn condemned(run: &Run) -> String {
    let found = judged(run);
    assert_eq!(found.verdict, Verdict::Fail, "{found:#?}");
    found.violations[0].what.clone()
}

#[test]
fn replicas_that_agree_pass_also_where_one_is_behind() {
    let found = judged(&good());
    assert_eq!(found.verdict, Verdict::Pass, "{found:#?}");
    assert_eq!(
        found.looked_at,
        "7 lines of logs, 7 lines applied again, 3 ledgers compared"
    );
}

#[test]
fn other_entry_at_the_same_place_is_condemned() {
    let mut run = good();
    let command = book(9, "other").encode();
    run.logs[1].entries[4] = entry(4, "command", STANDARD.encode(command));
    let what = condemned(&run);
    assert!(
        what.contains("entry 4") && what.contains("on node 2"),
        "{what}"
    );
    let mut run = good();
    run.logs[2].entries[1].term = 2;
    assert!(condemned(&run).contains("entry 1"), "another term");
}

#[test]
fn ledger_that_lacks_an_entry_of_the_log_is_condemned() {
    let mut run = good();
    let (mut commands, whole) = (commands(), commands().len() as u64 + 1);
    commands.remove(3);
    let mut lacks = copy(2, &commands);
    if let Final::Copy(copy) = &mut lacks {
        copy.index = whole;
    }
    run.finals[1] = lacks;
    let what = condemned(&run);
    assert!(what.contains("node 2's ledger"), "{what}");
}

#[test]
fn what_was_purged_is_judged_from_the_ledger_behind_it() {
    let mut run = good();
    for page in &mut run.logs {
        page.entries.drain(..4);
    }
    // One replica's ledger was saved before the others'.
    run.finals[2] = copy(3, &commands()[..2]);
    let found = judged(&run);
    assert_eq!(found.verdict, Verdict::Pass, "{found:#?}");
    assert!(
        found.looked_at.contains("3 lines applied again"),
        "{}",
        found.looked_at
    );
    // The same with an entry that nobody else has applied.
    let mut other = commands();
    other[4] = book(5, "only here");
    run.finals[1] = copy(2, &other);
    assert!(condemned(&run).contains("node 2's ledger"));
}

#[test]
fn bytes_that_are_no_command_or_no_ledger_are_condemned() {
    let mut run = good();
    for page in &mut run.logs {
        page.entries[3].payload = "AAAA".to_owned();
    }
    assert!(
        judged(&run)
            .violations
            .iter()
            .any(|it| it.what.contains("is no command"))
    );
    // As bytes, two ledgers in a row read as one with two bookings of one number.
    let mut run = good();
    run.logs.clear();
    run.finals.truncate(1);
    let Final::Copy(first) = &mut run.finals[0] else {
        unreachable!("a copy");
    };
    let (mut one, mut other) = (Ledger::default(), Ledger::default());
    one.apply(&book(1, "a"));
    other.apply(&book(3, "x"));
    other.apply(&book(1, "y"));
    let twice = [other.encode(), one.encode()].concat();
    first.bytes = STANDARD.encode(twice);
    assert!(condemned(&run).contains("is none"), "it is no ledger");
}
