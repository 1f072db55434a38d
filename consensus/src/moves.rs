//! Moving a group from some voters to others, one step at a time.
//!
//! Whoever wants a group moved asks its leader for one step after the other, from any
//! node, and may die between two of them or be two: where the group stands is in its own
//! log, and a step that was taken is not taken again. What is left to the mover is to
//! tell everybody who votes at the end ([`Groups::tell`]); who was not told finds out.
//!
//! What it is not: it decides not where a group should be, and moves none by itself. Only who learns
//! for nobody any more is sent away unasked: `learners.rs`.
//!
//! Invariants kept here:
//! - Never two disjoint quorums: `step.rs`, in the order of the log.
//! - Moves of one group come one after the other, and a plan of an earlier epoch than one
//!   that has moved the group is refused: `leading.rs`.
//! - Nobody votes with less of a log than it once had: `electorate.rs`, `leaving.rs`.

mod leading;
pub(crate) mod learners;
mod leaving;
mod step;
mod transfer;
mod wire;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use meridian_regions::{FormatLevel, Genesis, Goal, NodeId};
use prost::Message;
use tokio::time::Instant;

pub(crate) use learners::Steps;
#[cfg(test)]
pub(crate) use step::{Voters, alone};
pub use transfer::TransferError;
pub(crate) use wire::{MoveAnswer, MoveCall};

use crate::applied_state::AppliedState;
use crate::electorate::Elsewhere;
use crate::envelope::{Answer, Call, Reply, Request};
use crate::error::WakeError;
use crate::group::Group;
use crate::keys::{GroupKey, STATE, StateKind};
use crate::types::StoredMembershipOf;
use crate::{Electorate, Groups};

/// Nodes asked for one step: whoever is asked names the leader, unless it is being
/// elected.
const ASKED_MAX: usize = 8;
/// Kept back from the time for a step, for the way of the answer.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// Where a group is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The voters that it is to be moved from. If it has others, nothing is done.
    pub from: Vec<NodeId>,
    /// The voters that it is to be moved to.
    pub to: Vec<NodeId>,
    /// Epoch of the topology that they were chosen by.
    pub epoch: u64,
    /// The goal that they were chosen for. If it is the next after the one that stands, it is
    /// written into the log first; if neither, nothing is done. `None` for a move that serves
    /// every goal.
    pub goal: Option<Goal>,
}

impl Move {
    /// Whether it moves nobody, and only asks how the group stands: see [`Groups::standing`].
    pub(crate) fn is_question(&self) -> bool {
        self.to.is_empty()
    }
}

/// How far a move has come with its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moving {
    /// The new voters learn.
    Admitted,
    /// They have not caught up yet.
    Learning,
    /// There was too little time left for the leader, who goes, to hand over: it was not begun.
    TooLate,
    /// Nobody who stays has everything yet that the leader has, who goes: it was not begun.
    NoSuccessor,
    /// Both the old and the new voters must agree, or somebody else's move has ended.
    Joined,
    /// The leader, who goes, has handed over to one who stays.
    HandedOver,
    /// The new voters are the voters, committed. [`Groups::tell`] is left to do.
    Settled(Electorate),
}

/// Why a step was not taken, or is not known to have been. It may always be asked again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// Another node leads.
    #[error("another node leads this group")]
    NotLeader {
        /// Who, as far as is known.
        leader: Option<NodeId>,
    },
    /// The node that was asked has no part in the group.
    #[error("this node does not vote on the listing")]
    NotVoter,
    /// Others vote on the listing.
    #[error("other nodes vote on the listing")]
    Moved(Electorate),
    /// No quorum answers.
    #[error("no quorum of the group's voters answers")]
    NoQuorum,
    /// A plan of a later topology has moved the group already.
    #[error("a plan of epoch {epoch} has moved the group already: give this node that topology")]
    Fenced {
        /// The later epoch.
        epoch: u64,
    },
    /// Nothing was written: not every node is known to read a log with a goal.
    #[error(
        "level {active} of formats is written here, and goals of listings come with level {needed}: \
         once every node runs a release that speaks it, `meridian upgrade finalize` turns it on"
    )]
    Level {
        /// What is written.
        active: FormatLevel,
        /// What has to be.
        needed: FormatLevel,
    },
    /// The group has other voters than those that it was to be moved from.
    #[error("the group has other voters by now")]
    Changed(Electorate),
    /// Too much is under way on the node that leads.
    #[error("too much is under way")]
    Overloaded,
    /// The group was founded by another genesis record.
    #[error("the group was founded by another genesis record")]
    GenesisMismatch,
    /// The step may have been taken.
    #[error("it is not known whether the step was taken: {0}")]
    Unknown(String),
}

impl From<WakeError> for MoveError {
    fn from(error: WakeError) -> Self {
        match error {
            WakeError::NotVoter => Self::NotVoter,
            WakeError::Moved(electorate) => Self::Moved(electorate),
            WakeError::Overloaded => Self::Overloaded,
            WakeError::GenesisMismatch => Self::GenesisMismatch,
            WakeError::Lost => Self::NotVoter,
            WakeError::Storage(cause) => Self::Unknown(cause.to_string()),
        }
    }
}

