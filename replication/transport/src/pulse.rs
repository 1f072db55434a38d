//! Feels every peer's pulse, and beats for it.
//!
//! Two things, on purpose: whatever datagram arrives is a sign of life, and only what was
//! heard of a peer decides whether groups vote without it ([`meridian_regions::Pulse`]). A
//! beat that comes back measures the way ([`crate::heartbeat`]). One look and one beat for
//! each pair of nodes, however many groups talk between them.

use std::sync::Arc;
use std::time::Duration;

use quinn::Connection;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::TaskTracker;

use crate::heartbeat::{BEAT_BYTES_MAX, BEAT_EVERY, RENEW};
use crate::mesh::Quic;
use crate::peers::Peers;

/// How often connections are looked at: the error of a pulse.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts both tasks; they end with the mesh.
pub(crate) fn start(mesh: &Quic, tracker: &TaskTracker) {
    let (peers, closed) = (Arc::clone(&mesh.peers), mesh.closed.clone());
    tracker.spawn(async move { closed.run_until_cancelled(look(&peers)).await });
    let (peers, closed) = (Arc::clone(&mesh.peers), mesh.closed.clone());
    tracker.spawn(async move { closed.run_until_cancelled(beat(&peers)).await });
}

async fn look(peers: &Peers) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        peers.feel_pulses();
    }
}

async fn beat(peers: &Peers) {
    let mut beats = interval(BEAT_EVERY);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = beats.tick().await;
        // A machine that was busy or asleep has heard nobody: that is not the peers' fault.
        peers.beat(due.elapsed());
    }
}

/// Sends a peer's beats back over the connection that it dialled, until that ends; asks for
/// another connection by them once this one `is_outdated`. A beat that is lost asks nothing, and
/// the next one does.
pub(crate) async fn echo(connection: &Connection, is_outdated: impl Fn() -> bool) {
    while let Ok(beat) = connection.read_datagram().await {
        if beat.len() <= BEAT_BYTES_MAX {
            let echo = if is_outdated() {
                [&beat[..], &RENEW].concat().into()
            } else {
                beat
            };
            // No room or no support: the peer takes it for a lost beat.
            let _ = connection.send_datagram(echo);
        }
    }
}
