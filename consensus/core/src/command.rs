//! What can be asked of a ledger. A command is one log entry.

use jiff::civil::Date;
use prost::Message;

use crate::day;
use crate::ledger::{
    Chart, IDEMPOTENCY_MS, IDEMPOTENCY_MS_MAX, IDEMPOTENCY_MS_MIN, KeyName, key_name,
};
use crate::outcome::DecodeError;
use crate::policy::CancelPolicy;
use crate::settle::Settle;
use crate::slots::{self, Edge, Hours};

/// One entry of the log.
#[derive(Clone, PartialEq, Message)]
pub struct Command {
    /// Wall clock of the leader that proposed it, in milliseconds since 1970. The
    /// ledger's time is the latest of these: it never goes back.
    #[prost(uint64, tag = "1")]
    pub at_ms: u64,
    /// Makes the command safe to repeat.
    #[prost(message, optional, tag = "2")]
    pub idempotency: Option<Idempotency>,
    /// How long the outcome is kept for the key, in milliseconds; zero for the default.
    /// Carried here so that every replica forgets at the same instant.
    #[prost(uint64, tag = "3")]
    pub key_kept_ms: u64,
    /// What to do. Absent only in an entry of a later version: it is rejected.
    #[prost(
        oneof = "Op",
        tags = "10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23"
    )]
    pub op: Option<Op>,
}

impl Command {
    /// A command; `at_ms` is set by the leader that proposes it.
    #[must_use]
    pub const fn new(op: Op, idempotency: Option<Idempotency>) -> Self {
        Self {
            at_ms: 0,
            idempotency,
            key_kept_ms: 0,
            op: Some(op),
        }
    }

