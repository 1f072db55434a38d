//! Rounds of repair: those that wait, the one that runs, and the latest that have ended.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use meridian_regions::{SHARD_COUNT, ShardId};
use tokio::sync::Notify;

use crate::sequencer::now;

/// Rounds that may wait: every shard by itself, and all together.
const WAITING_MAX: usize = SHARD_COUNT as usize + 1;
/// Rounds that are remembered after they have ended: enough for whoever waits for one.
const ENDED_KEPT: usize = 16;

/// What is to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairScope {
    /// Every shard.
    Everything,
    /// One.
    Shard(ShardId),
}

impl RepairScope {
    pub(super) fn shards(self) -> Vec<ShardId> {
        match self {
            Self::Everything => ShardId::all().collect(),
            Self::Shard(shard) => vec![shard],
        }
    }
}

/// Why a round is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// It was time.
    Schedule,
    /// Somebody wanted it.
    Operator,
    /// This node has come back without a part of its log, and writes only once it has what
    /// the others hold.
    Return,
    /// A peer has trimmed from its logs what this node lacks: it alone is visited.
    LeftBehind,
}

impl AskedBy {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Operator => "operator",
            Self::Return => "return",
            Self::LeftBehind => "left-behind",
        }
    }
}

/// How far a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundState {
    /// Others are before it.
    Waiting,
    /// It goes on.
    Running,
    /// Every other node has been visited, and what was missing here has been mended.
    Done,
    /// It has ended, and something is left: a node was not reached, or a document could
    /// not be mended. The next round tries again.
    Incomplete,
}

impl RoundState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
        }
    }

    /// Whether nothing more happens.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Incomplete)
    }
}

/// One round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairRound {
    /// Names it, also beyond a restart: milliseconds since 1970 when it was asked for, or
    /// the next number that is free.
    pub round: u64,
    /// What is compared.
    pub scope: RepairScope,
    /// Why.
    pub asked_by: AskedBy,
    /// How far it is.
    pub state: RoundState,
    /// What it has come to so far.
    pub progress: RoundProgress,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<u64>,
}

/// What a round has come to, over all peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoundProgress {
    /// Nodes that have been visited.
    pub peers_done: u64,
    /// Nodes that are to be.
    pub peers: u64,
    /// Shards that have been compared, counted for each peer.
    pub shards_done: u64,
    /// Shards that are to be, counted for each peer.
    pub shards: u64,
    /// Ranges that have been compared.
    pub ranges: u64,
    /// Bytes of requests and answers.
    pub bytes: u64,
    /// Listings of which a peer had something else.
    pub differing: u64,
    /// Listings that are mended.
    pub mended: u64,
    /// Listings that could not be.
    pub refused: u64,
    /// The latest trouble.
    pub last_error: Option<String>,
    /// Of the peers before the one that is visited now.
    before: (u64, u64),
}

impl RoundProgress {
    /// The peer that is visited now has been compared so far.
    pub(super) const fn compared(&mut self, ranges: u64, shards_done: usize) {
        let (ranges_before, shards_before) = self.before;
        self.ranges = ranges_before + ranges;
        self.shards_done = shards_before + shards_done as u64;
    }

    /// A peer is visited from now on.
    pub(super) const fn visit(&mut self) {
        self.before = (self.ranges, self.shards_done);
    }
}

/// Numbers for operators, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RepairTotals {
    /// Rounds that have ended.
    pub rounds: u64,
    /// Bytes of requests and answers.
    pub bytes: u64,
    /// Listings of which a peer had something else.
    pub differing: u64,
    /// Listings that were mended.
    pub mended: u64,
    /// Listings that could not be.
    pub refused: u64,
    /// When a round over everything was done, in milliseconds since 1970.
    pub done_ms: Option<u64>,
}

/// No more rounds can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{WAITING_MAX} rounds of repair wait already")]
pub struct RepairsFull;

#[derive(Debug, Default)]
struct State {
    rounds: VecDeque<RepairRound>,
    last: u64,
    totals: RepairTotals,
}

/// All rounds of this node.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    state: Mutex<State>,
    asked: Notify,
}

impl Rounds {
    /// Wants a round; one that waits with the same scope does for both.
    pub(crate) fn ask(
        &self,
        scope: RepairScope,
        asked_by: AskedBy,
    ) -> Result<RepairRound, RepairsFull> {
        let mut state = self.state();
        let mut waiting = state.rounds.iter();
        let same = waiting.find(|round| round.state == RoundState::Waiting && round.scope == scope);
        if let Some(same) = same {
            return Ok(same.clone());
        }
        let waiting = state.rounds.iter();
        let waiting = waiting.filter(|round| round.state == RoundState::Waiting);
        if waiting.count() >= WAITING_MAX {
            return Err(RepairsFull);
        }
        let round = state.add(scope, asked_by, RoundState::Waiting);
        drop(state);
        self.asked.notify_one();
        Ok(round)
    }

