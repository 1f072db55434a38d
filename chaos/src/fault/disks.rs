//! Disks of their own, for nodes whose disk is to fail.

use std::sync::Arc;

use super::error::{FaultError, system};
use super::kill::start;
use super::place::Place;
use super::scene::Scene;
use crate::cluster::{ClusterError, Disk};
use crate::layout::WanPlan;

/// Whether the machine has them, for a fault of this kind.
pub(super) fn check(fault: &'static str, target: &Place, plan: &WanPlan) -> Result<(), FaultError> {
    target.check(plan)?;
    Disk::missing().map_or(Ok(()), |why| Err(FaultError::NotHere { fault, why }))
}

/// Gives a disk to each node that a place may mean, unless it has one.
pub(super) async fn give(target: &Place, scene: &Scene) -> Result<(), FaultError> {
    let cluster = scene.own()?;
    for node in target.nodes(cluster.plan()) {
        if cluster.disk(node).is_none() {
            cluster.give_disk(node).await?;
        }
    }
    Ok(())
}

/// The disk of each of these nodes.
pub(super) fn of(
    fault: &'static str,
    nodes: &[u64],
    scene: &Scene,
) -> Result<Vec<(u64, Arc<Disk>)>, FaultError> {
    let cluster = scene.own()?;
    let disk_of = |node: &u64| {
        let disk = cluster.disk(*node).map(|disk| (*node, disk));
        disk.ok_or_else(|| FaultError::NotHere {
            fault,
            why: format!("node {node} has no disk of its own: prepare it before the launch"),
        })
    };
    nodes.iter().map(disk_of).collect()
}

/// Has nodes run again on what the journals of their disks bring back.
pub(super) async fn restore(scene: &Scene, disks: &[(u64, Arc<Disk>)]) -> Result<(), FaultError> {
    let mut nodes = Vec::new();
    for (node, disk) in disks {
        match scene.own()?.kill_node(*node).await {
            Ok(()) | Err(ClusterError::NotRunning(_)) => {}
            Err(cause) => return Err(cause.into()),
        }
        let back = disk.replay().await;
        back.map_err(failed("bringing the disk back", *node))?;
        nodes.push(*node);
    }
    start(scene, nodes).await
}

/// An error of a node's disk.
pub(super) fn failed(doing: &str, node: u64) -> impl FnOnce(std::io::Error) -> FaultError {
    system(format!("{doing}, node {node}"))
}
