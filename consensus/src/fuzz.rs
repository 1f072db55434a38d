//! The decoders of this crate, fed with what nobody would send.

use std::collections::BTreeSet;

use bytes::Bytes;
use meridian_fuzz::{Allowance, fuzz, fuzz_within, reads, reads_exactly};
use meridian_regions::{FormatLevel, Goal, NodeId, Survival};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use openraft::{EntryPayload, Membership};
use prost::Message;

use crate::applied_state::AppliedState;
use crate::codec::{CodecError, EntryRecord, LogIdRecord, VoteRecord, decode_entry};
use crate::electorate::{Electorate, ElectorateRecord};
use crate::envelope::{Answer, Append, AppendAnswer, Ballot, Call, Reply, Request};
use crate::keys::{GroupKey, STATE, day_of_key_use, described};
use crate::moves::{MoveAnswer, MoveError, Moving};
use crate::records::{seal, unseal};
use crate::saved::Progress;
use crate::tests::genesis;
use crate::types::{EntryOf, LogIdOf, Proposal, Types, VoteOf};
use crate::waking::SleepNote;
use crate::wishes::{self, Aim, Wish};

/// Entries and memberships are read into openraft's own records.
const MESSAGE: Allowance = Allowance {
    base: 64 * 1024,
    per_byte: 512,
};

fn goal() -> Goal {
    Goal {
        home: "eu-west".parse().expect("a region"),
        survival: Survival::Zone,
        revision: 2,
    }
}

/// As releases write it that do not say who learns.
fn electorate() -> Electorate {
    Electorate {
        term: 3,
        index: 12,
        learners: Vec::new(),
        voters: nodes([1, 2, 3]),
        goal: Some(goal()),
    }
}

/// The same by those that do.
fn electorate_with_learners() -> Electorate {
    Electorate {
        learners: nodes([4, 5]),
        ..electorate()
    }
}

fn nodes<const COUNT: usize>(ids: [u64; COUNT]) -> Vec<NodeId> {
    ids.map(|id| NodeId::new(id).expect("not zero")).to_vec()
}

fn vote() -> VoteOf {
    VoteOf::new(3, 1)
}

fn entries() -> Vec<EntryOf> {
    let voters = vec![BTreeSet::from([1, 2, 3])];
    let payloads = [
        EntryPayload::Blank,
        EntryPayload::Normal(Proposal::Command(Bytes::from_static(b"held"))),
        EntryPayload::Normal(Proposal::MoveEpoch(9)),
        EntryPayload::Normal(Proposal::Goal(goal())),
        EntryPayload::Membership(Membership::new_with_defaults(voters, [4])),
    ];
    let entries = (13..).zip(payloads).map(|(index, payload)| EntryOf {
        log_id: LogIdOf {
            index,
            ..electorate().at()
        },
        payload,
    });
    entries.collect()
}

#[test]
fn entry() {
    let entries = entries();
    let records = entries.iter().map(EntryRecord::from);
    let examples: Vec<Vec<u8>> = records.map(|record| record.encode_to_vec()).collect();
    let target = reads(decode_entry, |entry| {
        EntryRecord::from(entry).encode_to_vec()
    });
    fuzz_within(MESSAGE, "entry", &examples, target);
}

/// What a node does with a request before it looks at the group.
fn open(call: Call) -> Result<(), CodecError> {
    call.entrance()?;
    call.candidate();
    match call {
        Call::Append(append) => drop(AppendEntriesRequest::<Types>::try_from(append)?),
        Call::Vote(ballot) | Call::PreVote(ballot) => drop(VoteRequest::<Types>::from(ballot)),
        Call::Settled(record) => drop(Electorate::from(record)),
        Call::Snapshot(_) | Call::TransferLeader(_) | Call::Move(_) => {}
    }
    Ok(())
}

#[test]
fn request() {
    let append = AppendEntriesRequest::<Types> {
        vote: vote(),
        prev_log_id: Some(electorate().at()),
        entries: entries(),
        leader_commit: Some(electorate().at()),
    };
    let ballot = VoteRequest::<Types>::new(vote(), Some(electorate().at()));
    let calls = [
        Call::Append(Append::from(&append)),
        Call::Vote(Ballot::from(&ballot)),
        Call::Settled(ElectorateRecord::from(&electorate())),
    ];
    let examples = calls.map(|call| {
        let request = Request {
            genesis: genesis(1).encode().into(),
            call: Some(call),
            caller: 7,
        };
        request.encode_to_vec()
    });
    fuzz_within(MESSAGE, "request", &examples, |input| {
        let decoded = Request::decode(input);
        let said = reads(
            |bytes: &[u8]| Request::decode(bytes),
            Message::encode_to_vec,
        )(input);
        match decoded.ok().and_then(|request| request.call) {
            Some(call) => open(call).map_or_else(|cause| cause.to_string(), |()| said),
            None => said,
        }
    });
}

