//! Finding out where two replicas differ, without looking at a log or a document.
//!
//! Every replica keeps, beside each document, a digest of its heads. Two replicas hold
//! the same when they hold the same pairs of listing and digest; this module finds the
//! pairs in which they do not, by range-based set reconciliation: the pairs are sorted,
//! one side sends the fingerprint of a range ([`Fingerprint`]), the other answers that
//! its own is the same, or splits the range and sends the fingerprints of its parts, or,
//! where only few are left, the pairs themselves. What travels grows with the number of
//! differences and the logarithm of the set.
//!
//! One side asks and learns ([`Walk`]), the other answers and keeps nothing
//! ([`answer`]). Both go by an [`Outline`] of their own pairs, made in one pass, and read
//! few pairs beyond it. The one that asks learns what *it* lacks; what the other lacks,
//! the other finds out by asking.
//!
//! Not here: what is done about a difference. A difference is a suspicion: the sets may
//! change while they are compared. That is harmless: each answer stands by itself, a
//! range that has become the same is dropped, and what was missed is found next time.
//!
//! Invariants kept here:
//! - A walk ends, whatever the peer answers: each part lies strictly within what was
//!   asked for, and the number of exchanges and of open ranges is bounded.
//! - Between sets that stand still it finds exactly the differences, unless two of 2^64
//!   digests, or two of 2^128 sums, are the same by accident.
//!
//! Source: A. Meyer, "Range-Based Set Reconciliation" (SRDS 2023), sections 3 and 5.

mod answer;
mod comparison;
mod fetch;
mod fingerprint;
#[cfg(test)]
mod fuzz;
mod outline;
mod range;
mod walk;

#[cfg(test)]
mod tests;

pub use answer::answer;
pub use comparison::{Asked, Comparison, Listed, Reply, ShortDigest};
pub use fetch::{Fetched, FetchedDocument, Want};
pub use fingerprint::Fingerprint;
pub use outline::{Outline, OutlineBuilder};
pub use range::{Item, Range, item_key};
pub use walk::{Difference, Walk, WalkError};

use prost::Message;

use crate::limits::{REPAIR_ANSWER_BYTES_MAX, REPAIR_REQUEST_BYTES_MAX};
use crate::wire::{self, WireError};

const REQUEST: &str = "repair request";
const ANSWER: &str = "repair answer";

/// What a replica asks another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairRequest {
    /// Are these ranges the same there?
    Compare(Comparison),
    /// What of these documents is missing here?
    Fetch(Vec<Want>),
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairAnswer {
    /// For each range that was asked for, in order.
    Compared(Vec<Reply>),
    /// Of each document, or of the first of them, as much as fits.
    Fetched(Fetched),
}

#[derive(Clone, PartialEq, Message)]
struct RequestMessage {
    #[prost(oneof = "RequestKind", tags = "1, 2")]
    kind: Option<RequestKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum RequestKind {
    #[prost(message, tag = "1")]
    Compare(comparison::ComparisonMessage),
    #[prost(message, tag = "2")]
    Fetch(fetch::FetchMessage),
}

#[derive(Clone, PartialEq, Message)]
struct AnswerMessage {
    #[prost(oneof = "AnswerKind", tags = "1, 2")]
    kind: Option<AnswerKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum AnswerKind {
    #[prost(message, tag = "1")]
    Compared(comparison::RepliesMessage),
    #[prost(message, tag = "2")]
    Fetched(fetch::FetchedMessage),
}

impl RepairRequest {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self {
            Self::Compare(comparison) => RequestKind::Compare(comparison.to_message()),
            Self::Fetch(wants) => RequestKind::Fetch(fetch::wants_to_message(wants)),
        };
        RequestMessage { kind: Some(kind) }.encode_to_vec()
    }

    /// Reads what [`RepairRequest::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: RequestMessage = wire::decode(REQUEST, bytes, REPAIR_REQUEST_BYTES_MAX)?;
        match message.kind {
            None => Err(WireError::malformed(
                REQUEST,
                "a kind that is not known here",
            )),
            Some(RequestKind::Compare(message)) => {
                Comparison::from_message(message).map(Self::Compare)
            }
            Some(RequestKind::Fetch(message)) => {
                fetch::wants_from_message(message).map(Self::Fetch)
            }
        }
    }
}

impl RepairAnswer {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self {
            Self::Compared(replies) => AnswerKind::Compared(comparison::to_message(replies)),
            Self::Fetched(fetched) => AnswerKind::Fetched(fetched.to_message()),
        };
        AnswerMessage { kind: Some(kind) }.encode_to_vec()
    }

    /// Reads what [`RepairAnswer::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: AnswerMessage = wire::decode(ANSWER, bytes, REPAIR_ANSWER_BYTES_MAX)?;
        match message.kind {
            None => Err(WireError::malformed(
                ANSWER,
                "a kind that is not known here",
            )),
            Some(AnswerKind::Compared(message)) => {
                comparison::from_message(message).map(Self::Compared)
            }
            Some(AnswerKind::Fetched(message)) => Fetched::from_message(message).map(Self::Fetched),
        }
    }
}