    /// Resolves once a round has been asked for.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Takes up the round that has waited longest.
    pub(super) fn next(&self) -> Option<RepairRound> {
        let mut state = self.state();
        let mut rounds = state.rounds.iter_mut();
        let next = rounds.find(|round| round.state == RoundState::Waiting)?;
        next.state = RoundState::Running;
        Some(next.clone())
    }

    /// Takes up a round past all that wait.
    pub(super) fn begin(&self, scope: RepairScope, asked_by: AskedBy) -> RepairRound {
        self.state().add(scope, asked_by, RoundState::Running)
    }

    /// Notes how a round goes.
    pub(super) fn tell(&self, round: u64, change: impl FnOnce(&mut RoundProgress)) {
        let mut state = self.state();
        let mut rounds = state.rounds.iter_mut();
        if let Some(round) = rounds.find(|known| known.round == round) {
            change(&mut round.progress);
        }
    }

    /// Ends a round; answers what it has come to.
    pub(super) fn end(&self, round: u64) -> Option<RepairRound> {
        let at = now().as_millis();
        let mut state = self.state();
        let mut rounds = state.rounds.iter_mut();
        let ended = rounds.find(|known| known.round == round)?;
        let progress = &ended.progress;
        let whole = progress.peers_done == progress.peers && progress.refused == 0;
        ended.state = if whole {
            RoundState::Done
        } else {
            RoundState::Incomplete
        };
        ended.ended_ms = Some(at);
        let ended = ended.clone();
        let totals = &mut state.totals;
        totals.rounds += 1;
        totals.bytes += ended.progress.bytes;
        totals.differing += ended.progress.differing;
        totals.mended += ended.progress.mended;
        totals.refused += ended.progress.refused;
        let everybody = ended.asked_by != AskedBy::LeftBehind;
        if whole && everybody && ended.scope == RepairScope::Everything {
            totals.done_ms = Some(at);
        }
        state.forget();
        Some(ended)
    }

    /// Every round that is known, in the order in which they were asked for.
    pub(crate) fn all(&self) -> Vec<RepairRound> {
        self.state().rounds.iter().cloned().collect()
    }

    pub(crate) fn totals(&self) -> RepairTotals {
        self.state().totals
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, scope: RepairScope, asked_by: AskedBy, state: RoundState) -> RepairRound {
        self.last = now().as_millis().max(self.last + 1);
        let round = RepairRound {
            round: self.last,
            scope,
            asked_by,
            state,
            progress: RoundProgress::default(),
            ended_ms: None,
        };
        self.rounds.push_back(round.clone());
        round
    }

    fn forget(&mut self) {
        let over = |round: &RepairRound| round.state.is_over();
        while self.rounds.iter().filter(|round| over(round)).count() > ENDED_KEPT {
            let Some(oldest) = self.rounds.iter().position(over) else {
                return;
            };
            self.rounds.remove(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::ShardId;

    use super::{AskedBy, ENDED_KEPT, RepairScope, RepairsFull, RoundState, Rounds};

    fn shard(number: u16) -> RepairScope {
        RepairScope::Shard(ShardId::new(number).expect("a shard"))
    }

    #[test]
    fn round_that_waits_does_for_everybody_who_asks() {
        let rounds = Rounds::default();
        let ask = |scope| rounds.ask(scope, AskedBy::Operator);
        let first = ask(shard(1)).expect("room");
        assert_eq!(ask(shard(1)), Ok(first.clone()));
        let second = ask(RepairScope::Everything).expect("room");
        assert!(first.round < second.round);
        let running = rounds.next().expect("the first");
        assert_eq!(running.round, first.round);
        let third = ask(shard(1)).expect("room");
        assert!(
            third.round > second.round,
            "one that runs may have passed it by"
        );
        rounds.end(first.round);
        assert_eq!(rounds.all()[0].state, RoundState::Done);
    }

    #[test]
    fn rounds_that_wait_and_that_have_ended_are_bounded() {
        let rounds = Rounds::default();
        for number in 0..64 {
            rounds.ask(shard(number), AskedBy::Operator).expect("room");
        }
        rounds
            .ask(RepairScope::Everything, AskedBy::Schedule)
            .expect("room");
        for _ in 0..65 {
            let next = rounds.next().expect("it waits");
            rounds.end(next.round).expect("it runs");
        }
        assert_eq!(rounds.all().len(), ENDED_KEPT);
        assert_eq!(rounds.totals().rounds, 65);
        // Full only if scopes were not told apart: a bound for that day.
        assert_eq!(RepairsFull.to_string(), "65 rounds of repair wait already");
    }

    #[test]
    fn round_with_something_left_is_incomplete() {
        let rounds = Rounds::default();
        let round = rounds.begin(RepairScope::Everything, AskedBy::Schedule);
        rounds.tell(round.round, |progress| progress.peers = 2);
        rounds.tell(round.round, |progress| progress.peers_done = 1);
        let ended = rounds.end(round.round).expect("it ran");
        assert_eq!(ended.state, RoundState::Incomplete);
        assert_eq!(rounds.totals().done_ms, None);
    }
}
