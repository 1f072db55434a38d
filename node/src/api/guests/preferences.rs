//! `GET` and `PUT /v1/guests/{id}/preferences`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use meridian_consensus_core::Stay;
use meridian_regions::ListingId;
use meridian_replication_core::{Currency, FieldError};
use meridian_search::{Budget, Near, Place, Taste};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::api::body::{JsonBody, object};
use crate::api::id::Id;
use crate::api::openapi::texts;
use crate::api::owner;
use crate::api::problem::{Problem, Slug};
use crate::auth::Who;
use crate::clock::rfc3339;
use crate::node::Node;
use crate::registers::{Register, RegisterError, Space};

/// Longest id of a guest, in bytes: what a claim of theirs may be.
const GUEST_BYTES_MAX: usize = 128;
/// Amenities that a guest may name, past stays, and characters of a name.
const AMENITIES_MAX: usize = 20;
const PAST_STAYS_MAX: usize = 20;
const TEXT_CHARS_MAX: usize = 256;
/// Distance after which a listing is worth half as much, if the guest does not say: a walk.
const HALF_KM_DEFAULT: f64 = 3.0;
/// Half way around the earth, and some.
const DISTANCE_KM_MAX: f64 = 20_100.0;
/// Nights of a stay that one may look for.
const NIGHTS_MAX: i32 = 366;

/// Names a guest: 1 to 128 characters that need no escape in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GuestId(String);

impl GuestId {
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    fn key(&self) -> String {
        format!("preferences/{}", self.0)
    }
}

impl fmt::Display for GuestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for GuestId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@|:".contains(&byte);
        if (1..=GUEST_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a guest's id is 1 to 128 of letters, digits and -._~@|:")
        }
    }
}

