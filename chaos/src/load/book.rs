//! Clients that book: duels, stays, churn, storms, and who looks at the calendar.

use std::time::Duration;

use meridian_client::NewStay;
use rand::RngExt;

use super::Door;
use super::guest::Guest;
use crate::record::{Call, Outcome};

/// A card that pays.
const CARD: &str = "card_ok";
/// Longest that a guest keeps a booking before it is given back, in milliseconds.
const KEPT_MS_MAX: u64 = 400;
/// How often a storm repeats itself.
const REPEATS: usize = 3;

/// Wants the one night that all want.
pub(super) async fn duel(guest: &mut Guest) {
    let (listing, stay) = guest.desk.duel();
    if let Some(door) = guest.nearby() {
        let key = guest.key();
        book(guest, &door, &listing, &stay, &key).await;
    }
}

/// Wants some nights of some listing.
pub(super) async fn stay(guest: &mut Guest) {
    let (listing, stay) = wish(guest);
    if let Some(door) = guest.nearby() {
        let key = guest.key();
        book(guest, &door, &listing, &stay, &key).await;
    }
}

/// Books, and gives it back soon after.
pub(super) async fn churn(guest: &mut Guest) {
    let (listing, stay) = wish(guest);
    let Some(door) = guest.nearby() else { return };
    let key = guest.key();
    let booked = book(guest, &door, &listing, &stay, &key).await;
    let Some(booking) = booked.answered().and_then(|told| told.booking) else {
        return;
    };
    let kept = Duration::from_millis(guest.random.random_range(0..KEPT_MS_MAX));
    tokio::time::sleep(kept).await;
    let key = guest.key();
    let what = Call::Cancel {
        listing,
        booking: booking.clone(),
        key: key.clone(),
    };
    let cancel = async |client: meridian_client::Client| client.cancel(&booking, &key).await;
    guest.ask(&door, what, cancel).await;
}

/// Books, and asks again with the same key through other regions, whatever it was told.
pub(super) async fn storm(guest: &mut Guest) {
    let (listing, stay) = wish(guest);
    let key = guest.key();
    let mut door = guest.nearby();
    for _ in 0..REPEATS {
        let Some(at) = door else { return };
        book(guest, &at, &listing, &stay, &key).await;
        door = guest.abroad();
    }
}

/// Looks at all nights of a listing.
pub(super) async fn calendar(guest: &mut Guest) {
    let (listing, _) = wish(guest);
    let NewStay {
        check_in: from,
        check_out: to,
        ..
    } = guest.desk.whole();
    let Some(door) = guest.nearby() else { return };
    let what = Call::ReadNights {
        listing: listing.clone(),
        from: from.clone(),
        to: to.clone(),
    };
    let look = async |client: meridian_client::Client| {
        client.fresh_availability(&listing, &from, &to).await
    };
    guest.ask(&door, what, look).await;
}

fn wish(guest: &mut Guest) -> (String, NewStay) {
    let desk = std::sync::Arc::clone(&guest.desk);
    let listing = desk.wanted(&mut guest.random).to_owned();
    (listing, desk.stay(&mut guest.random))
}

async fn book(guest: &mut Guest, door: &Door, listing: &str, stay: &NewStay, key: &str) -> Outcome {
    let what = Call::Book {
        listing: listing.to_owned(),
        check_in: stay.check_in.clone(),
        check_out: stay.check_out.clone(),
        key: key.to_owned(),
        card: CARD.to_owned(),
    };
    let asked = async |client: meridian_client::Client| client.book(listing, stay, CARD, key).await;
    guest.ask(door, what, asked).await
}
