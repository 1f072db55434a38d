//! The registers of a document: each holds one value, or several in conflict.
//!
//! What must not be mixed is one register. A field that has been cleared is a
//! register that holds null, not a missing one, so that clearing and writing at the
//! same time is a conflict that people see.

use automerge::ScalarValue;
use serde_json::{Value, json};

use super::genesis::Container;
use crate::values::{External, Money, Point};

/// A register by its place in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Register {
    Title,
    Capacity,
    NightlyPrice,
    HouseRules,
    Units,
    Slot,
    MinStay,
    MaxStay,
    Turnover,
    Survival,
    RoomType,
    Neighbourhood,
    Owner,
    External,
    CreatedAt,
    DeletedAt,
    /// Who has replaced the whole description. Not a field: see [`super::text`].
    Rewritten,
    Point,
    City,
    Country,
    TimeZone,
}

impl Register {
    /// The registers in which people can disagree.
    pub(super) const DISPUTABLE: [Self; 18] = [
        Self::Title,
        Self::Point,
        Self::City,
        Self::Country,
        Self::TimeZone,
        Self::Capacity,
        Self::NightlyPrice,
        Self::HouseRules,
        Self::Units,
        Self::Slot,
        Self::MinStay,
        Self::MaxStay,
        Self::Turnover,
        Self::Survival,
        Self::RoomType,
        Self::Neighbourhood,
        Self::Owner,
        Self::External,
    ];

    pub(super) const fn container(self) -> Container {
        match self {
            Self::Point | Self::City | Self::Country | Self::TimeZone => Container::Location,
            _ => Container::Root,
        }
    }

    /// Its key in its container. Part of the stored format.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Capacity => "capacity",
            Self::NightlyPrice => "nightly_price",
            Self::HouseRules => "house_rules",
            Self::Units => "units",
            Self::Slot => "slot",
            Self::MinStay => "min_stay",
            Self::MaxStay => "max_stay",
            Self::Turnover => "turnover",
            Self::Survival => "survival",
            Self::RoomType => "room_type",
            Self::Neighbourhood => "neighbourhood",
            Self::Owner => "owner",
            Self::External => "external",
            Self::CreatedAt => "created_at",
            Self::DeletedAt => "deleted_at",
            Self::Rewritten => "description_rewritten",
            Self::Point => "point",
            Self::City => "city",
            Self::Country => "country",
            Self::TimeZone => "time_zone",
        }
    }

    /// A JSON pointer to the field that it is in a [`crate::ListingView`].
    pub(super) fn pointer(self) -> String {
        match self {
            Self::Point => "/location".to_owned(),
            Self::City | Self::Country | Self::TimeZone => format!("/location/{}", self.key()),
            _ => format!("/{}", self.key()),
        }
    }

    /// One of its values as it would stand in a [`crate::ListingView`]. A value that
    /// this version cannot read stands as it is.
    pub(super) fn to_json(self, value: &ScalarValue) -> Value {
        let typed = match (self, value) {
            (Self::NightlyPrice, ScalarValue::Str(text)) => {
                Money::from_register(text).map(|money| json!(money))
            }
            (Self::Point, ScalarValue::Str(text)) => {
                Point::from_register(text).map(|point| json!({"lat": point.lat, "lon": point.lon}))
            }
            (Self::External, ScalarValue::Str(text)) => {
                External::from_register(text).map(|external| json!(external))
            }
            _ => None,
        };
        typed.unwrap_or_else(|| plain(value))
    }
}

fn plain(value: &ScalarValue) -> Value {
    match value {
        ScalarValue::Str(text) => json!(text.as_str()),
        ScalarValue::Uint(number) => json!(number),
        ScalarValue::Int(number) | ScalarValue::Timestamp(number) => json!(number),
        ScalarValue::F64(number) => json!(number),
        ScalarValue::Boolean(boolean) => json!(boolean),
        ScalarValue::Counter(counter) => json!(i64::from(counter)),
        ScalarValue::Null | ScalarValue::Bytes(_) | ScalarValue::Unknown { .. } => Value::Null,
    }
}
