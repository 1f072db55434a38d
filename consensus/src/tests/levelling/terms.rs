//! A restored node votes in no term of the earlier life: whoever was elected in one, or still
//! asks for votes in it, may have a log that the restored nodes do not go by.

use openraft::raft::VoteRequest;
use prost::Message;
use tempfile::TempDir;

use super::super::moving::leaving::{granted, say_as};
use super::super::{Cluster, block, genesis, store_in};
use super::{LIFE, copy, moment, named, now_ms};
use crate::codec::VoteRecord;
use crate::envelope::{Ballot, Call};
use crate::keys::{GroupKey, STATE, StateKind};
use crate::records::Records;
use crate::types::{LogIdOf, Types, VoteOf};
use crate::{Past, Until, level};

/// A term that one copy alone knows: its node had voted in it, and nobody was elected.
const SEEN: u64 = 40;

/// A candidate whose log nobody's outranks: whether it gets a vote hangs on its term alone.
fn ballot(candidate: u64, term: u64) -> Ballot {
    let end = LogIdOf::new_term_index(term - 1, 10_000);
    let mut request: VoteRequest<Types> = VoteRequest::new(VoteOf::new(term, candidate), Some(end));
    // A leader that lives keeps nobody from this one.
    request.leadership_transfer = true;
    Ballot::from(&request)
}

/// Has a node vote in the term that is seen there alone.
async fn vote(cluster: &Cluster, at: u64, number: u64) {
    let candidate = if at == 2 { 3 } else { 2 };
    let call = Call::Vote(ballot(candidate, SEEN));
    let reply = say_as(cluster, candidate, at, number, call).await;
    assert!(granted(&reply), "{reply:?}");
}

/// What a copy that nobody has open says of its vote in a group.
fn vote_in(copy: &TempDir, number: u64) -> VoteOf {
    let records = Records::over(store_in(copy));
    let key = GroupKey::new(&genesis(number).listing).state(StateKind::Vote);
    let record = records.get(STATE, &key).expect("readable").expect("a vote");
    VoteRecord::decode(record.as_slice())
        .expect("a vote")
        .into()
}

/// Starts node 1 alone on its copy and asks it for votes as if the earlier life went on.
async fn votes_in_no_earlier_term(cluster: &mut Cluster, copies: Vec<TempDir>, number: u64) {
    let votes: Vec<VoteOf> = copies.iter().map(|copy| vote_in(copy, number)).collect();
    for vote in &votes {
        assert!(vote.leader_id.term > SEEN && !vote.committed, "{votes:?}");
    }
    for id in 1..=3 {
        cluster.stop_node(id).await;
    }
    let before = std::mem::replace(&mut cluster.folders, copies);
    cluster.graves.extend(before);
    cluster.pasts.insert(1, Past::Lost(LIFE.to_owned()));
    cluster.start_node(1);
    for term in [1, 2, SEEN - 1, SEEN] {
        for candidate in [2, 3] {
            let call = Call::Vote(ballot(candidate, term));
            let reply = say_as(cluster, candidate, 1, number, call).await;
            assert!(!granted(&reply), "{candidate} in term {term}: {reply:?}");
        }
    }
    let next = Call::Vote(ballot(2, votes[0].leader_id.term + 1));
    let reply = say_as(cluster, 2, 1, number, next).await;
    assert!(granted(&reply), "it votes: {reply:?}");
}

/// Each in its turn is the one that knows the term; node 3 is the one whose log counts.
#[tokio::test(flavor = "multi_thread")]
async fn restored_node_votes_in_no_term_that_any_copy_has_seen() {
    for (at, number) in [(1, 100), (2, 101), (3, 102)] {
        let mut cluster = Cluster::start();
        let genesis = genesis(number);
        cluster.propose(&genesis, &block(1)).await;
        cluster.read(&genesis).await;
        vote(&cluster, at, number).await;
        let copies = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
        let copied = named(&copies);
        let levelled = level(copied, None, LIFE, now_ms()).await.expect("levelled");
        assert_eq!(levelled.differed, 1);
        votes_in_no_earlier_term(&mut cluster, copies, number).await;
    }
}

/// The same where a later backup has seen the term.
#[tokio::test(flavor = "multi_thread")]
async fn node_restored_to_a_moment_votes_in_no_term_that_a_later_copy_has_seen() {
    for (at, number) in [(1, 103), (2, 104), (3, 105)] {
        let mut cluster = Cluster::start();
        let genesis = genesis(number);
        cluster.propose(&genesis, &block(1)).await;
        let copies = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
        cluster.propose(&genesis, &block(2)).await;
        let at_ms = moment().await;
        vote(&cluster, at, number).await;
        let later = vec![copy(&cluster, 1), copy(&cluster, 2), copy(&cluster, 3)];
        let until = Until {
            copies: named(&later),
            at_ms,
        };
        let levelled = level(named(&copies), Some(until), LIFE, now_ms()).await;
        assert_eq!(levelled.expect("levelled").forward.groups, 1);
        votes_in_no_earlier_term(&mut cluster, copies, number).await;
    }
}