impl<'de> Deserialize<'de> for GuestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a guest states; whatever is left out does not count.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Preferences {
    /// Where.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    near: Option<Wished>,
    /// What a night may cost.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    nightly_price: Option<Price>,
    /// What there should be.
    #[schemars(length(max = AMENITIES_MAX), inner(length(min = 1, max = TEXT_CHARS_MAX)))]
    amenities: Vec<String>,
    /// Kind of room.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT_CHARS_MAX))]
    room_type: Option<String>,
    /// How many come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = u32::MAX))]
    guests: Option<u32>,
    /// When: listings that are taken then are left out.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    stay: Option<Dates>,
    /// Listings where the guest has been.
    #[schemars(with = "Vec<texts::Listing>", length(max = PAST_STAYS_MAX))]
    pub(super) past_stays: Vec<ListingId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wished {
    /// Degrees north.
    #[schemars(extend("minimum" = -90, "maximum" = 90))]
    lat: f64,
    /// Degrees east.
    #[schemars(extend("minimum" = -180, "maximum" = 180))]
    lon: f64,
    /// After how far a listing is worth half as much.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = DISTANCE_KM_MAX))]
    half_km: Option<f64>,
    /// Beyond this nothing is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = DISTANCE_KM_MAX))]
    within_km: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Price {
    /// In minor units.
    #[schemars(extend("minimum" = 1, "maximum" = u64::MAX))]
    amount: u64,
    /// As in `EUR`.
    #[schemars(with = "texts::CurrencyCode")]
    currency: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dates {
    /// The first night.
    #[schemars(with = "texts::CivilDate")]
    check_in: Date,
    /// Up to, and without: 1 to 366 nights later.
    #[schemars(with = "texts::CivilDate")]
    check_out: Date,
}

impl Preferences {
    /// What the index is asked for, without past stays; every field that is wrong is told.
    pub(super) fn taste(&self) -> Result<Taste, Problem> {
        let mut wrong = Vec::new();
        let mut keep = |pointer: &str, detail: &str| wrong.push(FieldError::new(pointer, detail));
        let near = self.near.map(|wished| wished.near());
        if matches!(near, Some(None)) {
            keep("/near", "degrees north and east, and kilometres above 0");
        }
        let budget = self.nightly_price.as_ref().map(|price| {
            let currency: Result<Currency, _> = price.currency.parse();
            (price.amount, currency)
        });
        if matches!(budget, Some((0, _) | (_, Err(_)))) {
            keep(
                "/nightly_price",
                "an amount above 0 in minor units, and a currency, as in EUR",
            );
        }
        let is_short = |text: &String| (1..=TEXT_CHARS_MAX).contains(&text.chars().count());
        if self.amenities.len() > AMENITIES_MAX || !self.amenities.iter().all(is_short) {
            keep("/amenities", "at most 20, of 256 characters each");
        }
        if !self.room_type.iter().all(is_short) {
            keep("/room_type", "1 to 256 characters");
        }
        let nights = self.stay.map(Dates::nights);
        if matches!(nights, Some(None)) {
            keep("/stay", "1 to 366 nights");
        }
        if self.past_stays.len() > PAST_STAYS_MAX {
            keep("/past_stays", "at most 20");
        }
        if !wrong.is_empty() {
            return Err(Problem::fields(wrong));
        }
        let mut amenities = self.amenities.clone();
        amenities.sort_unstable();
        amenities.dedup();
        Ok(Taste {
            near: near.flatten(),
            budget: budget.and_then(|(amount, currency)| {
                let currency = currency.ok()?;
                Some(Budget { amount, currency })
            }),
            amenities,
            room_type: self.room_type.clone(),
            guests: self.guests,
            nights: nights.flatten(),
            past: Vec::new(),
        })
    }

    /// When: listings that are taken then are left out.
    pub(super) fn stay(&self) -> Option<Stay> {
        let guests = self.guests.unwrap_or(1);
        self.stay
            .map(|dates| Stay::new(dates.check_in, dates.check_out, guests))
    }
}

impl Wished {
    fn near(self) -> Option<Near> {
        let is_distance = |km: f64| km > 0.0 && km <= DISTANCE_KM_MAX;
        let half_km = self.half_km.unwrap_or(HALF_KM_DEFAULT);
        let fits = is_distance(half_km) && self.within_km.is_none_or(is_distance);
        let place = Place::new(self.lat, self.lon).filter(|_| fits)?;
        Some(Near::new(place, half_km, self.within_km))
    }
}

impl Dates {
    fn nights(self) -> Option<u32> {
        let span = self.check_in.until(self.check_out).ok()?;
        let nights = span.get_days();
        let fits = (1..=NIGHTS_MAX).contains(&nights);
        u32::try_from(nights).ok().filter(|_| fits)
    }
}

/// `PUT /v1/guests/{id}/preferences`: in place of what was stated before.
pub(crate) async fn prefer(
    State(node): State<Arc<Node>>,
    who: Who,
    Id(guest): Id<GuestId>,
    JsonBody { value, .. }: JsonBody<Preferences>,
) -> Result<Json<Value>, Problem> {
    owner::of_guest(&who, guest.name())?;
    value.taste()?;
    let text = serde_json::to_vec(&value)
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let written = node
        .registers
        .write(Space::Preferences, &guest.key(), Some(text))
        .await;
    let copies = written.map_err(|cause| match cause {
        RegisterError::TooLong => Problem::new(Slug::Validation, cause.to_string()),
        RegisterError::Storage(cause) => Problem::new(Slug::Internal, cause.to_string()),
    })?;
    let (register, preferences) = stated(&node, &guest)?;
    let mut body = shown(&register, &preferences);
    body["copies"] = json!(copies);
    Ok(Json(body))
}

/// `GET /v1/guests/{id}/preferences`
pub(crate) async fn preferences(
    State(node): State<Arc<Node>>,
    who: Who,
    Id(guest): Id<GuestId>,
) -> Result<Json<Value>, Problem> {
    owner::of_guest(&who, guest.name())?;
    let (register, preferences) = stated(&node, &guest)?;
    Ok(Json(shown(&register, &preferences)))
}

/// What a guest has stated.
pub(super) fn stated(node: &Node, guest: &GuestId) -> Result<(Register, Preferences), Problem> {
    let read = node.registers.read(Space::Preferences, &guest.key());
    let read = read.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let stated = read.and_then(|register| {
        let preferences = serde_json::from_slice(register.value.as_deref()?).ok()?;
        Some((register, preferences))
    });
    stated.ok_or_else(|| {
        Problem::new(
            Slug::NotFound,
            format!("{guest} has stated no preferences: PUT /v1/guests/{guest}/preferences"),
        )
    })
}

fn shown(register: &Register, preferences: &Preferences) -> Value {
    let mut body = json!(preferences);
    body["updated_at"] = json!(rfc3339(register.stamp.ms));
    body
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::Preferences;

    #[test]
    fn parts_are_read_by_the_names_of_their_fields() {
        let stated = json!({
            "near": {"lat": 59.91, "lon": 10.75},
            "nightly_price": {"amount": 1, "currency": "EUR"},
            "stay": {"check_in": "2027-06-01", "check_out": "2027-06-02"},
        });
        assert!(from_value::<Preferences>(stated).is_ok());
        assert!(from_value::<Preferences>(json!({"near": null})).is_ok());
        for listed in [
            json!({"near": [59.91, 10.75, null, null]}),
            json!({"nightly_price": [1, "EUR"]}),
            json!({"stay": ["2027-06-01", "2027-06-02"]}),
        ] {
            assert!(
                from_value::<Preferences>(listed.clone()).is_err(),
                "{listed}"
            );
        }
    }
}
