//! Ids of what happens to a listing: the listing and a number in its ledger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use super::{IdError, quoted};
use crate::ListingId;

macro_rules! numbered {
    ($(#[$doc:meta])* $type:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type {
            listing: ListingId,
            number: u64,
        }

        impl $type {
            /// The `number`-th of `listing`.
            #[must_use]
            pub const fn new(listing: ListingId, number: u64) -> Self {
                Self { listing, number }
            }

            /// The listing that it belongs to, and through it the group that knows it.
            #[must_use]
            pub const fn listing(&self) -> &ListingId {
                &self.listing
            }

            /// Its number in the listing's ledger.
            #[must_use]
            pub const fn number(&self) -> u64 {
                self.number
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($prefix, "_{}_{}"), self.listing.tail(), self.number)
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix)
                    .map(|(listing, number)| Self { listing, number })
                    .ok_or_else(|| IdError::Shape {
                        kind: $kind,
                        text: quoted(text),
                        shape: concat!($prefix, "_<ulid>_<region>_<number>"),
                    })
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

numbered! {
    /// A hold: nights kept for a guest until a stated instant.
    HoldId, "hld", "hold id"
}
numbered! {
    /// A booking. It has the number of the hold that it came from.
    BookingId, "bkg", "booking id"
}
numbered! {
    /// Nights that the host has closed.
    BlockId, "blk", "block id"
}
numbered! {
    /// An event of a listing, the same in every delivery.
    EventId, "evt", "event id"
}

fn parse(text: &str, prefix: &str) -> Option<(ListingId, u64)> {
    let tail = text.strip_prefix(prefix)?.strip_prefix('_')?;
    let (listing, number) = tail.rsplit_once('_')?;
    // `+7` and `007` would be second names of one thing.
    let canonical = number == "0" || !number.starts_with(['0', '+']);
    let number = number.parse().ok().filter(|_| canonical)?;
    Some((ListingId::from_tail(listing)?, number))
}

/// Reads a ULID in the one spelling that we write: 26 lower-case characters.
pub(crate) fn parse_ulid(text: &str) -> Option<Ulid> {
    let ulid = Ulid::from_string(&text.to_ascii_uppercase()).ok()?;
    (ulid.to_string().to_ascii_lowercase() == text).then_some(ulid)
}
