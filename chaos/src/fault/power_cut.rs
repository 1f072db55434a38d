//! The power is cut: whatever was not fsynced is gone, and so is the process.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::disks;
use super::error::FaultError;
use super::kill::Killed;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::Disk;

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
        let out = match Out::strike(scene, &disks).await {
            Ok(out) => out,
            Err(cause) => {
                disks::restore(scene, &disks).await?;
                return Err(cause);
            }
        };
        Ok(Struck::at(&place, nodes, out))
    }
}

struct Out {
    killed: Killed,
    lost: bool,
}

impl Out {
    async fn strike(scene: &Scene, disks: &[(u64, Arc<Disk>)]) -> Result<Self, FaultError> {
        // To see whether it goes. A disk that is full takes none.
        let probed: Vec<bool> = disks.iter().map(|(_, disk)| disk.probe().is_ok()).collect();
        // No node acknowledges a thing once its disk has failed.
        for (node, disk) in disks {
            let failed = disk.fail().await;
            failed.map_err(disks::failed("cutting the power", *node))?;
        }
        let nodes = disks.iter().map(|(node, _)| *node).collect();
        let killed = Killed::strike(scene, nodes).await?;
        for (node, disk) in disks {
            let back = disk.replay().await;
            back.map_err(disks::failed("bringing the power back", *node))?;
        }
        // All are looked at: a probe is taken away as it is.
        let kept = disks.iter().filter(|(_, disk)| disk.take_probe()).count();
        Ok(Self {
            killed,
            lost: kept == 0 && probed.contains(&true),
        })
    }
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
        Box::new(self.killed).end(scene)
    }
}
