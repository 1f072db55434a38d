//! One listing, moved.

use std::time::Duration;

use meridian_consensus::{Electorate, Move, MoveError, Moving};
use meridian_regions::{Genesis, Goal, NodeId, NodeState};
use tokio::time::{Instant, sleep};

use super::Mover;
use super::plan::Plan;

/// Time for one step, an election and a snapshot included.
pub(super) const STEP_DEADLINE: Duration = Duration::from_secs(8);
/// Time for a listing in one walk; what is not done by then is left to the next.
const LISTING_DEADLINE: Duration = Duration::from_secs(60);
/// Pause after a step that was not taken.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Time for others to take note of who votes.
const TELL_DEADLINE: Duration = Duration::from_secs(2);
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
            match inner.groups.move_step(genesis, &order, STEP_DEADLINE).await {
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
        for _ in 0..TELLS_MAX {
            let told = inner
                .groups
                .tell(genesis, electorate, &untold, TELL_DEADLINE)
                .await;
            untold.retain(|node| from.contains(node) && !told.contains(node));
            if untold.is_empty() {
                return;
            }
        }
        tracing::info!(listing = %genesis.listing, ?untold, "who has left was not told yet");
    }
}
