//! A listing as guests are offered it, and the quote that stands for the offer.
//!
//! A quote pins what the guest has seen: it stands for everything that the document shows
//! of the offer, price and terms included, and is stale once any of it says something
//! else. What the ledger keeps with a reservation are the quote and the heads it was of.
//! The heads are not compared themselves: they change with a counter too, and two regions
//! may show the same by different heads.

use std::sync::Arc;

use meridian_consensus_core::{Book, Hold, Op, Price, Stay, Terms};
use meridian_regions::ListingId;
use meridian_replication::ReadListing;
use meridian_replication_core::{ListingView, Money};
use serde_json::json;

use super::calendar::{Calendar, When};
use super::listings::find;
use super::problem::Problem;
use crate::node::Node;

/// What a quote of ours begins with; its form may change with the number.
const QUOTE_PREFIX: &str = "q2_";

/// A listing as it is offered here and now: its terms and its price.
pub(crate) struct Offer {
    listing: Arc<ReadListing>,
    calendar: Calendar,
    nightly: Money,
    /// Stands for what the guest is shown.
    quote: String,
}

/// What a guest wants to have.
pub(crate) struct Wish {
    pub(crate) check_in: When,
    pub(crate) check_out: When,
    pub(crate) guests: u32,
    /// The quote that the guest saw.
    pub(crate) quote_seen: Option<String>,
}

impl Offer {
    /// The listing as it stands here; refused if it is gone or has no price.
    pub(crate) async fn of(node: &Node, id: &ListingId) -> Result<Self, Problem> {
        let listing = find(node, id).await?;
        let nightly = listing.view().nightly_price.ok_or_else(|| {
            Problem::field(
                "/listing_id",
                "this listing has no price yet: its host sets one first",
            )
        })?;
        let quote = quote(listing.view());
        Ok(Self {
            calendar: Calendar::of(listing.view()),
            listing,
            nightly,
            quote,
        })
    }

    /// Keeps a stay for a while; refused if it is not of this listing's slots.
    pub(crate) fn hold(self, wish: Wish, ttl_ms: u64) -> Result<Op, Problem> {
        let stay = self.stay(&wish)?;
        Ok(Op::Hold(Hold {
            stay,
            terms: self.terms(),
            price: self.price(&stay),
            ttl_ms,
            heads: self.heads(),
            quote: self.quote,
            quote_seen: wish.quote_seen,
        }))
    }

    /// Sells a stay; refused if it is not of this listing's slots.
    pub(crate) fn book(self, wish: Wish, payment_method: String) -> Result<Op, Problem> {
        let stay = self.stay(&wish)?;
        Ok(Op::Book(Book {
            stay,
            terms: self.terms(),
            price: self.price(&stay),
            heads: self.heads(),
            quote: self.quote,
            quote_seen: wish.quote_seen,
            payment_method,
        }))
    }

    fn stay(&self, wish: &Wish) -> Result<Stay, Problem> {
        let from = ("/check_in", wish.check_in);
        let until = ("/check_out", wish.check_out);
        self.calendar.stay(from, until, wish.guests)
    }

    /// The document's entity tag without its quotes: it stands for the heads.
    fn heads(&self) -> String {
        self.listing.etag().trim_matches('"').to_owned()
    }

    fn terms(&self) -> Terms {
        let view = self.listing.view();
        Terms {
            units: view.units,
            capacity: view.capacity,
            min_stay: view.min_stay,
            max_stay: view.max_stay,
            policy: None,
            turnover: view.turnover,
        }
    }

    /// What a stay costs. The ledger refuses a stay whose ends are the wrong way
    /// round, so that its price does not matter.
    fn price(&self, stay: &Stay) -> Price {
        let slots = u64::try_from(stay.slots()).unwrap_or(0);
        Price {
            amount: self.nightly.amount.saturating_mul(slots),
            currency: self.nightly.currency.as_str().to_owned(),
        }
    }
}

/// A text that changes with everything that a guest is shown of an offer. Every field is
/// named here, because nodes of two versions must write the same.
pub(crate) fn quote(view: &ListingView) -> String {
    let terms = json!([
        view.nightly_price,
        view.units,
        view.capacity,
        view.slot,
        view.min_stay,
        view.max_stay,
        view.turnover,
        view.house_rules,
    ]);
    let shown = json!([
        view.title,
        view.description,
        view.location,
        view.amenities,
        view.photos,
        view.room_type,
        view.neighbourhood,
    ]);
    let text = json!([terms, shown]).to_string();
    let digest = blake3::hash(text.as_bytes()).to_hex();
    format!("{QUOTE_PREFIX}{}", &digest[..16])
}
