//! Noticing that a peer has died while something is awaited of it.

use std::time::Duration;

use meridian_regions::NodeId;
use meridian_transport::Mesh;

/// How often the node that was asked is looked at meanwhile.
const DEATH_LOOK_EVERY: Duration = Duration::from_millis(100);

/// Returns once a peer that lives has fallen silent: the rest of a deadline is for
/// those who can answer.
pub(crate) async fn death_of(mesh: &Mesh, peer: NodeId) {
    let mut lived = false;
    loop {
        let lives = mesh.alive_for(peer).is_some();
        if lived && !lives {
            return;
        }
        lived |= lives;
        tokio::time::sleep(DEATH_LOOK_EVERY).await;
    }
}
