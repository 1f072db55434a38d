//! Clients that hold first, and pay by cards that misbehave.

use meridian_client::Client;
use rand::RngExt;

use super::guest::Guest;
use crate::record::Call;

/// Cards of the sandbox provider: one that pays, one that is declined, one whose answer is
/// lost, one that is answered twice.
const CARDS: [&str; 6] = [
    "card_ok",
    "card_ok",
    "card_ok",
    "card_declined",
    "card_lost",
    "card_twice",
];
/// Of ten holds, so many are given back instead of paid.
const RELEASED: u32 = 3;

/// Holds, and then pays or gives back.
pub(super) async fn hold(guest: &mut Guest) {
    let desk = std::sync::Arc::clone(&guest.desk);
    let listing = desk.wanted(&mut guest.random).to_owned();
    let stay = desk.stay(&mut guest.random);
    let Some(door) = guest.nearby() else { return };
    let key = guest.key();
    let what = Call::Hold {
        listing: listing.clone(),
        check_in: stay.check_in.clone(),
        check_out: stay.check_out.clone(),
        key: key.clone(),
    };
    let asked = async |client: Client| client.hold(&listing, &stay, &key).await;
    let held = guest.ask(&door, what, asked).await;
    let Some(hold) = held.answered().and_then(|told| told.hold) else {
        return;
    };
    if guest.random.random_range(0..10) < RELEASED {
        let what = Call::Release {
            listing: listing.clone(),
            hold: hold.clone(),
        };
        let asked = async |client: Client| client.release(&hold).await;
        guest.ask(&door, what, asked).await;
        return;
    }
    let card = CARDS[guest.random.random_range(0..CARDS.len())];
    let key = guest.key();
    let what = Call::Confirm {
        listing: listing.clone(),
        hold: hold.clone(),
        key: key.clone(),
        card: card.to_owned(),
    };
    let asked = async |client: Client| client.confirm(&hold, card, &key).await;
    guest.ask(&door, what, asked).await;
}
