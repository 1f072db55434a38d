//! Three nodes in one process, with real databases and a network that can be cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::civil::{Date, date};
use meridian_consensus_core::{
    Block, Command, Hold, Idempotency, Op, Outcome, Rejection, Replay, ReservationState, Stay,
    Terms,
};
use meridian_regions::{FormatLevel, Genesis, ListingId, NodeId, Survival, UnixNanos};
use openraft::entry::RaftEntry;
use openraft::raft::AppendEntriesRequest;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{RaftLogReader, StorageError};
use prost::Message;
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::switchboard::{Line, Switchboard};
use crate::envelope::{Answer, Append, Ballot, Call, Reply, Request};
use crate::fence::FencedWriter;
use crate::keys::GroupKey;
use crate::log_store::GroupLog;
use crate::state_machine::LedgerMachine;
use crate::types::{EntryOf, LogIdOf, Types, VoteOf};
use crate::{GroupOptions, Groups, LedgerView, Past, ProposeError, ReadError};

mod damage;
mod events;
mod goals;
mod isolation;
mod key_uses;
mod levelling;
mod log_pages;
mod moving;
mod returning;
mod saved;
pub(crate) mod sim;
mod sleeping;
mod switchboard;
mod transfer;

const DEADLINE: Duration = Duration::from_secs(20);
/// Longer than any test: nothing goes to sleep of itself.
const NEVER_IDLE: Duration = Duration::from_secs(3_600);
const AWAKE_MAX: usize = 64;

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

/// A cluster of three that can be stopped and started on the same disks.
struct Cluster {
    idle: Duration,
    folders: Vec<TempDir>,
    switchboard: Arc<Switchboard>,
    running: BTreeMap<NodeId, (TaskTracker, CancellationToken)>,
    deaths: BTreeMap<NodeId, CancellationToken>,
    /// Folders of nodes that were killed: their old instances end by and by.
    graves: Vec<TempDir>,
    /// What nodes write from their next start on.
    level: FormatLevel,
    /// Nodes that have come back without their records.
    pasts: BTreeMap<u64, Past>,
}

impl Cluster {
    fn start() -> Self {
        Self::that_sleeps_after(NEVER_IDLE)
    }

    fn that_sleeps_after(idle: Duration) -> Self {
        Self::of(3, idle)
    }

    fn of(nodes: u64, idle: Duration) -> Self {
        let folder = |_| TempDir::new().expect("a folder");
        let mut cluster = Self {
            idle,
            folders: (0..nodes).map(folder).collect(),
            switchboard: Arc::default(),
            running: BTreeMap::new(),
            deaths: BTreeMap::new(),
            graves: Vec::new(),
            level: FormatLevel::LATEST,
            pasts: BTreeMap::new(),
        };
        for id in 1..=nodes {
            cluster.start_node(id);
        }
        cluster
    }

    fn start_node(&mut self, id: u64) {
        let index = usize::try_from(id).expect("small") - 1;
        let path = self.folders[index].path().to_path_buf();
        let mut options = GroupOptions::new(path, node(id));
        options.message_deadline = Duration::from_millis(400);
        options.idle = self.idle;
        options.groups_awake_max = AWAKE_MAX;
        options.format_level = self.level;
        options.past = self.pasts.get(&id).cloned().unwrap_or(Past::Whole);
        let dead = CancellationToken::new();
        self.deaths.insert(node(id), dead.clone());
        let line = Line {
            from: node(id),
            switchboard: Arc::clone(&self.switchboard),
            dead,
        };
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let groups = Groups::open(options, Arc::new(line), &tracker, &cancel).expect("opened");
        self.switchboard
            .nodes
            .lock()
            .expect("not poisoned")
            .insert(node(id), groups);
        self.running.insert(node(id), (tracker, cancel));
    }

