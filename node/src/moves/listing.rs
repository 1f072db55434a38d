//! One listing, moved.

use std::time::Duration;

use meridian_consensus::{Electorate, Move, MoveError, Moving};
use meridian_regions::{Genesis, Goal, NodeId, NodeState};
use tokio::time::{Instant, sleep};

use super::Mover;
use super::plan::Plan;

/// Most time for one step, an election and a snapshot included.
pub(super) const STEP_DEADLINE: Duration = Duration::from_secs(8);
/// Least time for one step: the way to the leader and back, and the two seconds that who is offered
/// the leadership has to take it. One that begins later would only say that there was no time, and
/// not why it has not come there.
pub(super) const STEP_MIN: Duration = Duration::from_secs(3);
/// Time for a listing in one walk; what is not done by then is left to the next.
const LISTING_DEADLINE: Duration = Duration::from_secs(60);
/// Pause after a step that was not taken.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Most time for others to take note of who votes, at one telling.
const TELL_DEADLINE: Duration = Duration::from_secs(2);
/// Most time for all tellings of one move together, beyond that for its steps: two in which somebody
/// is silent. So a request, which has 24 s for its steps, is answered within half a minute.
const TELLS_DEADLINE: Duration = Duration::from_secs(4);
/// How often those that live are told.
const TELLS_MAX: usize = 3;

impl Mover {
    /// The order by which voters give way to others.
    ///
    /// # Errors
    /// The node that is to come and is not reached.
    pub(super) fn order(
        &self,
        goal: &Goal,
        from: &[NodeId],
        to: Vec<NodeId>,
    ) -> Result<Move, NodeId> {
        let inner = &self.inner;
        let is_lost = |node: &&NodeId| !from.contains(node) && !inner.groups.is_alive(**node);
        if let Some(lost) = to.iter().find(is_lost) {
            return Err(*lost);
        }
        Ok(Move {
            to,
            from: from.to_vec(),
            epoch: inner.topology.epoch(),
            goal: Some(goal.clone()),
        })
    }

    /// Moves a listing to where a plan wants it.
    ///
    /// # Errors
    /// Why it was not moved, for the operator. The next walk tries again.
    pub(super) async fn move_listing(&self, genesis: &Genesis, plan: &Plan) -> Result<(), String> {
        let until = Instant::now() + LISTING_DEADLINE;
        self.move_until(genesis, plan, until).await
    }

    async fn move_until(
        &self,
        genesis: &Genesis,
        plan: &Plan,
        until: Instant,
    ) -> Result<(), String> {
        let inner = &self.inner;
        let mut from = inner.groups.voters(genesis);
        let mut goal = inner.groups.goal(genesis);
        let mut last = "no step was taken in time".to_owned();
        while let Some(time) = step_time(until)
            && plan.moves(&goal.placing(genesis), &from)
        {
            let to = plan.target(&goal.placing(genesis), &from);
            let to = to.map_err(|cause| cause.to_string())?;
            let order = self.order(&goal, &from, to);
            let order = order
                .map_err(|lost| format!("node {lost}, which is to vote on it, is not reached"))?;
            let step = inner.groups.move_step(genesis, &order, time);
            match step.await {
                Ok(Moving::Settled(electorate)) => {
                    self.tell(genesis, &electorate, &from).await;
                    return Ok(());
                }
                Ok(moving) => {
                    if let Some(why) = waits(&moving) {
                        why.clone_into(&mut last);
                    }
                }
                Err(MoveError::Changed(electorate)) => {
                    goal = electorate.goal.unwrap_or(goal);
                    from = electorate.voters;
                }
                Err(fenced @ MoveError::Fenced { .. }) => return Err(fenced.to_string()),
                Err(other) => {
                    last = other.to_string();
                    sleep(PAUSE).await;
                }
            }
        }
        if plan.moves(&goal.placing(genesis), &from) {
            Err(last)
        } else {
            Ok(())
        }
    }

    /// Tells the whole cluster who votes. Those who have left and live are told again, for
    /// a while: who was not told finds out by use.
    pub(super) async fn tell(&self, genesis: &Genesis, electorate: &Electorate, from: &[NodeId]) {
        let inner = &self.inner;
        let nodes = inner.topology.nodes().iter();
        let mut untold: Vec<NodeId> = nodes
            .filter(|node| node.state != NodeState::Removed)
            .map(|node| node.id)
            .collect();
        for time in Tellings::begin() {
            let told = inner.groups.tell(genesis, electorate, &untold, time).await;
            untold.retain(|node| from.contains(node) && !told.contains(node));
            if untold.is_empty() {
                return;
            }
        }
        tracing::info!(listing = %genesis.listing, ?untold, "who has left was not told yet");
    }
}

/// What a listing waits for that has taken no step.
pub(super) const fn waits(moving: &Moving) -> Option<&'static str> {
    match moving {
        Moving::Learning => Some("the new voters have not caught up"),
        Moving::TooLate => Some("there was too little time left for its leader to hand over"),
        Moving::NoSuccessor => Some("no voter that stays has everything that its leader has"),
        Moving::Admitted | Moving::Joined | Moving::HandedOver | Moving::Settled(_) => None,
    }
}

/// Time for the next step of what is to be over by a moment: one that begins late ends in time, too.
/// `None` where too little is left to begin one.
pub(super) fn step_time(until: Instant) -> Option<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    (left >= STEP_MIN).then(|| left.min(STEP_DEADLINE))
}

/// The tellings of one move, by the time that each has.
struct Tellings {
    until: Instant,
    told: usize,
}

impl Tellings {
    fn begin() -> Self {
        Self {
            until: Instant::now() + TELLS_DEADLINE,
            told: 0,
        }
    }
}

impl Iterator for Tellings {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.told += 1;
        let is_over = self.told > TELLS_MAX || left.is_zero();
        (!is_over).then(|| left.min(TELL_DEADLINE))
    }
}

#[cfg(test)]
mod tests;
