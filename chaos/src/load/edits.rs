//! Clients that edit listings, and sessions that wander from region to region, where they read or
//! search.

use std::sync::Arc;

use meridian_client::{Client, Find};
use rand::RngExt;
use serde_json::json;

use super::Door;
use super::guest::Guest;
use crate::record::{Call, Outcome};

/// Amenities that one client keeps: a listing has room for a hundred.
const KEPT_MAX: usize = 4;
/// Amenities of each listing that everybody adds and removes: few, so that they meet.
const SHARED: u32 = 3;

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
    let (listing, _) = add(guest, &here).await;
    for door in [guest.abroad(), guest.abroad()].into_iter().flatten() {
        let what = Call::ReadListing {
            listing: listing.clone(),
            session: Some(guest.number),
        };
        let asked = async |client: Client| client.listing_at(&listing, "session").await;
        guest.ask(&door, what, asked).await;
    }
}

/// Writes here, and searches in other regions for what it wrote and for what it took away.
pub(super) async fn search(guest: &mut Guest) {
    let Some(here) = guest.nearby() else { return };
    let gone = make_room(guest, &here).await;
    let there = add(guest, &here).await;
    for (listing, amenity) in [Some(there), gone].into_iter().flatten() {
        let Some(door) = guest.abroad() else { return };
        let find = Find {
            amenities: Some(amenity.clone()),
            ..Find::default()
        };
        let what = Call::Search {
            listing,
            amenity,
            session: Some(guest.number),
        };
        let asked = async |client: Client| client.find(&find, None).await;
        guest.ask(&door, what, asked).await;
    }
}

/// Adds or removes, as it comes, what others add and remove at the same time.
pub(super) async fn return_again(guest: &mut Guest) {
    let Some(door) = guest.nearby() else { return };
    let desk = Arc::clone(&guest.desk);
    let listing = desk.edited(&mut guest.random).to_owned();
    let amenity = format!("shared-{}", guest.random.random_range(0..SHARED));
    let session = Some(guest.number);
    if guest.random.random() {
        add_this(guest, &door, (listing, amenity)).await;
        return;
    }
    let ops = json!([{"op": "remove", "path": "/amenities", "value": amenity}]);
    let asked_of = listing.clone();
    let what = Call::RemoveAmenity {
        listing,
        amenity,
        session,
    };
    let asked = async |client: Client| client.edit_listing(&asked_of, ops).await;
    guest.ask(&door, what, asked).await;
}

/// Adds an amenity that nobody else adds to some listing, and answers both.
async fn add(guest: &mut Guest, door: &Door) -> (String, String) {
    let desk = Arc::clone(&guest.desk);
    let listing = desk.edited(&mut guest.random).to_owned();
    let added = (listing, guest.key());
    let outcome = add_this(guest, door, added.clone()).await;
    if !matches!(outcome, Outcome::Fail { .. }) {
        guest.added.push_back(added.clone());
    }
    added
}

async fn add_this(guest: &mut Guest, door: &Door, added: (String, String)) -> Outcome {
    let (listing, amenity) = added;
    let what = Call::AddAmenity {
        listing: listing.clone(),
        amenity: amenity.clone(),
        session: Some(guest.number),
    };
    let ops = json!([{"op": "add", "path": "/amenities", "value": amenity}]);
    let asked = async |client: Client| client.edit_listing(&listing, ops).await;
    guest.ask(door, what, asked).await
}

/// Takes away the oldest of its own amenities where it has enough of them, and answers which is
/// gone.
async fn make_room(guest: &mut Guest, door: &Door) -> Option<(String, String)> {
    if guest.added.len() < KEPT_MAX {
        return None;
    }
    let (listing, amenity) = guest.added.pop_front()?;
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
        return None;
    }
    Some((listing, amenity))
}
