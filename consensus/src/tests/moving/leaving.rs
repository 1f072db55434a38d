//! Who has left a group: it answers nothing, finds out late if it was not told, and votes
//! with nothing less than it once had.

use prost::Message;
use tokio::time::timeout;

use super::super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis, node};
use super::{STEP, nodes, order, until};
use crate::electorate::Entrance;
use crate::envelope::{Answer, Append, Ballot, Call, Reply, Request};
use crate::keys::{GroupKey, UNSETTLED};
use crate::types::{EntryOf, LogIdOf, Types, VoteOf};
use crate::{Electorate, Groups, Moving, ProposeError, ReadError};
use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability};
use openraft::EntryPayload;
use openraft::raft::{AppendEntriesRequest, VoteRequest};

pub(in crate::tests) async fn say(cluster: &Cluster, to: u64, number: u64, call: Call) -> Reply {
    say_as(cluster, 2, to, number, call).await
}

/// The same, by any node.
pub(in crate::tests) async fn say_as(
    cluster: &Cluster,
    from: u64,
    to: u64,
    number: u64,
    call: Call,
) -> Reply {
    let request = Request {
        genesis: genesis(number).encode().into(),
        call: Some(call),
        caller: 0,
    };
    let request = request.encode_to_vec().into();
    let reply = cluster.node(to).handle(node(from), request).await;
    Reply::decode(reply).expect("a reply")
}

/// The first four entries, blank, by a leader that has committed so many.
pub(in crate::tests) fn first_append(committed: u64) -> Call {
    let blank = |index| EntryOf {
        log_id: LogIdOf::new_term_index(1, index),
        payload: EntryPayload::Blank,
    };
    let append = AppendEntriesRequest::<Types> {
        vote: VoteOf::new_committed(1, 1),
        prev_log_id: None,
        entries: (0..4).map(blank).collect(),
        leader_commit: Some(LogIdOf::new_term_index(1, committed)),
    };
    Call::Append(Append::from(&append))
}

/// A candidate that knows the group as it was in the beginning.
pub(in crate::tests) fn candidate_of_long_ago() -> Ballot {
    let request: VoteRequest<Types> =
        VoteRequest::new(VoteOf::new(1_000, 2), Some(LogIdOf::new_term_index(0, 0)));
    Ballot::from(&request)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_votes_for_nobody_and_says_who_votes() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(20);
    cluster.propose(&genesis, &block(1)).await;
    let settled = cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    let reply = say(&cluster, 3, 20, Call::Vote(candidate_of_long_ago())).await;
    let answer = Answer::Vote(crate::envelope::BallotAnswer::default());
    assert_eq!(reply.answer, Some(answer), "a vote that is not given");
    assert_eq!(reply.moved.map(Electorate::from), Some(settled));
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_was_under_way_does_not_bring_a_group_back() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(21);
    cluster.propose(&genesis, &block(1)).await;
    let settled = cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    let append = AppendEntriesRequest::<Types> {
        vote: VoteOf::new_committed(1, 1),
        prev_log_id: None,
        entries: Vec::new(),
        leader_commit: Some(LogIdOf::new_term_index(settled.term, settled.index - 1)),
    };
    let reply = say(&cluster, 3, 21, Call::Append(Append::from(&append))).await;
    assert!(
        matches!(reply.answer, Some(Answer::Refused(_))),
        "{reply:?}"
    );
    assert_eq!(cluster.role(3, &genesis).await, "elsewhere");
}

/// Who has lost its vote as well would confirm what an old leader sends, once somebody
/// else's message has woken the group.
#[tokio::test(flavor = "multi_thread")]
async fn leader_of_before_is_not_followed_although_the_group_has_been_woken() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(26);
    cluster.propose(&genesis, &block(1)).await;
    let settled = cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    let led = Entrance::Led(Some(settled.at()));
    let back = cluster.node(3);
    drop(back.enter(&genesis, led).await.expect("taken in again"));
    let append = AppendEntriesRequest::<Types> {
        vote: VoteOf::new_committed(1_000, 2),
        prev_log_id: None,
        entries: Vec::new(),
        leader_commit: Some(LogIdOf::new_term_index(settled.term, settled.index - 1)),
    };
    let reply = say(&cluster, 3, 26, Call::Append(Append::from(&append))).await;
    assert!(
        matches!(reply.answer, Some(Answer::Refused(_))),
        "{reply:?}"
    );
}

