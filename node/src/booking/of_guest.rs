//! The bookings of one guest, wherever they are: what every node's ledgers say.
//!
//! Each node finds the listings in its index of guests and reads its own copies of their
//! ledgers; nothing is woken, so that it may be behind. Who did not answer is named. Pages
//! are in an order of listings that all nodes share, so that what comes from several of them
//! can be put together.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use meridian_consensus_core::{Reservation, ReservationState};
use meridian_regions::{BookingId, ListingId, NodeId};
use meridian_storage::StorageError;
use meridian_transport::Channel;
use prost::Message;
use tokio::time::Instant;

use super::desk::BookingDesk;
use super::wire::{Answered, Asked, Forwarded, GuestPage, GuestQuestion, Reply, Reserved};

/// How long a node may take: it reads some ledgers, over the longest link.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);
/// Ledgers that a node reads for one page: of a guest who has reserved in more listings, and
/// has nothing left in most, a page may be short, and the next one goes on.
const LEDGERS_MAX: usize = 200;

/// Bookings of one page at most, whatever another node asks for.
const PAGE_MAX: usize = 100;

/// A place in the order of bookings: by listings, as their keys are ordered, then by number.
type Place = (usize, Vec<u8>, u64);

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Bookings {
    pub(crate) found: Vec<(ListingId, Reservation)>,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<BookingId>,
    /// Nodes that did not answer: they may know of others.
    pub(crate) waiting_for: Vec<NodeId>,
}

impl BookingDesk {
    /// A guest's bookings after a place, at most `limit`, as the nodes of the cluster know them.
    ///
    /// # Errors
    /// [`StorageError`] if this node's disk fails or lies.
    pub(crate) async fn of_guest(
        &self,
        guest: &str,
        (after, limit): (Option<&BookingId>, usize),
        deadline: Instant,
    ) -> Result<Bookings, StorageError> {
        let question = GuestQuestion {
            guest: guest.to_owned(),
            listing: after.map_or_else(Vec::new, |after| after.listing().to_key()),
            number: after.map_or(0, BookingId::number),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let patience = left.min(LOOK_DEADLINE);
        let peers = self.mesh.peers();
        let asked = peers.iter().map(|peer| {
            let question = question.clone();
            async move {
                (
                    peer.node,
                    self.ask_guest(peer.node, question, patience).await,
                )
            }
        });
        let elsewhere = join_all(asked).await;
        let mut pages = vec![self.guest_here(&question)?];
        let mut waiting_for = Vec::new();
        for (node, page) in elsewhere {
            match page {
                Some(page) => pages.push(page),
                None => waiting_for.push(node),
            }
        }
        let (found, next) = together(pages, limit);
        Ok(Bookings {
            found,
            next,
            waiting_for,
        })
    }

    /// What this node's ledgers say.
    fn guest_here(&self, question: &GuestQuestion) -> Result<GuestPage, StorageError> {
        let limit = usize::try_from(question.limit)
            .unwrap_or(PAGE_MAX)
            .min(PAGE_MAX);
        let guest = question.guest.as_str();
        let first = ListingId::from_key(&question.listing).ok();
        let mut page = GuestPage::default();
        let mut listings = first.clone().map_or_else(Vec::new, |first| vec![first]);
        let mut last = first;
        let mut number = question.number;
        let others = self
            .groups()
            .reserved_by(guest, last.as_ref(), LEDGERS_MAX)?;
        let has_more = others.len() == LEDGERS_MAX;
        listings.extend(others);
        for listing in listings {
            if page.reserved.len() > limit {
                page.through = last.map_or_else(Vec::new, |last| last.to_key());
                return Ok(page);
            }
            let view = self.groups().local(&listing)?;
            let its = view.ledger.reservations();
            let its = its.filter(|one| one.number > number && is_booking_of(guest, one));
            // One more says that there is a next page.
            page.reserved
                .extend(its.take(limit.saturating_add(1)).map(|one| Reserved {
                    listing: listing.to_key(),
                    revision: view.ledger.revision(),
                    reservation: one.encode_to_vec(),
                }));
            (last, number) = (Some(listing), 0);
        }
        if has_more {
            page.through = last.map_or_else(Vec::new, |last| last.to_key());
        }
        Ok(page)
    }

    async fn ask_guest(
        &self,
        node: NodeId,
        question: GuestQuestion,
        patience: Duration,
    ) -> Option<GuestPage> {
        let request = Forwarded {
            asked: Some(Asked::Guest(question)),
            ..Forwarded::default()
        };
        let request = request.encode_to_vec().into();
        let reply = self.mesh.call(node, Channel::Forward, request, patience);
        let reply = Reply::decode(reply.await.ok()?).ok()?;
        // A node of an earlier version has no such index, and says that it cannot read this.
        match reply.answered? {
            Answered::Guest(page) => Some(page),
            _ => None,
        }
    }

    /// Serves that question.
    pub(super) fn serve_guest(&self, question: &GuestQuestion) -> Option<GuestPage> {
        let page = self.guest_here(question);
        page.inspect_err(|cause| tracing::error!(%cause, "cannot look a guest up"))
            .ok()
    }
}

/// Blocks of the host share the ledger, but are no bookings.
fn is_booking_of(guest: &str, reservation: &Reservation) -> bool {
    let is_block = matches!(
        reservation.state(),
        ReservationState::Blocked | ReservationState::Reopened
    );
    reservation.caller == guest && !is_block
}

fn place(listing: &[u8], number: u64) -> Place {
    (listing.len(), listing.to_vec(), number)
}

/// One page of what several nodes say: of a booking that several know, the latest. What lies
/// behind a place up to which a node has looked is left to the next page.
fn together(
    pages: Vec<GuestPage>,
    limit: usize,
) -> (Vec<(ListingId, Reservation)>, Option<BookingId>) {
    let looked = pages.iter().filter(|page| !page.through.is_empty());
    let through = looked.map(|page| place(&page.through, u64::MAX)).min();
    let mut known: BTreeMap<Place, (u64, ListingId, Reservation)> = BTreeMap::new();
    for reserved in pages.into_iter().flat_map(|page| page.reserved) {
        let listing = ListingId::from_key(&reserved.listing);
        let reservation = Reservation::decode(reserved.reservation.as_slice());
        let (Ok(listing), Ok(reservation)) = (listing, reservation) else {
            continue;
        };
        let at = place(&reserved.listing, reservation.number);
        let is_newer = known
            .get(&at)
            .is_none_or(|(known, ..)| *known < reserved.revision);
        if is_newer && through.as_ref().is_none_or(|through| at <= *through) {
            known.insert(at, (reserved.revision, listing, reservation));
        }
    }
    let has_more = known.len() > limit;
    let found: Vec<_> = known
        .into_values()
        .take(limit)
        .map(|(_, listing, reservation)| (listing, reservation))
        .collect();
    let last = found.last();
    let last = last.map(|(listing, last)| BookingId::new(listing.clone(), last.number));
    let next = match through {
        _ if has_more => last,
        Some((_, listing, number)) => {
            let listing = ListingId::from_key(&listing).ok();
            listing.map(|listing| BookingId::new(listing, number))
        }
        None => None,
    };
    (found, next)
}

#[cfg(test)]
mod tests {
    use meridian_consensus_core::Reservation;
    use meridian_regions::{ListingId, UnixNanos};
    use prost::Message;