    /// How long its outcome is kept for its key, in milliseconds.
    #[must_use]
    pub fn key_lasts_ms(&self) -> u64 {
        match self.key_kept_ms {
            0 => IDEMPOTENCY_MS,
            asked => asked.clamp(IDEMPOTENCY_MS_MIN, IDEMPOTENCY_MS_MAX),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads what [`Command::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else; it never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(<Self as Message>::decode(bytes)?)
    }
}

/// Whose request a command is, and which one of theirs.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Idempotency {
    /// Who asks; keys of different callers never meet.
    #[prost(string, tag = "1")]
    pub caller: String,
    /// The caller's key, at most 128 bytes.
    #[prost(string, tag = "2")]
    pub key: String,
    /// 32 bytes that stand for the request: the same key with others is a mistake.
    #[prost(bytes = "vec", tag = "3")]
    pub payload_hash: Vec<u8>,
}

impl Idempotency {
    /// What stands for caller and key.
    #[must_use]
    pub fn name(&self) -> KeyName {
        key_name(&self.caller, &self.key)
    }
}

/// What to do. Each variant says why it exists.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Op {
    /// Keep nights for a guest who decides.
    #[prost(message, tag = "10")]
    Hold(Hold),
    /// Keep nights for a guest who pays now: a hold and its payment in one entry.
    #[prost(message, tag = "11")]
    Book(Book),
    /// The guest of a hold pays: from now on it does not lapse under the payment.
    #[prost(message, tag = "12")]
    Pay(Pay),
    /// The payment stands: the nights are sold.
    #[prost(message, tag = "13")]
    Confirm(Confirm),
    /// The payment was refused: the nights are free again.
    #[prost(message, tag = "14")]
    Decline(Decline),
    /// The guest gives a hold back.
    #[prost(message, tag = "15")]
    Release(Release),
    /// The guest or the host cancels a booking.
    #[prost(message, tag = "16")]
    Cancel(Cancel),
    /// The host closes nights.
    #[prost(message, tag = "17")]
    Block(Block),
    /// The host opens them again.
    #[prost(message, tag = "18")]
    Unblock(Unblock),
    /// Time has passed: what is due lapses. Every other command does this first.
    #[prost(message, tag = "19")]
    Expire(Expire),
    /// The payment provider has done a step, or an operator gives it up.
    #[prost(message, tag = "20")]
    Settle(Settle),
    /// The listing is about to be deleted: from now on nothing of it is let.
    #[prost(message, tag = "21")]
    Close(Close),
    /// The host keeps a listing that had been deleted: it is let again.
    #[prost(message, tag = "22")]
    Reopen(Reopen),
    /// The cluster's map changes: in the control group alone.
    #[prost(message, tag = "23")]
    Draw(Draw),
}

/// A stay: the slots from check-in up to, not including, check-out. Slots are nights,
/// or hours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Stay {
    #[prost(sint32, tag = "1")]
    pub(crate) check_in: i32,
    #[prost(sint32, tag = "2")]
    pub(crate) check_out: i32,
    /// How many come.
    #[prost(uint32, tag = "3")]
    pub guests: u32,
    /// Absent where the slots are nights.
    #[prost(message, optional, tag = "4")]
    pub(crate) hours: Option<Hours>,
}

impl Stay {
    /// A stay of `guests` people by the night.
    #[must_use]
    pub fn new(check_in: Date, check_out: Date, guests: u32) -> Self {
        Self {
            check_in: day::from_date(check_in),
            check_out: day::from_date(check_out),
            guests,
            hours: None,
        }
    }

    /// A stay of `guests` people by the hour, from one hour to another, both counted from
    /// 1970 ([`Hours::beginning_at`]).
    #[must_use]
    pub const fn of_hours(hours: Hours, check_in: i32, check_out: i32, guests: u32) -> Self {
        Self {
            check_in,
            check_out,
            guests,
            hours: Some(hours),
        }
    }

    /// Where it begins.
    #[must_use]
    pub fn check_in(&self) -> Edge {
        Edge::of(self.check_in, self.hours)
    }

    /// Where it ends: the first slot that is not its own.
    #[must_use]
    pub fn check_out(&self) -> Edge {
        Edge::of(self.check_out, self.hours)
    }

    /// How many slots; negative if its ends are the wrong way round.
    #[must_use]
    pub fn slots(&self) -> i64 {
        i64::from(self.check_out) - i64::from(self.check_in)
    }

    /// The same with so many slots after it.
    pub(crate) fn and_then(mut self, slots: u32) -> Self {
        let slots = i32::try_from(slots).unwrap_or(i32::MAX);
        self.check_out = self.check_out.saturating_add(slots);
        self
    }

    /// When it begins, in milliseconds since 1970; a night with its day of UTC.
    pub(crate) fn starts_ms(&self) -> u64 {
        slots::starts_ms(self.check_in, self.hours)
    }

    /// When it ends, in milliseconds since 1970.
    pub(crate) fn ends_ms(&self) -> u64 {
        slots::starts_ms(self.check_out, self.hours)
    }
}

/// The listing's rules as the guest saw them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Terms {
    /// Units of the listing. Fixed for the ledger by its first command, as is whether it
    /// is let by the night or by which hours.
    #[prost(uint32, tag = "1")]
    pub units: u32,
    /// Most guests of one stay.
    #[prost(uint32, tag = "2")]
    pub capacity: u32,
    /// Least slots of one stay.
    #[prost(uint32, tag = "3")]
    pub min_stay: u32,
    /// Most slots of one stay.
    #[prost(uint32, tag = "4")]
    pub max_stay: u32,
    /// What a guest gets back who cancels; [`CancelPolicy::FLEXIBLE`] if absent.
    #[prost(message, optional, tag = "5")]
    pub policy: Option<CancelPolicy>,
    /// Slots that nobody may have after the stay, to make its unit ready again; zero lets
    /// the next stay begin where this one ends.
    #[prost(uint32, tag = "6")]
    pub turnover: u32,
}

/// What the whole stay costs.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Price {
    /// Minor units, as in cents.
    #[prost(uint64, tag = "1")]
    pub amount: u64,
    /// ISO 4217.
    #[prost(string, tag = "2")]
    pub currency: String,
}

/// See [`Op::Hold`].
#[derive(Clone, PartialEq, Message)]
pub struct Hold {
    /// The nights and guests.
    #[prost(message, required, tag = "1")]
    pub stay: Stay,
    /// The rules to check them against.
    #[prost(message, required, tag = "2")]
    pub terms: Terms,
    /// What it will cost.
    #[prost(message, required, tag = "3")]
    pub price: Price,
    /// How long to keep the nights, in milliseconds.
    #[prost(uint64, tag = "4")]
    pub ttl_ms: u64,
    /// Stands for these terms and this price, as it is given out to guests.
    #[prost(string, tag = "5")]
    pub quote: String,
    /// The quote that the guest saw, if the guest named one: with another, nothing
    /// is done.
    #[prost(string, optional, tag = "6")]
    pub quote_seen: Option<String>,
    /// Stands for the heads of the document that terms, price and quote are of.
    #[prost(string, tag = "7")]
    pub heads: String,
}

/// See [`Op::Book`].
#[derive(Clone, PartialEq, Message)]
pub struct Book {
    /// The nights and guests.
    #[prost(message, required, tag = "1")]
    pub stay: Stay,
    /// The rules to check them against.
    #[prost(message, required, tag = "2")]
    pub terms: Terms,
    /// What it costs.
    #[prost(message, required, tag = "3")]
    pub price: Price,
    /// Stands for these terms and this price, as it is given out to guests.
    #[prost(string, tag = "4")]
    pub quote: String,
    /// The quote that the guest saw, if the guest named one: with another, nothing
    /// is done.
    #[prost(string, optional, tag = "5")]
    pub quote_seen: Option<String>,
    /// What the guest pays with, in the provider's terms: a token, never a card.
    #[prost(string, tag = "6")]
    pub payment_method: String,
    /// Stands for the heads of the document that terms, price and quote are of.
    #[prost(string, tag = "7")]
    pub heads: String,
}

/// See [`Op::Pay`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Pay {
    /// Number of the hold.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// What the guest pays with, in the provider's terms: a token, never a card.
    #[prost(string, tag = "2")]
    pub payment_method: String,
}

/// See [`Op::Confirm`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Confirm {
    /// Number of the reservation.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The payment provider's name for the authorization.
    #[prost(string, tag = "2")]
    pub authorization: String,
}

/// See [`Op::Decline`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Decline {
    /// Number of the reservation.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The payment provider's reason.
    #[prost(string, tag = "2")]
    pub reason: String,
}

/// See [`Op::Release`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Release {
    /// Number of the hold.
    #[prost(uint64, tag = "1")]
    pub number: u64,
}

/// See [`Op::Cancel`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Cancel {
    /// Number of the booking.
    #[prost(uint64, tag = "1")]
    pub number: u64,
}

/// See [`Op::Block`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Block {
    /// The slots; guests do not count here.
    #[prost(message, required, tag = "1")]
    pub nights: Stay,
    /// Units of the listing: a block closes all of them.
    #[prost(uint32, tag = "2")]
    pub units: u32,
}

/// See [`Op::Unblock`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Unblock {
    /// Number of the block.
    #[prost(uint64, tag = "1")]
    pub number: u64,
}

/// See [`Op::Close`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Close {}

/// See [`Op::Reopen`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Reopen {
    /// The closing that it undoes, by [`Ledger::closing`](crate::Ledger::closing): a later
    /// one stands.
    #[prost(uint64, tag = "1")]
    pub closing: u64,
}

/// See [`Op::Draw`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Draw {
    /// The map and what is to become of it.
    #[prost(message, required, tag = "1")]
    pub chart: Chart,
    /// Revision of the ledger that its writer saw; with another one, nothing is done.
    #[prost(uint64, tag = "2")]
    pub seen: u64,
}

/// See [`Op::Expire`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Expire {}
