//! How a booking travels from the node that was asked to the node that leads.
//!
//! One request frame, one reply frame, on the mesh's forward channel. The sender
//! is another node of this cluster, proven by its certificate; still every field is
//! checked, because a node of another version may have written it.

use meridian_regions::NodeId;

/// What is asked of the group of one listing.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Forwarded {
    /// The listing's genesis record, encoded.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) genesis: Vec<u8>,
    /// Time left to the sender, in milliseconds.
    #[prost(uint64, tag = "2")]
    pub(crate) deadline_ms: u64,
    #[prost(oneof = "Asked", tags = "3, 4, 5, 8, 10")]
    pub(crate) asked: Option<Asked>,
    /// Id of the client's request; empty from a node of an earlier version.
    #[prost(string, tag = "6")]
    pub(crate) request_id: String,
    /// 16 bytes that tell the request from others with its key; empty where there is no
    /// key, and from a node of an earlier version: then nobody is turned away for it.
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) claimant: Vec<u8>,
    /// A number that tells the sender's callers apart; 0 for its own work.
    #[prost(uint64, tag = "9")]
    pub(crate) caller: u64,
    /// In whose trace it is asked, as `traceparent`; empty for none, and from a node of an
    /// earlier version.
    #[prost(string, tag = "11")]
    pub(crate) trace: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Asked {
    /// Propose this command, encoded.
    #[prost(bytes, tag = "3")]
    Propose(Vec<u8>),
    /// Propose this command, encoded, and drive the payment that it begins.
    #[prost(bytes, tag = "4")]
    Book(Vec<u8>),
    /// Read the ledger, linearizably.
    #[prost(message, tag = "5")]
    Read(Read),
    /// Which groups have seen the key of this name; of no group in particular.
    #[prost(bytes, tag = "8")]
    Sightings(Vec<u8>),
    /// What a guest has reserved, as the asked node knows it; of no group in particular.
    #[prost(message, tag = "10")]
    Guest(GuestQuestion),
}

/// Which of a guest's bookings.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct GuestQuestion {
    #[prost(string, tag = "1")]
    pub(crate) guest: String,
    /// Key of the listing after whose booking of `number` to begin; empty for the beginning.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) listing: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub(crate) number: u64,
    #[prost(uint32, tag = "4")]
    pub(crate) limit: u32,
}

/// A linearizable read of the whole ledger of one listing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Read {}

/// What the asked node answers.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reply {
    #[prost(oneof = "Answered", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(crate) answered: Option<Answered>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Answered {
    /// The command was applied with this outcome, encoded.
    #[prost(bytes, tag = "1")]
    Applied(Vec<u8>),
    /// The ledger as of a moment after the read was asked, encoded.
    #[prost(bytes, tag = "2")]
    Ledger(Vec<u8>),
    /// Another node leads, as far as the asked one knows.
    #[prost(message, tag = "3")]
    NotLeader(NotLeader),
    /// Nothing was done, or it is not known whether it was.
    #[prost(enumeration = "Failure", tag = "4")]
    Failed(i32),
    /// Other nodes vote on the listing: who, encoded.
    #[prost(bytes, tag = "5")]
    Moved(Vec<u8>),
    /// The groups that were asked for.
    #[prost(message, tag = "6")]
    Groups(Groups),
    /// A guest's bookings.
    #[prost(message, tag = "7")]
    Guest(GuestPage),
}

/// A guest's bookings, as one node knows them.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct GuestPage {
    #[prost(message, repeated, tag = "1")]
    pub(crate) reserved: Vec<Reserved>,
    /// Key of the listing up to which the node has looked; empty if it has looked at all.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) through: Vec<u8>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Reserved {
    /// Key of the listing.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) listing: Vec<u8>,
    /// Of the ledger that says so.
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    /// Encoded.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) reservation: Vec<u8>,
}

/// Groups, by their genesis records, encoded.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Groups {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) genesis: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct NotLeader {
    /// Zero where no leader is known.
    #[prost(uint64, tag = "1")]
    pub(crate) leader: u64,
}

impl NotLeader {
    pub(crate) fn leader(self) -> Option<NodeId> {
        NodeId::new(self.leader)
    }
}

/// Why the asked node has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Failure {
    /// A failure that this version does not know: treated as unknown.
    Unspecified = 0,
    /// Too few voters can be reached; nothing was appended.
    NoQuorum = 1,
    /// Appended, and not known to be committed.
    Unknown = 2,
    /// Too much is under way; nothing was appended.
    Overloaded = 3,
    /// The genesis records of the two nodes differ, or the node is no voter.
    Misplaced = 4,
    /// The request could not be read; nothing was done.
    Malformed = 5,
    /// Another request with the same key is under way; nothing was done for this one. A
    /// node of an earlier version takes it for unknown, and asks again.
    InFlight = 6,
}
