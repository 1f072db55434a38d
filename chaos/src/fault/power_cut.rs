//! The power is cut: whatever was not fsynced is gone, and so is the process.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::disks;
use super::error::FaultError;
use super::kill::{Killed, start};
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};

/// `power-cut`: the disks of a place fail, its nodes die as by `kill -9`, and start again
/// on what the disks' journals bring back. On disks of their own, for which root is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerCut {
    /// Which nodes.
    pub target: Place,
}

impl PowerCut {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let disks = disks::of("power-cut", &nodes, scene)?;
        for (node, disk) in &disks {
            // To see whether it goes: no node is asked about it.
            disk.probe()
                .map_err(disks::failed("writing without fsync", *node))?;
        }
        // No node acknowledges a thing once its disk has failed.
        for (node, disk) in &disks {
            disk.fail()
                .await
                .map_err(disks::failed("cutting the power", *node))?;
        }
        let killed = Killed::strike(scene, nodes.clone()).await?;
        for (node, disk) in &disks {
            let back = disk.replay().await;
            back.map_err(disks::failed("bringing the power back", *node))?;
        }
        let lost = disks.iter().all(|(_, disk)| !disk.take_probe());
        Ok(Struck {
            target: place.title(),
            nodes: nodes.clone(),
            effect: Box::new(Out {
                killed,
                nodes,
                lost,
            }),
        })
    }
}

struct Out {
    killed: Killed,
    nodes: Vec<u64>,
    lost: bool,
}

impl Effect for Out {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async {
            let gone = self.killed.confirm(scene).await?;
            let lost = "what was not fsynced just before is gone";
            self.lost.then(|| format!("{gone}; {lost}"))
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        start(scene, self.nodes).boxed()
    }
}
