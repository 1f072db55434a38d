//! A listing as the index has it.

use meridian_regions::ListingId;
use meridian_replication_core::{ListingView, Slot};
use tantivy::{TantivyDocument, Term};

use crate::cells;
use crate::place::Place;
use crate::schema::Fields;

/// Slots that a listing is let by, as numbers.
pub(crate) const NIGHTS: u64 = 0;
pub(crate) const HOURS: u64 = 1;

/// What is indexed of a listing whose document has this digest.
pub(crate) fn of(fields: &Fields, view: &ListingView, digest: &[u8; 32]) -> TantivyDocument {
    let mut entry = TantivyDocument::default();
    let (high, low) = halves(&view.id);
    entry.add_text(fields.id, view.id.to_string());
    entry.add_u64(fields.ulid_high, high);
    entry.add_u64(fields.ulid_low, low);
    entry.add_text(fields.home, view.id.home().as_str());
    entry.add_u64(fields.shard, view.id.shard().get().into());
    entry.add_u64(fields.version, version(digest));
    entry.add_text(fields.title, &view.title);
    entry.add_text(fields.description, &view.description);
    let location = &view.location;
    let names = [&location.city, &location.country, &view.neighbourhood];
    for name in names.into_iter().flatten() {
        entry.add_text(fields.places, name);
    }
    for amenity in &view.amenities {
        entry.add_text(fields.features, amenity);
        entry.add_text(fields.amenity, amenity);
    }
    if let Some(room_type) = &view.room_type {
        entry.add_text(fields.features, room_type);
        entry.add_text(fields.room_type, room_type);
    }
    if let Some(place) = Place::new(location.lat, location.lon) {
        entry.add_f64(fields.lat, place.lat());
        entry.add_f64(fields.lon, place.lon());
        for cell in cells::of(place) {
            entry.add_u64(fields.cell, cell);
        }
    }
    if let Some(price) = &view.nightly_price {
        entry.add_u64(fields.price, price.amount);
        entry.add_text(fields.currency, price.currency.as_str());
    }
    entry.add_u64(fields.capacity, view.capacity.into());
    entry.add_u64(fields.stay_min, view.min_stay.into());
    entry.add_u64(fields.stay_max, view.max_stay.into());
    entry.add_u64(fields.slot, slot(view.slot));
    entry
}

/// What finds a listing's entry.
pub(crate) fn named(fields: &Fields, id: &ListingId) -> Term {
    Term::from_field_text(fields.id, &id.to_string())
}

/// The part of a document's digest that is kept: two versions of a listing that agree in it
/// come up once in 2⁶⁴.
pub(crate) fn version(digest: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn halves(id: &ListingId) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = id.ulid().to_bytes();
    (
        u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        u64::from_be_bytes(rest),
    )
}

const fn slot(slot: Slot) -> u64 {
    match slot {
        Slot::Night => NIGHTS,
        Slot::Hour => HOURS,
    }
}