    async fn stop_node(&mut self, id: u64) {
        let groups = self
            .switchboard
            .nodes
            .lock()
            .expect("not poisoned")
            .remove(&node(id));
        let (tracker, cancel) = self.running.remove(&node(id)).expect("running");
        cancel.cancel();
        tracker.close();
        tracker.wait().await;
        let failure = groups.as_ref().expect("running").failure();
        drop(groups);
        // The database is closed when the last handle of its writer is gone.
        timeout(DEADLINE, async {
            while failure.has_changed().is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the writer ends");
    }

    fn node(&self, id: u64) -> Groups {
        let nodes = self.switchboard.nodes.lock().expect("not poisoned");
        nodes.get(&node(id)).expect("running").clone()
    }

    fn cut(&self, id: u64) {
        self.switchboard
            .cut
            .lock()
            .expect("not poisoned")
            .insert(node(id));
    }

    fn cut_silently(&self, id: u64) {
        self.switchboard
            .silently_cut
            .lock()
            .expect("not poisoned")
            .insert(node(id));
    }

    /// Awaits that nothing is awake on any node that runs.
    async fn at_rest(&self) {
        let nodes = self.switchboard.nodes.lock().expect("not poisoned").clone();
        timeout(DEADLINE, async {
            while nodes.values().any(|groups| groups.awake() > 0) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("everything goes to sleep");
    }

    /// How often nodes have stood for election.
    fn elections(&self) -> u64 {
        let nodes = self.switchboard.nodes.lock().expect("not poisoned");
        nodes.values().map(|groups| groups.stats().stood).sum()
    }

    fn mute(&self, listing: &ListingId) {
        let mut muted = self.switchboard.muted.lock().expect("not poisoned");
        muted.insert(listing.clone());
    }

    fn heal_silently(&self) {
        let mut cut = self.switchboard.silently_cut.lock().expect("not poisoned");
        cut.clear();
    }

    fn heal(&self) {
        self.switchboard.cut.lock().expect("not poisoned").clear();
    }

    /// Proposes wherever the leader is, as a booking desk does.
    async fn propose(&self, genesis: &Genesis, command: &Command) -> Outcome {
        self.until_answered(async |groups| {
            groups
                .propose(genesis, command.clone(), DEADLINE)
                .await
                .ok()
        })
        .await
        .outcome()
        .clone()
    }

    async fn read(&self, genesis: &Genesis) -> LedgerView {
        self.until_answered(async |groups| groups.read(genesis, DEADLINE).await.ok())
            .await
    }

    async fn until_answered<T>(&self, ask: impl AsyncFn(Groups) -> Option<T>) -> T {
        timeout(DEADLINE, async {
            loop {
                let cut = self.switchboard.cut.lock().expect("not poisoned").clone();
                let nodes = self.switchboard.nodes.lock().expect("not poisoned").clone();
                for (id, groups) in nodes {
                    if !cut.contains(&id)
                        && let Some(answer) = ask(groups).await
                    {
                        return answer;
                    }
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("answered in time")
    }
}

pub(crate) fn genesis(number: u64) -> Genesis {
    let home = "eu-west".parse().expect("a region");
    Genesis {
        listing: ListingId::generate(UnixNanos::from_millis(number), number.into(), home),
        survival: Survival::Region,
        voters: vec![node(1), node(2), node(3)],
        map_epoch: 1,
        created_by: node(1),
    }
}

/// The `offset`-th night of next year.
fn night(offset: i8) -> (Date, Date) {
    let year = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .year()
        + 1;
    let night = date(year, 1, 1)
        .checked_add(jiff::Span::new().days(i32::from(offset)))
        .expect("a date");
    (night, night.tomorrow().expect("a date"))
}

/// Closes a night, under a key of its own.
fn block(offset: i8) -> Command {
    let (night, after) = night(offset);
    let op = Op::Block(Block {
        nights: Stay::new(night, after, 0),
        units: 1,
    });
    let idempotency = Idempotency {
        caller: "host".to_owned(),
        key: format!("night {offset}"),
        payload_hash: vec![0; 32],
    };
    Command::new(op, Some(idempotency))
}

/// Holds a night.
fn hold(offset: i8) -> Command {
    let (night, after) = night(offset);
    let hold = Hold {
        stay: Stay::new(night, after, 1),
        terms: Terms {
            units: 1,
            capacity: 2,
            ..Terms::default()
        },
        ttl_ms: 600_000,
        ..Hold::default()
    };
    Command::new(Op::Hold(hold), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn command_commits_and_is_read_and_followers_name_the_leader() {
    let cluster = Cluster::start();
    let genesis = genesis(1);
    let outcome = cluster.propose(&genesis, &block(1)).await;
    assert_eq!(outcome, Outcome::Blocked(1));
    let view = cluster.read(&genesis).await;
    assert_eq!(view.ledger.revision(), 1);
    let leader = cluster.node(1).known_leader(&genesis).await;
    assert_eq!(leader, Some(node(1)));
    let follower = cluster.node(2).propose(&genesis, block(2), DEADLINE).await;
    assert_eq!(
        follower.err(),
        Some(ProposeError::NotLeader {
            leader: Some(node(1))
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn same_night_is_closed_once_and_a_repeated_key_replays() {
    let cluster = Cluster::start();
    let genesis = genesis(2);
    cluster.propose(&genesis, &block(1)).await;
    let again = cluster
        .node(1)
        .propose(&genesis, block(1), DEADLINE)
        .await
        .expect("applied");
    assert_eq!(again.replay(), Replay::Replayed);
    let mut other = block(1);
    if let Some(idempotency) = other.idempotency.as_mut() {
        "another".clone_into(&mut idempotency.key);
    }
    let taken = cluster.propose(&genesis, &other).await;
    assert!(matches!(
        taken.rejection(),
        Some(Rejection::SlotTaken { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn minority_answers_no_quorum_and_appends_nothing() {
    let cluster = Cluster::start();
    let genesis = genesis(3);
    cluster.propose(&genesis, &block(1)).await;
    let before = cluster
        .node(1)
        .describe(&genesis.listing)
        .await
        .expect("readable")
        .expect("known");
    cluster.cut(1);
    let (cut_off, deadline) = (cluster.node(1), Duration::from_secs(4));
    // Until its quorum is stale, the leader may append and not know the outcome.
    let minority = timeout(DEADLINE, async {
        let mut attempt = 10;
        loop {
            match cut_off.propose(&genesis, block(attempt), deadline).await {
                Err(ProposeError::Unknown) => attempt += 1,
                other => return other,
            }
        }
    })
    .await
    .expect("answered within its deadlines");
    assert_eq!(minority.err(), Some(ProposeError::NoQuorum));
    let after = cut_off
        .describe(&genesis.listing)
        .await
        .expect("readable")
        .expect("known");
    let next = cut_off.propose(&genesis, block(50), deadline).await;
    assert_eq!(next.err(), Some(ProposeError::NoQuorum));
    let still = cut_off
        .describe(&genesis.listing)
        .await
        .expect("readable")
        .expect("known");
    assert_eq!(after.last_log_index, still.last_log_index);
    assert_eq!(before.term, still.term, "pre-vote keeps the term");
    let read = cut_off.read(&genesis, deadline).await;
    assert_eq!(read.err(), Some(ReadError::NoQuorum));
    let majority = cluster.propose(&genesis, &block(2)).await;
    assert_eq!(majority, Outcome::Blocked(2));
    cluster.heal();
    let view = cluster.read(&genesis).await;
    assert!(view.ledger.revision() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_commands_survive_the_restart_of_all() {
    let mut cluster = Cluster::start();
    let genesis = genesis(4);
    for offset in 0..20 {
        cluster.propose(&genesis, &block(offset)).await;
    }
    for id in 1..=3 {
        cluster.stop_node(id).await;
    }
    for id in 1..=3 {
        cluster.start_node(id);
    }
    let view = cluster.read(&genesis).await;
    let blocked = view
        .ledger
        .reservations()
        .filter(|one| one.state() == ReservationState::Blocked)
        .count();
    assert_eq!(blocked, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_leader_is_replaced_and_catches_up_by_snapshot() {
    let mut cluster = Cluster::start();
    let genesis = genesis(5);
    cluster.propose(&genesis, &block(0)).await;
    cluster.stop_node(1).await;
    // More than the entries that are kept behind a snapshot.
    for round in 0..5_i8 {
        for offset in 0..100 {
            let mut command = block(offset);
            if let Some(idempotency) = command.idempotency.as_mut() {
                idempotency.key = format!("{round} {offset}");
            }
            cluster.propose(&genesis, &command).await;
        }
    }
    cluster.start_node(1);
    let expected = cluster.read(&genesis).await;
    let returned = cluster.node(1);
    timeout(DEADLINE, async {
        loop {
            let view = returned.local(&genesis.listing).expect("readable");
            if view.ledger.encode() == expected.ledger.encode() {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("caught up");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_genesis_and_strangers_are_refused() {
    let cluster = Cluster::start();
    let genesis = genesis(6);
    cluster.propose(&genesis, &block(1)).await;
    let mut other = genesis.clone();
    other.voters = vec![node(1), node(2), node(9)];
    let refused = cluster.node(1).propose(&other, block(2), DEADLINE).await;
    assert_eq!(refused.err(), Some(ProposeError::GenesisMismatch));
    let mut elsewhere = self::genesis(61);
    elsewhere.voters = vec![node(7), node(8), node(9)];
    let refused = cluster.node(1).read(&elsewhere, DEADLINE).await;
    assert_eq!(refused.err(), Some(ReadError::NotVoter));
    // A true message, but from a node that does not vote; and one that is no message.
    let message = Request {
        genesis: genesis.encode().into(),
        call: Some(Call::Vote(Ballot::default())),
        caller: 0,
    };
    let stranger = message.encode_to_vec().into();
    for (from, bytes) in [(node(9), stranger), (node(2), Bytes::from("junk"))] {
        let reply = cluster.node(1).handle(from, bytes).await;
        let reply = Reply::decode(reply).expect("a reply");
        assert!(
            matches!(reply.answer, Some(Answer::Refused(_))),
            "{reply:?}"
        );
    }
}

fn store_in(folder: &TempDir) -> meridian_storage::Store {
    meridian_storage::Store::open(meridian_storage::StoreOptions {
        path: folder.path().to_path_buf(),
        column_families: crate::keys::FAMILIES,
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
    })
    .expect("opened")
}

/// Gives openraft's own storage tests a fresh group.
struct Builder;

impl StoreBuilder<Types, GroupLog, LedgerMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, GroupLog, LedgerMachine), StorageError<Types>> {
        let folder = TempDir::new().expect("a folder");
        let store = store_in(&folder);
        let writer = meridian_storage::Writer::start(&store).expect("started");
        let key = GroupKey::new(&genesis(7).listing);
        let fence = FencedWriter::new(writer);
        let records = crate::records::Records::over(store);
        let machine = LedgerMachine::open(key.clone(), &records, fence.clone());
        let machine = machine.expect("opened").with_gaps();
        Ok((folder, GroupLog::new(key, records, fence), machine))
    }
}

/// Entries leave memory for the disk while they are read: none may be seen in neither.
#[tokio::test(flavor = "multi_thread")]
async fn log_that_is_being_written_is_read_without_a_hole() {
    let (_folder, mut log, _machine) = Builder.build().await.expect("a group");
    let mut reader = log.get_log_reader().await;
    let mut unread = 0;
    for index in 0..4_000 {
        let entry = EntryOf::new_blank(LogIdOf::new_term_index(1, index));
        log.append([entry], IOFlushed::noop()).await.expect("taken");
        // As replication does: everything that is new, as soon as it is there.
        let read = reader.try_get_log_entries(unread..=index).await;
        let read: Vec<u64> = read
            .expect("whole")
            .iter()
            .map(|one| one.log_id.index)
            .collect();
        assert_eq!(read, (unread..=index).collect::<Vec<_>>());
        unread = index.saturating_sub(8);
    }
}

#[test]
fn message_with_a_hole_is_refused() {
    let entries = [5, 7].map(|index| EntryOf::new_blank(LogIdOf::new_term_index(1, index)));
    let request = AppendEntriesRequest::<Types> {
        vote: VoteOf::new_committed(1, 1),
        prev_log_id: Some(LogIdOf::new_term_index(1, 4)),
        entries: entries.to_vec(),
        leader_commit: None,
    };
    let refused = AppendEntriesRequest::try_from(Append::from(&request));
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_state_machine_keep_openrafts_contract() {
    Suite::test_all(Builder).await.expect("the contract holds");
}