/// With its old log it was an obstacle to such a candidate, who could win with it and be
/// a second quorum beside that of those who have gone on.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_with_less_than_it_had_votes_for_nobody_until_it_has_caught_up() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(22);
    cluster.propose(&genesis, &block(1)).await;
    let settled = cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    // A leader has begun to send it the log, and has died over it.
    let back = cluster.node(3);
    let led = Entrance::Led(Some(settled.at()));
    drop(back.enter(&genesis, led).await.expect("taken in again"));
    let ballot = candidate_of_long_ago();
    let reply = say(&cluster, 3, 22, Call::PreVote(ballot)).await;
    assert!(!granted(&reply), "{reply:?}");
    let reply = say(&cluster, 3, 22, Call::Vote(ballot)).await;
    assert!(!granted(&reply), "{reply:?}");
    // Brought back by a real leader it votes as anybody.
    cluster
        .carry_out(1, &genesis, &order(&[1, 2, 4], &[1, 2, 3]))
        .await;
    cluster.propose(&genesis, &block(2)).await;
    cluster.cut(2);
    cluster.propose(&genesis, &block(3)).await;
}

pub(in crate::tests) fn granted(reply: &Reply) -> bool {
    match &reply.answer {
        Some(Answer::Vote(answer)) => {
            openraft::raft::VoteResponse::<Types>::from(*answer).vote_granted
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn voter_that_was_away_finds_out_by_use_that_it_has_left() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(23);
    cluster.propose(&genesis, &block(1)).await;
    cluster.stop_node(3).await;
    cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    // Nobody of those whom it knows as leaders lives when it comes back.
    cluster.stop_node(1).await;
    cluster.start_node(3);
    assert_eq!(cluster.role(3, &genesis).await, "asleep");
    mark(&cluster.node(3), &genesis, 2).await;
    let moved = timeout(DEADLINE, async {
        loop {
            let told = cluster.node(3).propose(&genesis, block(2), DEADLINE).await;
            if let Err(ProposeError::Moved(electorate)) = told {
                return electorate;
            }
        }
    });
    assert_eq!(moved.await.expect("it is told").voters, nodes(&[1, 2, 4]));
    assert_eq!(cluster.role(3, &genesis).await, "elsewhere");
    assert_eq!(cluster.entries(3, &genesis), 0);
    let marked = cluster.node(3).unsettled(None, 16).expect("readable");
    assert_eq!(marked, [], "who has left sees nobody through");
}

/// It was away when it was taken out, and learns again by now: it keeps its log, and whoever uses it
/// need not wait until somebody leads to hear who votes.
#[tokio::test(flavor = "multi_thread")]
async fn voter_that_was_away_and_learns_again_says_at_once_who_votes() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(129);
    cluster.propose(&genesis, &block(1)).await;
    cluster.stop_node(3).await;
    cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    let back = order(&[1, 2, 4], &[1, 2, 3]);
    until(&cluster.node(1), &genesis, &back, Moving::Admitted).await;
    let told = cluster.node(1).standing(&genesis, 1, STEP).await;
    let told = told.expect("node 1 leads");
    cluster.propose(&genesis, &block(3)).await;
    has_applied(&cluster, 2, &genesis, told.index).await;
    // Who has taken it in dies, and nobody leads.
    cluster.stop_node(1).await;
    cluster.start_node(3);
    let groups = cluster.node(3);
    let told = groups.propose(&genesis, block(2), DEADLINE).await;
    let Err(ProposeError::Moved(electorate)) = told else {
        panic!("it does not know who votes: {told:?}");
    };
    assert_eq!(electorate.voters, nodes(&[1, 2, 4]));
    assert_eq!(electorate.learners, nodes(&[3]));
    assert!(cluster.entries(3, &genesis) > 0, "it has a part in it");
    let stood = groups.stats().stood;
    let told = groups.read(&genesis, DEADLINE).await;
    assert!(matches!(told, Err(ReadError::Moved(_))), "{told:?}");
    assert_eq!(groups.stats().stood, stood, "it knows who votes");
    drop(groups);
    cluster.start_node(1);
    let settled = cluster.carry_out(2, &genesis, &back).await;
    assert_eq!(settled.voters, nodes(&[1, 2, 3]));
}

/// What a leader leaves of a voter that lacks something.
async fn mark(groups: &Groups, genesis: &Genesis, voter: u64) {
    let mut batch = Batch::new();
    let key = GroupKey::new(&genesis.listing).unsettled(voter);
    batch.put(UNSETTLED, key, Vec::new());
    let permit = groups.shared().writer.reserve().await.expect("a place");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");
    // There may be one of its own besides: it was not told of its last entry's commit.
    let seen = groups.unsettled(None, 16).expect("readable");
    assert!(seen.iter().any(|one| one.genesis == *genesis), "{seen:?}");
}

/// Awaits that a node has applied an entry.
async fn has_applied(cluster: &Cluster, id: u64, genesis: &Genesis, index: u64) {
    let is_there = async || {
        let described = cluster.node(id).describe(&genesis.listing).await;
        let described = described.expect("readable");
        described.and_then(|group| group.applied_index) >= Some(index)
    };
    let applied = timeout(DEADLINE, async {
        while !is_there().await {
            tokio::task::yield_now().await;
        }
    });
    applied.await.expect("it has caught up");
}

/// A node that comes is no voter before it has caught up: whoever is told of the voters of that
/// moment must not take it for one that has left.
#[tokio::test(flavor = "multi_thread")]
async fn who_learns_keeps_its_log_when_it_is_told_who_votes_meanwhile() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(27);
    cluster.propose(&genesis, &block(1)).await;
    let moving = order(&[1, 2, 3], &[1, 2, 4]);
    let admitted = timeout(DEADLINE, async {
        loop {
            let step = cluster.node(1).move_step(&genesis, &moving, STEP).await;
            if matches!(step, Ok(Moving::Admitted)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    admitted.await.expect("it learns");
    let told = cluster.node(1).standing(&genesis, 1, STEP).await;
    let told = told.expect("node 1 leads");
    assert_eq!(told.voters, nodes(&[1, 2, 3]));
    has_applied(&cluster, 4, &genesis, told.index).await;
    for is_awake in [true, false] {
        if !is_awake {
            cluster.stop_node(4).await;
            cluster.start_node(4);
        }
        let groups = cluster.node(4);
        groups.note_electorate(&genesis, told.clone()).await;
        assert!(cluster.entries(4, &genesis) > 0, "awake: {is_awake}");
        assert_ne!(cluster.role(4, &genesis).await, "elsewhere");
    }
    let settled = cluster.carry_out(1, &genesis, &moving).await;
    assert_eq!(settled.voters, nodes(&[1, 2, 4]));
}

/// Who voted before it was a member knows that from its own asking. Then a leader begins to send it
/// the log, and the same is told once more, before it has got as far as its own coming: forgotten
/// once more, the log would not come again.
#[tokio::test(flavor = "multi_thread")]
async fn who_learns_keeps_the_part_that_it_has_when_it_is_told_again_what_it_knew() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(128);
    let told = Electorate {
        term: 1,
        index: 40,
        learners: Vec::new(),
        voters: nodes(&[1, 2, 3]),
        goal: None,
    };
    let groups = cluster.node(4);
    groups.note_electorate(&genesis, told.clone()).await;
    assert_eq!(cluster.role(4, &genesis).await, "elsewhere");
    let reply = say_as(&cluster, 1, 4, 128, first_append(41)).await;
    assert!(matches!(reply.answer, Some(Answer::Append(_))), "{reply:?}");
    assert_eq!(cluster.entries(4, &genesis), 4);
    let earlier = Electorate {
        index: 30,
        ..told.clone()
    };
    for again in [&told, &earlier] {
        groups.note_electorate(&genesis, again.clone()).await;
        assert_eq!(cluster.entries(4, &genesis), 4, "{again:?}");
    }
    // As is what says that it learns, whatever it knew: it has not got so far as that entry.
    let learns = Electorate {
        index: 41,
        learners: nodes(&[4]),
        ..told.clone()
    };
    let reply = say_as(&cluster, 1, 4, 128, first_append(41)).await;
    assert!(matches!(reply.answer, Some(Answer::Append(_))), "{reply:?}");
    groups.note_electorate(&genesis, learns.clone()).await;
    assert_eq!(cluster.role(4, &genesis).await, "learner", "it goes on");
    drop(groups);
    cluster.stop_node(4).await;
    cluster.start_node(4);
    let groups = cluster.node(4);
    groups.note_electorate(&genesis, learns).await;
    assert_eq!(cluster.entries(4, &genesis), 4, "asleep as well");
    // What it did not know yet, and has no part in, is another thing.
    let later = Electorate { index: 42, ..told };
    groups.note_electorate(&genesis, later).await;
    assert_eq!(cluster.entries(4, &genesis), 0);
    assert_eq!(cluster.role(4, &genesis).await, "elsewhere");
}

/// Half of it would leave an instance that still writes, and nothing to keep the next one from it.
#[tokio::test(flavor = "multi_thread")]
async fn group_that_is_left_is_left_to_the_end_whoever_hangs_up() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(119);
    for night in 1..=2 {
        cluster.propose(&genesis, &block(night)).await;
    }
    let groups = cluster.node(3);
    let told = Electorate {
        term: 1_000,
        index: 1_000,
        learners: Vec::new(),
        voters: nodes(&[1, 2, 4]),
        goal: None,
    };
    {
        let leaving = std::pin::pin!(groups.note_electorate(&genesis, told));
        assert!(futures::poll!(leaving).is_pending(), "it takes a while");
    }
    let left = timeout(DEADLINE, async {
        while cluster.entries(3, &genesis) > 0 {
            tokio::task::yield_now().await;
        }
    });
    left.await.expect("it goes on by itself");
}
