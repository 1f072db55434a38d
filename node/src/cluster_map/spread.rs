//! How a later map comes to every node, and when a node begins anew by it. Whoever is asked for one
//! says how it is, too (`condition.rs`).

use std::time::Duration;

use futures::future::join_all;
use meridian_regions::{NodeId, NodeState};
use meridian_transport::Channel;
use prost::Message;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::file::Stage;
use super::wire::{Answer, Asked, Question, Told};
use super::{ClusterMap, turn};

/// How often a node asks one other, each in turn: a map that nobody told of comes within so
/// many seconds times their number.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Time for one answer, some kilobytes.
const DEADLINE: Duration = Duration::from_secs(2);
/// How often it is looked whether those before have begun anew.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longest that a node waits for others before it begins anew all the same: one that is dead
/// must not keep it from the map that says so.
const WAIT_MAX: Duration = Duration::from_secs(10);

impl ClusterMap {
    /// Starts the task that asks others; it ends with `cancel`.
    pub(crate) fn start(&self, tracker: &TaskTracker, cancel: &CancellationToken) {
        let (map, cancel) = (self.clone(), cancel.clone());
        tracker.spawn(async move {
            cancel.run_until_cancelled(map.ask_on()).await;
        });
    }

    async fn ask_on(self) {
        let mut looks = interval(ASK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            tokio::select! {
                biased;
                () = self.inner.ask.notified() => {}
                _ = looks.tick() => {}
            }
            let ahead = self.ahead().take();
            let Some(peer) = ahead.or_else(|| self.next_after(last)) else {
                continue;
            };
            last = Some(peer);
            if let Err(cause) = self.ask(peer).await {
                tracing::warn!(%peer, cause = format!("{cause:#}"), "a map was not taken over");
            }
        }
    }

    /// The living peer that is asked next.
    fn next_after(&self, last: Option<NodeId>) -> Option<NodeId> {
        let peers = self.inner.mesh.peers().into_iter();
        let living = peers.filter(|peer| peer.alive_for.is_some());
        let mut living: Vec<NodeId> = living.map(|peer| peer.node).collect();
        living.sort_unstable();
        self.inner.conditions.keep(&living);
        let later = living.iter().find(|node| Some(**node) > last);
        later.or(living.first()).copied()
    }

    /// Asks one node for a later map. Where none is founded here, nothing is asked of those
    /// who do not know the question.
    async fn ask(&self, peer: NodeId) -> anyhow::Result<()> {
        let Some(told) = self.question(peer).await else {
            // It is asked again before long.
            return Ok(());
        };
        self.inner.conditions.note(peer, told.condition);
        match told.answer {
            Some(Answer::Map(sheet)) => self.adopt(sheet.read(Stage::Founded)?).await,
            _ => Ok(()),
        }
    }

    async fn question(&self, peer: NodeId) -> Option<Told> {
        let asked = Asked {
            question: Some(Question::LaterThan(*self.inner.epoch.borrow())),
        };
        let request = asked.encode_to_vec().into();
        let mesh = &self.inner.mesh;
        let reply = mesh.call(peer, Channel::Layout, request, DEADLINE).await;
        Told::decode(reply.ok()?).ok()
    }

    /// Lets every living peer know that there is a later map; those who miss it ask by
    /// themselves.
    pub(super) async fn announce(&self) {
        let peers = self.inner.mesh.peers();
        let living = peers.iter().filter(|peer| peer.alive_for.is_some());
        join_all(living.map(|peer| self.question(peer.node))).await;
    }

    /// Resolves when this node is to begin anew: there is a later map, and it is its turn.
    /// One after the other, so that no group loses two voters at once to a change of the map.
    pub(crate) async fn superseded(&self) {
        let running = self.inner.running.epoch();
        let mut epochs = self.inner.epoch.subscribe();
        // The sender lives as long as this handle.
        let later = epochs.wait_for(|epoch| *epoch > running).await;
        drop(later);
        if self.is_removed() {
            // Whoever is removed keeps nobody waiting: the others refuse it.
            return;
        }
        let turn = turn::of(self.running(), self.inner.node);
        sleep(turn).await;
        let until = Instant::now() + WAIT_MAX;
        let all_are_heard = async {
            while !self.all_are_heard() {
                sleep(LOOK_EVERY).await;
            }
        };
        let heard = timeout(
            until.saturating_duration_since(Instant::now()),
            all_are_heard,
        );
        if heard.await.is_err() {
            tracing::warn!("beginning anew although another node is not heard");
        }
    }

    /// Whether the later map has no place for this node.
    fn is_removed(&self) -> bool {
        let known = self.known();
        let member = known
            .as_ref()
            .and_then(|known| known.map.node(self.inner.node));
        member.is_some_and(|member| member.state == NodeState::Removed)
    }

    fn all_are_heard(&self) -> bool {
        let known = self.known();
        // Nobody waits for who is to go.
        let stays = |node: NodeId| {
            let member = known.as_ref().and_then(|known| known.map.node(node));
            member.is_some_and(|member| member.state != NodeState::Removed)
        };
        let peers = self.inner.mesh.peers();
        let mut staying = peers.iter().filter(|peer| stays(peer.node));
        staying.all(|peer| peer.alive_for.is_some())
    }
}
