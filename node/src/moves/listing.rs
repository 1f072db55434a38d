//! One listing, moved.

use std::time::Duration;

use meridian_consensus::{Electorate, Move, MoveError, Moving};
use meridian_regions::{Genesis, Goal, NodeId, NodeState};
use tokio::time::{Instant, sleep};

use super::Mover;
use super::plan::Plan;

/// Most time for one step, an election and a snapshot included.
pub(super) const STEP_DEADLINE: Duration = Duration::from_secs(8);
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
        let inner = &self.inner;
        let until = Instant::now() + LISTING_DEADLINE;
        let mut from = inner.groups.voters(genesis);
        let mut goal = inner.groups.goal(genesis);
        let mut last = "no step was taken in time".to_owned();
        while Instant::now() < until && plan.moves(&goal.placing(genesis), &from) {
            let to = plan.target(&goal.placing(genesis), &from);
            let to = to.map_err(|cause| cause.to_string())?;
            let order = self.order(&goal, &from, to);
            let order = order
                .map_err(|lost| format!("node {lost}, which is to vote on it, is not reached"))?;
            let step = inner.groups.move_step(genesis, &order, step_time(until));
            match step.await {
                Ok(Moving::Settled(electorate)) => {
                    self.tell(genesis, &electorate, &from).await;
                    return Ok(());
                }
                Ok(Moving::Learning) => "the new voters have not caught up".clone_into(&mut last),
                Ok(_) => {}
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
        let until = Instant::now() + TELLS_DEADLINE;
        for _ in 0..TELLS_MAX {
            let time = left(until).min(TELL_DEADLINE);
            if time.is_zero() {
                break;
            }
            let told = inner.groups.tell(genesis, electorate, &untold, time).await;
            untold.retain(|node| from.contains(node) && !told.contains(node));
            if untold.is_empty() {
                return;
            }
        }
        tracing::info!(listing = %genesis.listing, ?untold, "who has left was not told yet");
    }
}

/// Time for the next step of what is to be over by a moment: one that begins late ends in time, too.
pub(super) fn step_time(until: Instant) -> Duration {
    left(until).min(STEP_DEADLINE)
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{LISTING_DEADLINE, STEP_DEADLINE, step_time};

    /// The clock stands still but where it is told to go.
    #[tokio::test(start_paused = true)]
    async fn step_that_begins_late_has_what_is_left_of_the_time_and_no_more() {
        let until = Instant::now() + LISTING_DEADLINE;
        assert_eq!(step_time(until), STEP_DEADLINE);
        advance(LISTING_DEADLINE - Duration::from_secs(3)).await;
        assert_eq!(step_time(until), Duration::from_secs(3));
        advance(Duration::from_secs(4)).await;
        assert_eq!(step_time(until), Duration::ZERO);
    }
}
