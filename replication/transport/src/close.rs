//! Why a connection is closed by one of its ends: the error codes that the other one is told.
//!
//! Nodes of other versions know these numbers: none is ever given another meaning.

use quinn::VarInt;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Close {
    /// The node goes, in an orderly way.
    Stopping = 0,
    /// To a peer whose certificate is not of this cluster's topology.
    Stranger = 1,
    /// On a connection in the place of which its peer has opened another, or is about to.
    Replaced = 2,
    /// To who is not the node that was dialled.
    WrongNode = 3,
    /// To a peer that has been removed from the cluster for good.
    Removed = 4,
    /// To a peer with whom no level of formats is spoken by both.
    Unspoken = 5,
    /// Of a connection that stands anew, by later certificates.
    Renewed = 6,
    /// To a peer whose certificate has not been believed for too long.
    Distrusted = 7,
    /// To a peer that writes a level of formats which cannot be written down here now: it may come
    /// again.
    Unnoted = 8,
}

impl Close {
    pub(crate) fn code(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }
}
