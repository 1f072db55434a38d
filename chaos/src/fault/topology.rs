//! Nodes join the cluster, or leave it for good: all nodes restart, one after the other, on a
//! topology of the next epoch.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::background::{Background, restart};
use super::error::FaultError;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck, Work};

/// `topology`: one node of a place stands otherwise from now on. It stays so: nobody goes back
/// to an earlier epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Which node; the first one of several.
    pub target: Place,
    /// How it stands.
    pub state: State,
}

/// How a node stands in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// In full service: of one that was joining, that it has joined.
    Active,
    /// In service, and given no new voters.
    Draining,
    /// Gone for good: it is stopped, and stays so. Drain it before.
    Removed,
}

impl State {
    /// As topologies have it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Removed => "removed",
        }
    }
}

impl Topology {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (_, nodes) = running_at(&self.target, scene, random).await?;
        let (node, cluster) = (nodes[0], scene.own()?);
        let epoch = cluster.set_state(node, self.state.name())?;
        if self.state == State::Removed {
            cluster.remove_node(node).await?;
        }
        let (walked, others) = (scene.clone(), cluster.running());
        let walk = Background::start(async move {
            for other in others {
                restart(&walked, other).await?;
            }
            Ok(())
        });
        let state = self.state;
        Ok(Struck {
            target: format!("node {node} is {}", state.name()),
            nodes: vec![node],
            effect: Box::new(Changed {
                node,
                state,
                epoch,
                walk,
            }),
        })
    }
}

struct Changed {
    node: u64,
    state: State,
    epoch: u64,
    walk: Background,
}

impl Effect for Changed {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async move {
            if !self.walk.is_done() {
                return None;
            }
            let mut told = Vec::new();
            for other in scene.cluster.running() {
                let known = super::asked(scene.cluster.admin(other).ok()?.nodes())
                    .await
                    .ok()?;
                let mut nodes = known["data"].as_array()?.iter();
                let node = nodes.find(|node| node["node"] == self.node)?;
                let agrees = node["state"] == self.state.name() && known["epoch"] == self.epoch;
                if !agrees {
                    return None;
                }
                told.push(other.to_string());
            }
            let (node, state, epoch) = (self.node, self.state.name(), self.epoch);
            Some(format!(
                "node {node} is {state} by epoch {epoch}, as nodes {} say",
                told.join(", ")
            ))
        }
        .boxed()
    }

    fn done(&self) -> BoxFuture<'_, Work> {
        self.walk.over().map(|()| Work::Done).boxed()
    }

    fn end<'a>(self: Box<Self>, _scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { self.walk.finish().await }.boxed()
    }
}
