//! The QUIC mesh: one endpoint per node, mutual TLS always.
//!
//! The only crate that knows quinn, rustls and rcgen. It moves frames between
//! nodes that have proven who they are, and says honestly what became of a call:
//! surely not executed ([`CallError::NotSent`]) or perhaps executed
//! ([`CallError::Unknown`]).
//!
//! What it is not: it knows no listing, no group and no log.
//!
//! Invariants kept here:
//! - A peer is who its certificate says: cluster, region and node are checked on
//!   both sides of every connection.
//! - Nothing is queued for a peer that is not connected: such a call fails at once.
//! - No frame is longer than [`FRAME_BYTES_MAX`], and none is allocated before its
//!   length has been checked (invariants 10 and 11).
//! - Bulk catch-up never starves Raft: streams of a higher [`Channel`] go first.

mod acceptor;
mod dialler;
mod error;
mod frame;
mod identity;
mod mesh;
mod options;
pub mod pki;
mod service;
#[cfg(test)]
mod tests;
mod tls;

pub use error::{CallError, MeshError, Refusal, StreamError};
pub use frame::{FRAME_BYTES_MAX, FrameReader, FrameWriter};
pub use identity::{IdentityError, NodeIdentity};
pub use mesh::{Mesh, PeerStatus};
pub use options::{MeshOptions, PeerAddress};
pub use service::{Channel, MeshService, ServiceFuture};
pub use tls::{TlsError, TlsMaterial};
