//! The QUIC mesh: one endpoint per node, mutual TLS always.
//!
//! The only crate that knows quinn and rcgen; rustls is known to it and to clients. It moves frames between
//! nodes that have proven who they are, and says honestly what became of a call:
//! surely not executed ([`CallError::NotSent`]) or perhaps executed
//! ([`CallError::Unknown`]).
//!
//! What it is not: it knows no listing, no group and no log.
//!
//! Invariants kept here:
//! - A peer is who its certificate says: cluster, region and node are checked on
//!   both sides of every connection.
//! - Nothing is read from a peer before both ends have found that they speak a common level
//!   of formats (ADR 60).
//! - Nothing is queued for a peer that is not connected: such a call fails at once. Streams that
//!   resume may be asked for behind this node's greeting.
//! - No frame is longer than [`FRAME_BYTES_MAX`], and none is allocated before its
//!   length has been checked (invariants 10 and 11).
//! - Bulk catch-up never starves Raft: streams of a higher [`Channel`] go first, and
//!   no channel can take the streams, windows or slots that another needs.
//! - Certificates change while the mesh runs, and no request is lost by it (ADR 55).
//! - A service that panics or hangs costs its own request, never the connection.

mod acceptor;
mod away;
mod backoff;
mod budget;
mod call;
mod channel;
mod close;
mod credentials;
mod dialler;
mod dialling;
mod early;
mod endpoint;
mod error;
mod frame;
#[cfg(test)]
mod fuzz;
mod greeting;
mod heartbeat;
mod https;
mod identity;
mod line;
mod link;
mod lookup;
mod mesh;
mod options;
mod pace;
mod peer;
mod peers;
pub mod pki;
mod pulse;
mod racing;
mod renewal;
mod reset_key;
mod served;
mod server;
mod service;
mod standing;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod turn;
mod validity;
mod wire;
mod witnessed;

pub use channel::Channel;
pub use error::{CallError, MeshError, Refusal, StreamError};
pub use frame::FRAME_BYTES_MAX;
pub use https::{ServerMaterial, Trust, https_client};
pub use identity::{IdentityError, NodeIdentity};
pub use mesh::Mesh;
pub use options::{LevelWitness, MeshOptions, PeerAddress};
pub use service::{MeshLinks, MeshService, ServiceFuture};
pub use status::PeerStatus;
pub use stream::{FrameReader, FrameWriter};
pub use tls::{TlsError, TlsMaterial};
pub use validity::{Certified, certificates_in, certified, certified_in};