impl Groups {
    /// Who votes on a listing, as far as this node knows, those at home first: by its log,
    /// by what it was told, or by the genesis record. A hint for whom to ask.
    #[must_use]
    pub fn voters(&self, genesis: &Genesis) -> Vec<NodeId> {
        let known = self.known_voters(genesis).unwrap_or_else(|cause| {
            tracing::error!(listing = %genesis.listing, %cause, "cannot read who votes");
            None
        });
        let known = known.map(|electorates| electorates.into_iter().flatten().collect());
        let known: Option<BTreeSet<NodeId>> = known;
        let known = known.map(|voters| voters.into_iter().collect());
        let mut voters = known.unwrap_or_else(|| genesis.voters.clone());
        let place = |node: &NodeId| genesis.voters.iter().position(|voter| voter == node);
        let home = self.goal(genesis).home;
        let transport = &self.shared().transport;
        voters.sort_by_key(|node| {
            let away = transport.region(*node).as_ref() != Some(&home);
            (away, place(node).unwrap_or(usize::MAX), *node)
        });
        voters
    }

    /// The sets of voters of which a quorum decides on a listing, of each: two while it moves. As
    /// far as this node knows, as [`Self::voters`] does.
    #[must_use]
    pub fn electorates(&self, genesis: &Genesis) -> Vec<Vec<NodeId>> {
        // That it cannot be read is told by whoever asks for the voters.
        let known = self.known_voters(genesis).ok().flatten();
        known.unwrap_or_else(|| vec![genesis.voters.clone()])
    }

    fn known_voters(
        &self,
        genesis: &Genesis,
    ) -> Result<Option<Vec<Vec<NodeId>>>, meridian_storage::StorageError> {
        let voters = |stored: &StoredMembershipOf| {
            let sets = stored.membership().get_joint_config().iter();
            let sets = sets.map(|set| set.iter().copied().filter_map(NodeId::new).collect());
            let sets: Vec<Vec<NodeId>> = sets.collect();
            sets.iter().any(|set| !set.is_empty()).then_some(sets)
        };
        if let Some(group) = self.places().peek(&genesis.listing)
            && let Some(voters) = voters(&group.metrics().membership_config)
        {
            return Ok(Some(voters));
        }
        let key = GroupKey::new(&genesis.listing);
        if self.records().check(&key).is_err() {
            return Ok(None);
        }
        if let Some(state) = self.records().get(STATE, &key.state(StateKind::Applied))? {
            let unreadable = |cause: crate::codec::CodecError| {
                meridian_storage::StorageError::Read(cause.to_string())
            };
            let stored = AppliedState::membership_in(&state).map_err(unreadable)?;
            if let Some(voters) = voters(&stored) {
                return Ok(Some(voters));
            }
        }
        let elsewhere = Elsewhere::read(self.records(), &key)?;
        Ok(elsewhere.map(|elsewhere| vec![elsewhere.electorate.voters]))
    }

    /// Takes note of who votes on a listing: told by a node that knew better.
    pub async fn note_electorate(&self, genesis: &Genesis, told: Electorate) {
        self.hear(genesis, told).await;
    }

    /// Has the leader of the group take one step of a move, wherever it is.
    ///
    /// # Errors
    /// [`MoveError`]; the step may always be asked for again.
    pub async fn move_step(
        &self,
        genesis: &Genesis,
        order: &Move,
        deadline: Duration,
    ) -> Result<Moving, MoveError> {
        let until = Instant::now() + deadline;
        let mut asked = 0;
        let mut last = MoveError::NoQuorum;
        let mut turn: Vec<NodeId> = self.voters(genesis);
        turn.reverse();
        turn.extend(self.known_leader(genesis).await);
        while let Some(node) = turn.pop() {
            asked += 1;
            let left = until.saturating_duration_since(Instant::now());
            if asked > ASKED_MAX || left <= ANSWER_MARGIN {
                break;
            }
            let answered = if node == self.node() {
                self.lead_step(genesis, order, until).await
            } else {
                self.ask_step(node, genesis, order, left).await
            };
            match answered {
                Err(MoveError::NotLeader { leader }) => {
                    last = MoveError::NotLeader { leader };
                    turn.extend(leader.filter(|leader| *leader != node));
                }
                Err(MoveError::Moved(electorate)) => {
                    turn.extend(electorate.voters.iter().filter(|voter| **voter != node));
                    last = MoveError::Moved(electorate);
                }
                Err(
                    error @ (MoveError::NotVoter | MoveError::NoQuorum | MoveError::Unknown(_)),
                ) => {
                    last = error;
                }
                Err(MoveError::Changed(electorate)) => {
                    self.overhear(genesis, &electorate).await;
                    return Err(MoveError::Changed(electorate));
                }
                answered => return answered,
            }
        }
        Err(last)
    }

