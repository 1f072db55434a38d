//! Nodes die as by `kill -9`, and start again on their files.

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::place::{Place, running_at};
use super::process;
use super::scene::Scene;
use super::struck::{Effect, Struck};

/// `kill`: the nodes of a place, all at once. Of a region, that is the loss of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Which nodes.
    pub target: Place,
}

impl Kill {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        Ok(Struck::at(
            &place,
            nodes.clone(),
            Killed::strike(scene, nodes).await?,
        ))
    }
}

/// Nodes that were killed, and the process ids that they had.
pub(super) struct Killed {
    processes: Vec<(u64, u32)>,
}

impl Killed {
    /// Kills them all, or, if one cannot be, starts the others again.
    pub(super) async fn strike(scene: &Scene, nodes: Vec<u64>) -> Result<Self, FaultError> {
        let processes = process::of(scene, &nodes)?;
        let cluster = scene.own()?;
        let killing = nodes.iter().map(|node| cluster.kill_node(*node));
        let results = join_all(killing).await;
        let dead = nodes.iter().zip(&results).filter(|(_, dead)| dead.is_ok());
        let dead: Vec<u64> = dead.map(|(node, _)| *node).collect();
        if let Some(cause) = results.into_iter().find_map(Result::err) {
            start(scene, dead).await?;
            return Err(cause.into());
        }
        Ok(Self { processes })
    }
}

/// Starts nodes on their files, all at once, and waits until they are ready.
pub(super) async fn start(scene: &Scene, nodes: Vec<u64>) -> Result<(), FaultError> {
    let cluster = scene.own()?;
    let starting = nodes.into_iter().map(|node| cluster.start_node(node));
    let results = join_all(starting).await;
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}

impl Effect for Killed {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async {
            let gone = |(_, pid): &(u64, u32)| process::state(*pid).is_none();
            let said = || format!("no longer in /proc: {}", process::listed(&self.processes));
            self.processes.iter().all(gone).then(said)
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            let nodes: Vec<u64> = self.processes.iter().map(|(node, _)| *node).collect();
            start(scene, nodes).await
        }
        .boxed()
    }
}
