//! How far a region has come with a destination: everything up to its cursor has been delivered
//! or is parked. One register, so that the two never contradict each other.

use meridian_consensus_core::Event;
use meridian_regions::{ListingId, RegionId};
use prost::Message;
use serde_json::Value;

use crate::events::cloud_event;
use crate::events::wire::ChangeMessage;
use crate::events::{Cursor, EventName, Plane, RegionCursor, Told};
use crate::registers::VALUE_BYTES_MAX;

/// Events that are named with how often they have been tried: as many as are tried at once.
pub(super) const FAILING_MAX: usize = 64;
/// Deliveries that are remembered, for whoever looks.
pub(super) const RECENT_MAX: usize = 32;

/// Longest texts of errors, in bytes, where whole ones leave no room: without any, what is parked and
/// failing at most takes little more than half of a register.
const ERROR_BYTES: [usize; 3] = [120, 40, 0];

/// Events that are told one after the other: those of a listing's ledger, or of its document.
/// Neither holds the other back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Line {
    pub(crate) listing: ListingId,
    pub(crate) plane: Plane,
}

/// An event on its way, and all that is needed to tell it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) listing: ListingId,
    pub(crate) told: Told,
}

impl Delivery {
    /// In which line it stands.
    pub(crate) fn line(&self) -> Line {
        Line {
            listing: self.listing.clone(),
            plane: self.told.plane(),
        }
    }

    /// What tells it apart from every other.
    pub(crate) fn key(&self) -> (ListingId, EventName) {
        (self.listing.clone(), self.told.name())
    }

    /// As consumers see it.
    pub(crate) fn cloud_event(&self) -> Value {
        cloud_event::shown(&self.listing, &self.told)
    }

    /// Its id, the same in every delivery.
    pub(crate) fn id(&self) -> String {
        cloud_event::id(&self.listing, &self.told)
    }

    /// Its type.
    pub(crate) fn kind(&self) -> &'static str {
        cloud_event::type_of(&self.told)
    }
}

/// An event that has been given up, until somebody replays it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parked {
    pub(crate) delivery: Delivery,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it was given up, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// What went wrong the last time.
    pub(crate) error: String,
}

/// An event that is being tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) delivery: Delivery,
    pub(crate) attempts: u32,
    /// When it is tried next.
    pub(crate) due_ms: u64,
    pub(crate) error: String,
}

/// An event that has been delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) delivery: Delivery,
    pub(crate) attempts: u32,
    pub(crate) at_ms: u64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) cursor: RegionCursor,
    pub(crate) parked: Vec<Parked>,
    pub(crate) failing: Vec<Failing>,
    pub(crate) recent: Vec<Delivered>,
    /// Deliveries so far.
    pub(crate) delivered: u64,
    /// How often events were not kept long enough for this consumer.
    pub(crate) gaps: u64,
    /// The last replay that was carried out.
    pub(crate) replayed: u64,
}

impl Progress {
    /// Of a destination that has been told nothing.
    pub(crate) const fn start(region: RegionId) -> Self {
        Self {
            cursor: RegionCursor::start(region),
            parked: Vec::new(),
            failing: Vec::new(),
            recent: Vec::new(),
            delivered: 0,
            gaps: 0,
            replayed: 0,
        }
    }

    /// For a register, which is not to be too long for it: with everything parked that may be, and
    /// long texts of errors, it would never be written down again. The texts give way.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoded = self.encode_with(usize::MAX);
        for most in ERROR_BYTES {
            if encoded.len() > VALUE_BYTES_MAX {
                encoded = self.encode_with(most);
            }
        }
        encoded
    }

    fn encode_with(&self, error_bytes_max: usize) -> Vec<u8> {
        let stored = |delivery: &Delivery, attempts, at_ms, error: &str| {
            let (event, missed, change) = delivery.told.to_fields();
            Stored {
                listing: delivery.listing.to_key(),
                event,
                missed,
                change,
                attempts,
                at_ms,
                error: error[..error.floor_char_boundary(error_bytes_max)].to_owned(),
            }
        };
        let parked = self.parked.iter();
        let failing = self.failing.iter();
        let recent = self.recent.iter();
        StoredProgress {
            cursor: Cursor::Region(self.cursor.clone()).to_string(),
            parked: parked
                .map(|one| stored(&one.delivery, one.attempts, one.at_ms, &one.error))
                .collect(),
            failing: failing
                .map(|one| stored(&one.delivery, one.attempts, one.due_ms, &one.error))
                .collect(),
            recent: recent
                .map(|one| stored(&one.delivery, one.attempts, one.at_ms, ""))
                .collect(),
            delivered: self.delivered,
            gaps: self.gaps,
            replayed: self.replayed,
        }
        .encode_to_vec()
    }

    /// Reads what was written; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let stored = StoredProgress::decode(bytes).ok()?;
        let Cursor::Region(cursor) = Cursor::parse(&stored.cursor)? else {
            return None;
        };
        let parked = stored.parked.into_iter().map(|one| {
            Some(Parked {
                delivery: one.delivery()?,
                attempts: one.attempts,
                at_ms: one.at_ms,
                error: one.error,
            })
        });
        let failing = stored.failing.into_iter().map(|one| {
            Some(Failing {
                delivery: one.delivery()?,
                attempts: one.attempts,
                due_ms: one.at_ms,
                error: one.error,
            })
        });
        let recent = stored.recent.into_iter().map(|one| {
            Some(Delivered {
                delivery: one.delivery()?,
                attempts: one.attempts,
                at_ms: one.at_ms,
            })
        });
        Some(Self {
            cursor,
            parked: parked.collect::<Option<_>>()?,
            failing: failing.collect::<Option<_>>()?,
            recent: recent.collect::<Option<_>>()?,
            delivered: stored.delivered,
            gaps: stored.gaps,
            replayed: stored.replayed,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredProgress {
    #[prost(string, tag = "1")]
    cursor: String,
    #[prost(message, repeated, tag = "2")]
    parked: Vec<Stored>,
    #[prost(message, repeated, tag = "3")]
    failing: Vec<Stored>,
    #[prost(message, repeated, tag = "4")]
    recent: Vec<Stored>,
    #[prost(uint64, tag = "5")]
    delivered: u64,
    #[prost(uint64, tag = "6")]
    gaps: u64,
    #[prost(uint64, tag = "7")]
    replayed: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(bytes = "vec", tag = "1")]
    listing: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    event: Option<Event>,
    /// First and last number of events that were missed.
    #[prost(uint64, repeated, tag = "3")]
    missed: Vec<u64>,
    #[prost(uint32, tag = "4")]
    attempts: u32,
    #[prost(uint64, tag = "5")]
    at_ms: u64,
    #[prost(string, tag = "6")]
    error: String,
    #[prost(message, optional, tag = "7")]
    change: Option<ChangeMessage>,
}

impl Stored {
    fn delivery(&self) -> Option<Delivery> {
        let fields = (self.event, self.missed.clone(), self.change.clone());
        Some(Delivery {
            listing: ListingId::from_key(&self.listing).ok()?,
            told: Told::from_fields(fields)?,
        })
    }
}
