//! A node gets over what was broken, or is helped as an operator would.

use super::error::FaultError;
use super::scene::Scene;

/// Starts a node again if it has ended by itself, or if it runs and is not ready. Whom
/// another fault has stopped, that one starts again.
pub(super) async fn mend(scene: &Scene, node: u64) -> Result<(), FaultError> {
    let cluster = scene.own()?;
    if cluster.has_ended(node) {
        return Ok(cluster.start_node(node).await?);
    }
    if cluster.running().contains(&node) && !cluster.admin(node)?.is_ready().await {
        cluster.kill_node(node).await?;
        cluster.start_node(node).await?;
    }
    Ok(())
}
