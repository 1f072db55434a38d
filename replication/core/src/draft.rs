//! What a listing is created from.
//!
//! A [`ListingDraft`] is what somebody sent; a [`ValidDraft`] is one whose every
//! field keeps its rule. Only the latter can become a document.

mod validate;

use meridian_regions::{RegionId, Survival};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field_error::{FieldError, Findings};
use crate::object_reader::ObjectReader;
use crate::values::{Currency, External, Location, Money, Slot};

/// Units of a listing unless it says otherwise.
pub(crate) const UNITS_DEFAULT: u32 = 1;
/// Shortest stay unless the listing says otherwise, in slots.
pub(crate) const MIN_STAY_DEFAULT: u32 = 1;

/// Stands in for a price that has been reported as missing.
const NO_PRICE: Money = Money {
    amount: 0,
    currency: Currency::NONE,
};

/// The body of `POST /v1/listings`, and one row of an import.
///
/// A field that is left out takes its default when a listing is created, and says
/// nothing when one is reconciled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListingDraft {
    /// Headline: 1 to 200 characters in one line.
    pub title: String,
    /// Text that people edit together: at most 20,000 characters; empty by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is.
    pub location: Location,
    /// Guests that one unit takes, 1 to 1,000.
    pub capacity: u32,
    /// Price of one slot. Clients must state it; only an imported listing may come
    /// without one, and cannot be booked before somebody has set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nightly_price: Option<Money>,
    /// A set of at most 100 names; empty by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amenities: Option<Vec<String>>,
    /// At most 50 URLs in their order, each once; empty by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photos: Option<Vec<String>>,
    /// At most 5,000 characters; empty by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub house_rules: Option<String>,
    /// Units that can be booked, 1 (the default) to 1,000. Fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// By the night (the default) or by the hour. Fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// Shortest stay in slots, 1 (the default) to 365.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_stay: Option<u32>,
    /// Longest stay in slots, `min_stay` to 365 (the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_stay: Option<u32>,
    /// Slots that nobody may have after a stay, to make its unit ready again: 0 (the
    /// default) to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turnover: Option<u32>,
    /// What its bookings survive: a region (the default) or a zone. Fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survival: Option<Survival>,
    /// Where it is at home; by default the region nearest to its location. Fixed at
    /// creation, as part of the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_region: Option<RegionId>,
    /// Kind of room, as the source names it: 1 to 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_type: Option<String>,
    /// Part of the city: 1 to 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbourhood: Option<String>,
    /// Id of its host, who becomes the `owner`: 1 to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Where it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}

impl ListingDraft {
    /// A draft with what every listing needs; the rest is left out.
    #[must_use]
    pub fn new(
        title: impl Into<String>,
        location: Location,
        capacity: u32,
        nightly_price: Money,
    ) -> Self {
        Self {
            title: title.into(),
            description: None,
            location,
            capacity,
            nightly_price: Some(nightly_price),
            amenities: None,
            photos: None,
            house_rules: None,
            units: None,
            slot: None,
            min_stay: None,
            max_stay: None,
            turnover: None,
            survival: None,
            home_region: None,
            room_type: None,
            neighbourhood: None,
            host_id: None,
            external: None,
        }
    }

