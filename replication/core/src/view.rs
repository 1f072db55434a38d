//! A listing as people read it.
//!
//! Not the document: a view is a plain copy of what the document shows at one
//! moment, the same on every replica with the same heads. Conflicting writes show
//! one value here and all of them in [`crate::Conflict`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use meridian_regions::{ListingId, RegionId, Survival};
use serde::Serialize;

use crate::values::{External, Location, Money, Slot};

/// The JSON of `GET /v1/listings/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListingView {
    /// Its id.
    pub id: ListingId,
    /// Headline.
    pub title: String,
    /// Text that people edit together.
    pub description: String,
    /// Where it is.
    pub location: Location,
    /// Guests that one unit takes.
    pub capacity: u32,
    /// Price of one slot; missing only in a listing that was never created.
    pub nightly_price: Option<Money>,
    /// Amenities in alphabetical order.
    pub amenities: Vec<String>,
    /// URLs of photos in the order that their editors chose.
    pub photos: Vec<String>,
    /// House rules, perhaps empty.
    pub house_rules: String,
    /// Units that can be booked.
    pub units: u32,
    /// What it is let by.
    pub slot: Slot,
    /// Shortest stay, in slots.
    pub min_stay: u32,
    /// Longest stay, in slots; never below `min_stay`: where a merge would make it
    /// so, the shortest stay counts.
    pub max_stay: u32,
    /// Slots that nobody may have after a stay, to make its unit ready again.
    pub turnover: u32,
    /// What its bookings survive.
    pub survival: Survival,
    /// Where it is at home.
    pub home_region: RegionId,
    /// Kind of room.
    pub room_type: Option<String>,
    /// Part of the city.
    pub neighbourhood: Option<String>,
    /// Id of the host that it belongs to.
    pub owner: Option<String>,
    /// Where it was imported from.
    pub external: Option<External>,
    /// Counters by name.
    pub counters: BTreeMap<String, i64>,
    /// When it was created (UTC, to the millisecond, by the creator's clock).
    pub created_at: Timestamp,
    /// Time of the latest change that is part of it.
    pub updated_at: Timestamp,
    /// True once somebody deleted it and no edit disputes that. Whoever serves it answers 404 then, so it is
    /// not part of the JSON.
    #[serde(skip)]
    pub deleted: bool,
}
