//! Connections of clients: how they are taken, and how the system keeps them.
//!
//! A client that takes nothing, whether it is dead, asleep or does not read, holds a
//! connection, what has been written to it, and perhaps one of the places of those who
//! watch. Nothing in the process hears of that: an answer that is not taken is not asked
//! for more. So the system is told to end it.

mod serve;

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

pub(crate) use serve::{Manners, serve};

/// Whoever is there is cut off once he has taken nothing of what is there for him for as long
/// as `stall` (`TCP_USER_TIMEOUT`, RFC 5482).
fn settle(stream: &TcpStream, stall: Duration) {
    // An event follows another at once, and not after its acknowledgement.
    let set = stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(stream).set_tcp_user_timeout(Some(stall)));
    if let Err(cause) = set {
        tracing::debug!(%cause, "a connection was closed as it came");
    }
}
