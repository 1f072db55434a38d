//! Whose listings and reservations are, where that decides who may touch them.
//!
//! A listing belongs to the host that its document names: whoever has made it, and nobody can
//! change that. One that was imported, or names no host, belongs to operators. A reservation
//! belongs to the guest that its ledger names. Both are settled with the thing itself, so that
//! nothing can change between the look and the deed.

use meridian_consensus_core::Reservation;
use meridian_regions::{Genesis, ListingId};
use meridian_replication_core::ListingView;

use super::listings::{unknown, unreadable};
use super::outcome::unanswered;
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::auth::{Caller, Reach, Role, Who};
use crate::node::Node;

/// Whether a reservation is there for whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be touched, if it is there.
    Open,
    /// It is not there. Another may come to be under its number at any moment: nothing that
    /// names it may be done.
    Missing,
}

/// Refuses whoever is not the listing's host.
pub(super) async fn of_listing(node: &Node, who: &Who, id: &ListingId) -> Result<(), Problem> {
    let caller = match who.reach() {
        Reach::Everything => return Ok(()),
        Reach::Nothing => return Err(nobody()),
        Reach::OwnOf(caller) => caller,
    };
    // Also a deleted one: whether it is kept is its host's to say.
    let listing = node.replica.read(id).await.map_err(unreadable)?;
    let listing = listing.ok_or_else(unknown)?;
    if is_host(caller, listing.view()) {
        Ok(())
    } else {
        Err(forbidden("the listing is another's"))
    }
}

/// Refuses whoever is not the guest of a reservation. Asks the listing's group, unless
/// everything is open to whoever asks.
pub(super) async fn of_reservation(
    node: &Node,
    who: &Who,
    (session, genesis): (&Session, &Genesis),
    number: u64,
) -> Result<Standing, Problem> {
    let caller = match who.reach() {
        Reach::Everything => return Ok(Standing::Open),
        Reach::Nothing => return Err(nobody()),
        Reach::OwnOf(caller) => caller,
    };
    let ledger = node.bookings.read(session.errand(genesis)).await;
    let ledger = ledger.map_err(unanswered)?;
    match ledger.reservation(number) {
        None => Ok(Standing::Missing),
        Some(reservation) if is_guest(caller, reservation) => Ok(Standing::Open),
        Some(_) => Err(forbidden("the reservation is another guest's")),
    }
}

/// Refuses whoever is neither the guest of a booking nor its listing's host.
pub(super) async fn of_booking(
    node: &Node,
    who: &Who,
    id: &ListingId,
    reservation: &Reservation,
) -> Result<(), Problem> {
    match who.reach() {
        Reach::OwnOf(caller) if is_guest(caller, reservation) => Ok(()),
        Reach::OwnOf(caller) if !caller.is(Role::Host) => {
            Err(forbidden("the booking is another guest's"))
        }
        _ => of_listing(node, who, id).await,
    }
}

/// Refuses whoever is not the guest of that name.
pub(super) fn of_guest(who: &Who, guest: &str) -> Result<(), Problem> {
    match who.reach() {
        Reach::Everything => Ok(()),
        Reach::Nothing => Err(nobody()),
        Reach::OwnOf(caller) if caller.subject() == guest => Ok(()),
        Reach::OwnOf(_) => Err(forbidden("these are another guest's")),
    }
}

fn is_host(caller: &Caller, listing: &ListingView) -> bool {
    caller.is(Role::Host)
        && listing.external.is_none()
        && listing.owner.as_deref() == Some(caller.subject())
}

fn is_guest(caller: &Caller, reservation: &Reservation) -> bool {
    caller.is(Role::Guest) && reservation.caller == caller.subject()
}

pub(super) fn forbidden(detail: &'static str) -> Problem {
    Problem::new(Slug::Forbidden, detail)
}

fn nobody() -> Problem {
    Problem::new(Slug::Unauthenticated, "it must be known who asks")
}