    /// Who votes on a listing and which goal stands, by its leader, confirmed by a quorum:
    /// for a node that has heard of a later goal than it was told of. Moves nobody, and writes
    /// nothing where this release leads; earlier ones refuse plans of earlier epochs than `epoch`
    /// from then on, as after every step.
    ///
    /// # Errors
    /// [`MoveError`]; it may always be asked for again.
    pub async fn standing(
        &self,
        genesis: &Genesis,
        epoch: u64,
        deadline: Duration,
    ) -> Result<Electorate, MoveError> {
        // The order for a goal that follows none is refused with what stands, by releases of
        // any age.
        let order = Move {
            from: Vec::new(),
            to: Vec::new(),
            epoch,
            goal: Some(Goal {
                revision: u64::MAX,
                ..Goal::of(genesis)
            }),
        };
        match self.move_step(genesis, &order, deadline).await {
            Err(MoveError::Changed(electorate)) => Ok(electorate),
            Err(other) => Err(other),
            Ok(_) => Err(MoveError::Unknown("it took no order's step".to_owned())),
        }
    }

    /// Tells every node of `nodes` who votes on the group from now on, this one included:
    /// who does not forgets it. Answers who has taken note.
    pub async fn tell(
        &self,
        genesis: &Genesis,
        electorate: &Electorate,
        nodes: &[NodeId],
        deadline: Duration,
    ) -> Vec<NodeId> {
        let told = nodes.iter().map(async |node| {
            if *node == self.node() {
                self.hear(genesis, electorate.clone()).await;
                return Some(*node);
            }
            let call = Call::Settled(electorate.into());
            let answer = self.call(*node, genesis, call, deadline).await;
            matches!(answer, Ok(Answer::Settled(true))).then_some(*node)
        });
        let told = futures::future::join_all(told).await;
        told.into_iter().flatten().collect()
    }

    /// Serves a step that another node asks for.
    pub(crate) async fn take_step(&self, genesis: &Genesis, call: &MoveCall) -> MoveAnswer {
        let until = Instant::now() + Duration::from_millis(call.deadline_ms);
        match call.order() {
            Ok(order) => self.lead_step(genesis, &order, until).await.into(),
            Err(cause) => Err(MoveError::Unknown(cause.to_string())).into(),
        }
    }

    async fn lead_step(
        &self,
        genesis: &Genesis,
        order: &Move,
        until: Instant,
    ) -> Result<Moving, MoveError> {
        let _request = self
            .requests()
            .try_acquire()
            .map_err(|_full| MoveError::Overloaded)?;
        let group = self.enter_to_use(genesis).await?;
        let _turn = group.turn().ok_or(MoveError::Overloaded)?;
        let patience = until.saturating_duration_since(Instant::now()) / 2;
        match group.leader(patience).await {
            Some(leader) if leader == self.node() => {}
            Some(leader) => {
                return Err(MoveError::NotLeader {
                    leader: Some(leader),
                });
            }
            None => {
                return Err(match group.led_by_others() {
                    Some(electorate) => MoveError::Moved(electorate),
                    None => MoveError::NoQuorum,
                });
            }
        }
        let taken = group.step(order, until).await;
        self.wake_afresh_if_stuck(&group);
        taken
    }

    /// Puts a group to sleep that has handed over to one who did not take it.
    fn wake_afresh_if_stuck(&self, group: &Group) {
        if group.is_stuck.load(Ordering::Relaxed)
            && let Ok(closing) = self.places().close(&group.genesis.listing)
        {
            self.put_to_sleep(closing);
        }
    }

    async fn ask_step(
        &self,
        node: NodeId,
        genesis: &Genesis,
        order: &Move,
        left: Duration,
    ) -> Result<Moving, MoveError> {
        let own = left.saturating_sub(ANSWER_MARGIN);
        let own_ms = u64::try_from(own.as_millis()).unwrap_or(u64::MAX);
        let call = Call::Move(MoveCall::new(order, own_ms));
        match self.call(node, genesis, call, left).await {
            Ok(Answer::Move(answer)) => answer.into(),
            Ok(Answer::Refused(cause)) | Err(cause) => Err(MoveError::Unknown(cause)),
            Ok(_) => Err(MoveError::Unknown("it answered something else".to_owned())),
        }
    }

    async fn call(
        &self,
        node: NodeId,
        genesis: &Genesis,
        call: Call,
        deadline: Duration,
    ) -> Result<Answer, String> {
        let request = Request {
            genesis: genesis.encode().into(),
            call: Some(call),
            caller: self.source().caller(),
        };
        let transport = &self.shared().transport;
        let request = request.encode_to_vec().into();
        let reply = transport.call(node, request, deadline).await;
        let reply = reply.map_err(|cause| cause.to_string())?;
        let reply = Reply::decode(reply).map_err(|cause| cause.to_string())?;
        reply
            .answer
            .ok_or_else(|| "an answer of a later version".to_owned())
    }
}
