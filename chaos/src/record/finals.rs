//! What is there once all is mended and at rest.

use serde::{Deserialize, Serialize};

use super::FinalCopy;

/// What is there once all is mended and at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "final", rename_all = "kebab-case")]
pub enum Final {
    /// A booking of a listing's ledger, as one region shows it.
    Booking(FinalBooking),
    /// A listing whose ledger was read in a region: a listing without bookings has this
    /// line only.
    Ledger {
        /// `lst_…`
        listing: String,
        /// Where it was read.
        region: String,
        /// Units of the listing.
        units: u32,
    },
    /// A listing's document, as one node holds it.
    Document(FinalDocument),
    /// A listing's ledger, byte for byte, as one node has it.
    Copy(FinalCopy),
    /// A payment in the provider's own book.
    Payment(FinalPayment),
    /// What a ledger says is due for a booking.
    Due(FinalDue),
    /// How well the emulator of the links has kept its delays.
    Links {
        /// What 99 of 100 datagrams were not later than, in microseconds.
        late_p99_us: u64,
        /// The latest of all.
        late_max_us: u64,
        /// Datagrams that the system threw away before the emulator could take them.
        dropped: u64,
        /// What 99 of 100 datagrams were not later than before the first fault.
        #[serde(default)]
        calm_p99_us: u64,
        /// The same, one window after the other; none in a history of an earlier version.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        windows: Vec<LateWindow>,
        /// Why they carried nothing any more, from some time on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broken: Option<String>,
    },
    /// A node that has left the cluster for good: nothing is to be read there.
    Removed {
        /// The node.
        node: u64,
    },
    /// What could not be read.
    Unread {
        /// What it was.
        what: String,
        /// Why.
        cause: String,
    },
    /// All nodes held equal documents so long after the last client had stopped, which is
    /// some seconds after everything was mended, in milliseconds; `None` if they did not in
    /// time.
    Converged {
        /// How long it took.
        after_ms: Option<u64>,
    },
}

/// How late the links were in a part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateWindow {
    /// Microseconds since the run began.
    pub from_us: u64,
    /// Where the next one begins.
    pub until_us: u64,
    /// Datagrams let out in it.
    pub datagrams: u64,
    /// What 99 of 100 of them were not later than, in microseconds.
    pub late_p99_us: u64,
}

/// A booking of a listing's ledger, as one region shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalBooking {
    /// Where it was read.
    pub region: String,
    /// `lst_…`
    pub listing: String,
    /// `bkg_…`
    pub booking: String,
    /// First night.
    pub check_in: String,
    /// Day after the last night.
    pub check_out: String,
    /// `confirmed`, `cancelled`, …
    pub state: String,
}

/// A listing's document, as one node holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalDocument {
    /// `lst_…`
    pub listing: String,
    /// The node.
    pub node: u64,
    /// Digest of heads and content.
    pub digest: String,
    /// Its amenities.
    pub amenities: Vec<String>,
}

/// What a listing's ledger says is due for a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalDue {
    /// `bkg_…`
    pub booking: String,
    /// Its price, in minor units.
    pub price: u64,
    /// What its cancellation gives back by the policy, in minor units; `None` if it has not
    /// been cancelled, or never had a payment.
    pub refund: Option<u64>,
}

/// A payment in the provider's own book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalPayment {
    /// `bkg_…`: what the payment is for.
    pub booking: String,
    /// In minor units, what the provider has taken.
    pub captured: u64,
    /// In minor units, what it has given back.
    pub refunded: u64,
    /// Whether money is still set aside.
    pub authorized: bool,
}