    use super::{GuestPage, Reserved, together};

    fn listing(number: u128) -> ListingId {
        let region = "eu-west".parse().expect("a region");
        ListingId::generate(UnixNanos::from_millis(1), number, region)
    }

    fn page(reserved: &[(u128, u64, u64)], through: Option<u128>) -> GuestPage {
        let reserved = reserved.iter().map(|(of, number, revision)| {
            let mut reservation = Reservation::default();
            reservation.number = *number;
            reservation.fencing_token = *revision;
            Reserved {
                listing: listing(*of).to_key(),
                revision: *revision,
                reservation: reservation.encode_to_vec(),
            }
        });
        GuestPage {
            reserved: reserved.collect(),
            through: through.map_or_else(Vec::new, |of| listing(of).to_key()),
        }
    }

    fn told(pages: Vec<GuestPage>, limit: usize) -> (Vec<(u64, u64)>, Option<u64>) {
        let (found, next) = together(pages, limit);
        let found = found.iter().map(|(_, one)| (one.number, one.fencing_token));
        (found.collect(), next.map(|next| next.number()))
    }

    #[test]
    fn latest_of_what_nodes_know_is_shown_once_and_in_order() {
        let pages = vec![
            page(&[(1, 1, 5), (2, 4, 1)], None),
            page(&[(1, 1, 7), (1, 2, 7)], None),
        ];
        assert_eq!(
            told(pages.clone(), 10),
            (vec![(1, 7), (2, 7), (4, 1)], None)
        );
        assert_eq!(told(pages, 2), (vec![(1, 7), (2, 7)], Some(2)));
    }

    #[test]
    fn what_a_node_has_not_looked_at_yet_is_left_to_the_next_page() {
        let pages = vec![
            page(&[(1, 1, 1)], Some(2)),
            page(&[(2, 5, 1), (3, 6, 1)], None),
        ];
        let (found, next) = told(pages, 10);
        assert_eq!(found, [(1, 1), (5, 1)]);
        assert_eq!(next, Some(u64::MAX), "behind everything of that listing");
        assert_eq!(told(vec![page(&[], Some(2))], 10), (vec![], Some(u64::MAX)));
        assert_eq!(told(vec![page(&[], None)], 10), (vec![], None));
    }
}