    /// Reads the body of a request. Unlike serde it reports every field that is
    /// missing, unknown or of a wrong type, each with its pointer. Ranges and
    /// lengths are [`ListingDraft::validate`]'s.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn from_json(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut findings = Findings::default();
        let draft = ObjectReader::new("", body, &mut findings).map(Self::read);
        findings.into_result()?;
        Ok(draft.expect("a body that is no object has been reported"))
    }

    fn read(mut body: ObjectReader<'_>) -> Self {
        for name in ["title", "location", "capacity", "nightly_price"] {
            body.require(name);
        }
        let title: Option<String> = body.required("title");
        let location = read_location(&mut body);
        let capacity = body.required("capacity");
        let nightly_price = read_money(&mut body);
        // What is missing has been reported; the placeholder is never seen.
        let placeholder = Self::new(
            title.unwrap_or_default(),
            location.unwrap_or_default(),
            capacity.unwrap_or_default(),
            nightly_price.unwrap_or(NO_PRICE),
        );
        let draft = Self {
            description: body.optional("description"),
            amenities: body.optional("amenities"),
            photos: body.optional("photos"),
            house_rules: body.optional("house_rules"),
            units: body.optional("units"),
            slot: body.optional("slot"),
            min_stay: body.optional("min_stay"),
            max_stay: body.optional("max_stay"),
            turnover: body.optional("turnover"),
            survival: body.optional("survival"),
            home_region: body.optional("home_region"),
            room_type: body.optional("room_type"),
            neighbourhood: body.optional("neighbourhood"),
            host_id: body.optional("host_id"),
            external: read_external(&mut body),
            ..placeholder
        };
        body.finish();
        draft
    }

    /// Checks every field against its rule.
    ///
    /// # Errors
    /// Everything that is wrong, up to [`crate::limits::FIELD_ERRORS_MAX`] errors.
    pub fn validate(&self) -> Result<ValidDraft, Vec<FieldError>> {
        let mut findings = Findings::default();
        validate::draft(self, &mut findings);
        findings.into_result()?;
        Ok(ValidDraft(self.clone()))
    }
}

fn read_location(body: &mut ObjectReader<'_>) -> Option<Location> {
    let value = body.take("location")?;
    let pointer = body.pointer_to("location");
    let mut fields = ObjectReader::new(pointer, value, body.findings())?;
    for name in ["lat", "lon"] {
        fields.require(name);
    }
    let (lat, lon) = (fields.required("lat"), fields.required("lon"));
    let (city, country) = (fields.optional("city"), fields.optional("country"));
    let time_zone = fields.optional("time_zone");
    fields.finish();
    Some(Location {
        lat: lat?,
        lon: lon?,
        city,
        country,
        time_zone,
    })
}

/// By the names of its fields: serde would take a list of them, too, by their order.
fn read_external(body: &mut ObjectReader<'_>) -> Option<External> {
    let value = body.take("external")?;
    if value.is_null() {
        return None;
    }
    let pointer = body.pointer_to("external");
    let mut fields = ObjectReader::new(pointer, value, body.findings())?;
    for name in ["source", "id"] {
        fields.require(name);
    }
    let (source, id) = (fields.required("source"), fields.required("id"));
    fields.finish();
    Some(External {
        source: source?,
        id: id?,
    })
}

fn read_money(body: &mut ObjectReader<'_>) -> Option<Money> {
    let value = body.take("nightly_price")?;
    let pointer = body.pointer_to("nightly_price");
    let mut fields = ObjectReader::new(pointer, value, body.findings())?;
    for name in ["amount", "currency"] {
        fields.require(name);
    }
    let (amount, currency) = (fields.required("amount"), fields.required("currency"));
    fields.finish();
    Some(Money {
        amount: amount?,
        currency: currency?,
    })
}

/// A draft whose every field keeps its rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidDraft(ListingDraft);

impl ValidDraft {
    /// The draft.
    #[must_use]
    pub const fn as_draft(&self) -> &ListingDraft {
        &self.0
    }

    /// What the bookings of the listing shall survive.
    #[must_use]
    pub fn survival(&self) -> Survival {
        self.0.survival.unwrap_or_default()
    }

    /// Where the draft wants to be at home, if it says so.
    #[must_use]
    pub const fn home_region(&self) -> Option<&RegionId> {
        self.0.home_region.as_ref()
    }

    /// Latitude and longitude in degrees, to find the nearest region.
    #[must_use]
    pub const fn coordinates(&self) -> (f64, f64) {
        (self.0.location.lat, self.0.location.lon)
    }
}