#[test]
fn reply() {
    let conflict = AppendEntriesResponse::<Types>::Conflict;
    let higher = AppendEntriesResponse::<Types>::HigherVote(VoteOf::new(9, 2));
    let answers = [conflict, higher].map(AppendAnswer::from);
    let mut replies = Vec::from(answers.map(|answer| Reply {
        answer: Some(Answer::Append(answer)),
        leads: 3,
        wall_ms: 1_800_000_000_000,
        moved: Some(ElectorateRecord::from(&electorate())),
    }));
    let early = MoveError::Level {
        active: FormatLevel::FIRST,
        needed: FormatLevel::LATEST,
    };
    let early = MoveAnswer::from(Err(early));
    assert!(matches!(
        Result::from(early.clone()),
        Err(MoveError::Level { .. })
    ));
    let waits = MoveAnswer::from(Ok(Moving::NoSuccessor));
    replies.extend([early, waits].map(|answer| Reply {
        answer: Some(Answer::Move(answer)),
        leads: 0,
        wall_ms: 1_800_000_000_000,
        moved: None,
    }));
    let examples: Vec<Vec<u8>> = replies.iter().map(Message::encode_to_vec).collect();
    fuzz_within(MESSAGE, "reply", &examples, |input| {
        if let Ok(reply) = Reply::decode(input)
            && let Some(Answer::Append(answer)) = reply.answer
        {
            // Refused or read.
            let _ = AppendEntriesResponse::<Types>::try_from(answer);
        }
        reads(|bytes: &[u8]| Reply::decode(bytes), Message::encode_to_vec)(input)
    });
}

#[test]
fn applied_state() {
    let state = AppliedState {
        log_id: Some(electorate().at()),
        move_epoch: 4,
        goal: Some(goal()),
        ..AppliedState::default()
    };
    fuzz_within(
        MESSAGE,
        "applied-state",
        &[state.encode()],
        |input| match AppliedState::decode(input) {
            Err(cause) => cause.to_string(),
            Ok(state) => {
                let written = state.encode();
                let again = AppliedState::decode(&written).expect("it was written");
                assert_eq!(again.encode(), written);
                AppliedState::membership_in(input).expect("a part of it");
                "read".to_owned()
            }
        },
    );
}

#[test]
fn electorate_record() {
    let decode = |input: &[u8]| Electorate::decode(input).ok_or("none");
    let target = reads(decode, Electorate::encode);
    let examples = [electorate(), electorate_with_learners()];
    let examples = examples.map(|electorate| electorate.encode());
    fuzz("electorate-record", &examples, target);
}

#[test]
fn keys() {
    let key = GroupKey::new(&genesis(1).listing);
    let examples = [key.todo(7), key.unsettled(2)];
    let todo = |input: &[u8]| GroupKey::of_todo(input).ok_or("no to-do");
    let unsettled = |input: &[u8]| GroupKey::of_unsettled(input).ok_or("not unsettled");
    fuzz("keys", &examples, |input| {
        let first = reads_exactly(todo, |(due, key)| key.todo(*due))(input);
        let second = reads_exactly(unsettled, |(voter, key)| key.unsettled(*voter))(input);
        GroupKey::in_key(input);
        GroupKey::of_key_use(input);
        day_of_key_use(input);
        described(STATE, input);
        first + &second
    });
}

/// What a node notes of a group beside its log.
#[test]
fn notes() {
    let last = LogIdRecord::from(&electorate().at());
    let note = SleepNote {
        vote: VoteRecord::from(&vote()),
        last,
    };
    let state = AppliedState {
        log_id: Some(electorate().at()),
        ..AppliedState::default()
    };
    let decode = |input: &[u8]| SleepNote::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("sleep-note", &[note.encode_to_vec()], target);
    let decode = |input: &[u8]| VoteRecord::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("vote", &[note.vote.encode_to_vec()], target);
    let decode = |input: &[u8]| LogIdRecord::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("log-id", &[last.encode_to_vec()], target);
    let decode = |input: &[u8]| Progress::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    let progress = Progress::of(&state).encode_to_vec();
    fuzz("index-progress", &[progress], target);
}

#[test]
fn wish() {
    let region = "eu-west".parse().expect("a region");
    let aims = [
        Aim::Drain(NodeId::new(3).expect("not zero")),
        Aim::Rebalance(None),
        Aim::Rebalance(Some(region)),
    ];
    let wishes = aims.map(|aim| Wish {
        aim,
        began_ms: 1_800_000_000_000,
        moved: 7,
        done_ms: Some(1_800_000_000_005),
    });
    let encode = |wish: &Wish| wishes::Record::from(wish).encode_to_vec();
    let decode = |input: &[u8]| {
        let record = wishes::Record::decode(input).ok();
        record.and_then(wishes::Record::wish).ok_or("none")
    };
    let examples: Vec<Vec<u8>> = wishes.iter().map(encode).collect();
    fuzz("wish", &examples, reads(decode, encode));
}

/// Every record of a group stands behind its format and its checksum.
#[test]
fn sealed_record() {
    let key = GroupKey::new(&genesis(1).listing).entry(7);
    let sealed = seal(&key, b"a record");
    fuzz("sealed-record", &[sealed], |input| {
        match unseal(&key, input) {
            Ok(()) => "a record".to_owned(),
            Err(cause) => cause.to_string(),
        }
    });
}
