//! Clients that edit listings, and sessions that wander from region to region.

use std::sync::Arc;

use meridian_client::Client;
use serde_json::json;

use super::Door;
use super::guest::Guest;
use crate::record::{Call, Outcome};

/// Amenities that one client keeps: a listing has room for a hundred.
const KEPT_MAX: usize = 4;

/// Adds an amenity that nobody else adds; takes one of its own away where it has many.
pub(super) async fn edit(guest: &mut Guest) {
    let Some(door) = guest.nearby() else { return };
    make_room(guest, &door).await;
    add(guest, &door).await;
}

/// Writes here, and reads in other regions what it wrote.
pub(super) async fn wander(guest: &mut Guest) {
    let Some(here) = guest.nearby() else { return };
    make_room(guest, &here).await;
    let listing = add(guest, &here).await;
    for door in [guest.abroad(), guest.abroad()].into_iter().flatten() {
        let what = Call::ReadListing {
            listing: listing.clone(),
            session: Some(guest.number),
        };
        let asked = async |client: Client| client.listing_at(&listing, "session").await;
        guest.ask(&door, what, asked).await;
    }
}

/// Adds an amenity to some listing, and answers which.
async fn add(guest: &mut Guest, door: &Door) -> String {
    let desk = Arc::clone(&guest.desk);
    let listing = desk.edited(&mut guest.random).to_owned();
    let amenity = guest.key();
    let what = Call::AddAmenity {
        listing: listing.clone(),
        amenity: amenity.clone(),
        session: Some(guest.number),
    };
    let ops = json!([{"op": "add", "path": "/amenities", "value": amenity}]);
    let asked = async |client: Client| client.edit_listing(&listing, ops).await;
    let outcome = guest.ask(door, what, asked).await;
    if !matches!(outcome, Outcome::Fail { .. }) {
        guest.added.push_back((listing.clone(), amenity));
    }
    listing
}

/// Takes away the oldest of its own amenities where it has enough of them.
async fn make_room(guest: &mut Guest, door: &Door) {
    if guest.added.len() < KEPT_MAX {
        return;
    }
    let Some((listing, amenity)) = guest.added.pop_front() else {
        return;
    };
    let what = Call::RemoveAmenity {
        listing: listing.clone(),
        amenity: amenity.clone(),
        session: Some(guest.number),
    };
    let ops = json!([{"op": "remove", "path": "/amenities", "value": amenity}]);
    let asked = async |client: Client| client.edit_listing(&listing, ops).await;
    let outcome = guest.ask(door, what, asked).await;
    if matches!(outcome, Outcome::Fail { .. }) {
        // Surely still there: the next one that is taken away.
        guest.added.push_front((listing, amenity));
    }
}
