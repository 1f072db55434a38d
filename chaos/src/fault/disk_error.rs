//! A disk fails under a node that runs.

use std::io;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::disks;
use super::error::FaultError;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::Disk;

/// `disk-error`: every write and fsync of a place's nodes fails, from one moment on, as ext4
/// has it after an error beneath its journal. In the end the nodes are killed, and start on
/// what the journal brings back. On disks of their own, for which root is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskError {
    /// Which nodes.
    pub target: Place,
}

impl DiskError {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let failing = Failing(disks::of("disk-error", &nodes, scene)?);
        for (node, disk) in &failing.0 {
            if let Err(cause) = disk.fail().await {
                disks::restore(scene, &failing.0).await?;
                return Err(disks::failed("failing the disk", *node)(cause));
            }
        }
        Ok(Struck::at(&place, nodes, failing))
    }
}

struct Failing(Vec<(u64, Arc<Disk>)>);

impl Effect for Failing {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async {
            let mut shown = Vec::new();
            for (node, disk) in &self.0 {
                let refused = disk.probe().err()?;
                if refused.kind() != io::ErrorKind::ReadOnlyFilesystem {
                    return None;
                }
                let ended = scene.own().is_ok_and(|cluster| cluster.has_ended(*node));
                let then = if ended { "has ended" } else { "goes on" };
                shown.push(format!("node {node}, which {then}"));
            }
            Some(format!("a write there fails: {}", shown.join(", ")))
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { disks::restore(scene, &self.0).await }.boxed()
    }
}
