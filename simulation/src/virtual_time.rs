//! Time in a world: its clock stands still while anybody has work to do, and jumps to the
//! next instant that somebody waits for. So a pause costs nothing, and is no guess at how
//! long something takes: how slow a link, a disk or a client is belongs to the world.

use std::time::Duration;

/// Lets so much of the world's time pass.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
