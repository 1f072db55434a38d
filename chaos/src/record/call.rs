//! Calls of clients, and what became of them.

use serde::{Deserialize, Serialize};

/// A client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// Number of the call, from 1: that of its completion too.
    pub call: u64,
    /// Who asks. A client asks for one thing at a time.
    pub client: u64,
    /// Region of the node that is asked.
    pub region: String,
    /// The node that is asked.
    pub node: u64,
    /// What is asked for.
    pub what: Call,
}

/// What is asked for. Nights are `YYYY-MM-DD`, and sort as the days do; a stay does not
/// include the night of its `check_out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Call {
    /// `POST /v1/bookings`, without a hold before it.
    Book {
        /// `lst_…`
        listing: String,
        /// First night.
        check_in: String,
        /// Day after the last night.
        check_out: String,
        /// `Idempotency-Key`.
        key: String,
        /// `payment_method`: cards of the sandbox provider misbehave by their names.
        card: String,
    },
    /// `POST /v1/listings/{id}/holds`.
    Hold {
        /// `lst_…`
        listing: String,
        /// First night.
        check_in: String,
        /// Day after the last night.
        check_out: String,
        /// `Idempotency-Key`.
        key: String,
    },
    /// `POST /v1/bookings` with a hold.
    Confirm {
        /// `lst_…`
        listing: String,
        /// `hld_…`
        hold: String,
        /// `Idempotency-Key`.
        key: String,
        /// `payment_method`.
        card: String,
    },
    /// `POST /v1/bookings/{id}/cancel`.
    Cancel {
        /// `lst_…`
        listing: String,
        /// `bkg_…`
        booking: String,
        /// `Idempotency-Key`.
        key: String,
    },
    /// `DELETE /v1/holds/{id}`.
    Release {
        /// `lst_…`
        listing: String,
        /// `hld_…`
        hold: String,
    },
    /// `GET /v1/listings/{id}/availability?fresh=true`: linearizable.
    ReadNights {
        /// `lst_…`
        listing: String,
        /// First night.
        from: String,
        /// Day after the last night.
        to: String,
    },
    /// Adds an amenity.
    AddAmenity {
        /// `lst_…`
        listing: String,
        /// The amenity.
        amenity: String,
        /// Whose session token goes with the call; `None`: none does.
        session: Option<u64>,
    },
    /// Removes an amenity that may be there.
    RemoveAmenity {
        /// `lst_…`
        listing: String,
        /// The amenity.
        amenity: String,
        /// Whose session token goes with the call.
        session: Option<u64>,
    },
    /// `GET /v1/listings/{id}`.
    ReadListing {
        /// `lst_…`
        listing: String,
        /// Whose session token goes with the call.
        session: Option<u64>,
    },
    /// `GET /v1/listings?amenities=…`: looks for a listing by an amenity of it.
    Search {
        /// The one that has it, or had it.
        listing: String,
        /// The amenity.
        amenity: String,
        /// Whose session token goes with the call.
        session: Option<u64>,
    },
}

impl Call {
    /// The listing that the call is about.
    #[must_use]
    pub fn listing(&self) -> &str {
        match self {
            Self::Book { listing, .. }
            | Self::Hold { listing, .. }
            | Self::Confirm { listing, .. }
            | Self::Cancel { listing, .. }
            | Self::Release { listing, .. }
            | Self::ReadNights { listing, .. }
            | Self::AddAmenity { listing, .. }
            | Self::RemoveAmenity { listing, .. }
            | Self::ReadListing { listing, .. }
            | Self::Search { listing, .. } => listing,
        }
    }

    /// Its idempotency key, where it has one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Book { key, .. }
            | Self::Hold { key, .. }
            | Self::Confirm { key, .. }
            | Self::Cancel { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Whether it is one of the booking plane, which needs a quorum.
    #[must_use]
    pub const fn needs_quorum(&self) -> bool {
        !matches!(
            self,
            Self::AddAmenity { .. }
                | Self::RemoveAmenity { .. }
                | Self::ReadListing { .. }
                | Self::Search { .. }
        )
    }
}

/// A client is told something, or gives up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// Number of the call.
    pub call: u64,
    /// What it came to.
    pub outcome: Outcome,
    /// Who answered, `<region>/<node>`; `None` if nobody did.
    pub served_by: Option<String>,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Ok(Answered),
    /// It was not done, and never will be: the problem's code says why.
    Fail {
        /// As in `slot-taken`.
        code: String,
    },
    /// Nobody knows: it was done, or will be, or not.
    Unknown {
        /// As in `outcome-unknown`, or what happened to the connection.
        code: String,
    },
}

impl Outcome {
    /// What was told, if it was done.
    #[must_use]
    pub fn answered(self) -> Option<Answered> {
        match self {
            Self::Ok(answered) => Some(answered),
            Self::Fail { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// What a client is told of what was done. What a call has no answer to is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answered {
    /// `bkg_…`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booking: Option<String>,
    /// `hld_…`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// `confirmed`, `pending_payment`, `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Grows with every reservation of a listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fencing_token: Option<u64>,
    /// Revision of the ledger that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Whether an earlier request with the same key had this answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// Nights that were read, and how many units are free.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub free: Vec<(String, u32)>,
    /// Amenities that were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amenities: Option<Vec<String>>,
    /// Listings that were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Vec<String>>,
    /// How stale the answer says that it may be, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staleness_ms: Option<u64>,
}
