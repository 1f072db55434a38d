//! What is told of a payment: by its driver, or by an operator.

use prost::Message;

/// See [`Op::Settle`](crate::Op::Settle).
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Settle {
    /// Number of the reservation.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// What has happened.
    #[prost(enumeration = "Settled", tag = "2")]
    pub(crate) settled: i32,
    /// Why, in the operator's words; empty for what the provider has done.
    #[prost(string, tag = "3")]
    pub note: String,
}

impl Settle {
    /// Something that happened to the payment of reservation `number`.
    #[must_use]
    pub fn new(number: u64, settled: Settled, note: impl Into<String>) -> Self {
        Self {
            number,
            settled: settled.into(),
            note: note.into(),
        }
    }
}

/// What has happened to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Settled {
    /// Of a later version.
    Unspecified = 0,
    /// The provider has taken the money.
    Captured = 1,
    /// The provider reserves nothing any more.
    Voided = 2,
    /// The provider has given back what was asked.
    Refunded = 3,
    /// An operator takes it into their own hands.
    GivenUp = 4,
}
