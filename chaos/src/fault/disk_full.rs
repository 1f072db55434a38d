//! There is no room left on a disk.

use std::io;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::disks;
use super::error::FaultError;
use super::mended::mend;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::Disk;

/// `disk-full`: the disks of a place are filled to the last block. A node that has ended for
/// it starts again when there is room. On disks of their own, for which root is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskFull {
    /// Which nodes.
    pub target: Place,
}

impl DiskFull {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let full = Full(disks::of("disk-full", &nodes, scene)?);
        for (node, disk) in &full.0 {
            disk.fill()
                .map_err(disks::failed("filling the disk", *node))?;
        }
        Ok(Struck::at(&place, nodes, full))
    }
}

struct Full(Vec<(u64, Arc<Disk>)>);

impl Effect for Full {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async {
            let mut shown = Vec::new();
            for (node, disk) in &self.0 {
                let refused = disk.probe().err()?;
                if refused.kind() != io::ErrorKind::StorageFull {
                    return None;
                }
                shown.push(format!("node {node}"));
            }
            Some(format!(
                "a write there finds no space: {}",
                shown.join(", ")
            ))
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            let mut first = Ok(());
            for (node, disk) in &self.0 {
                disk.take_probe();
                let freed = disk
                    .free()
                    .map_err(disks::failed("freeing the disk", *node));
                first = first.and(freed).and(mend(scene, *node).await);
            }
            first
        }
        .boxed()
    }
}
