//! A listing as guests are offered it, and the quote that stands for the offer.

use std::sync::Arc;

use meridian_consensus_core::{Book, Hold, Op, Price, Stay, Terms};
use meridian_regions::ListingId;
use meridian_replication::ReadListing;
use meridian_replication_core::{ListingView, Money};
use serde_json::json;

use super::listings::find;
use super::problem::Problem;
use crate::node::Node;

/// What a quote of ours begins with; its form may change with the number.
const QUOTE_PREFIX: &str = "q1_";

/// A listing as it is offered here and now: its terms and its price.
pub(crate) struct Offer {
    listing: Arc<ReadListing>,
    nightly: Money,
    /// Stands for the terms and the price.
    quote: String,
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
            listing,
            nightly,
            quote,
        })
    }

    /// Keeps the nights of a stay for a while, for a guest who has seen a quote.
    pub(crate) fn hold(self, stay: Stay, ttl_ms: u64, quote_seen: Option<String>) -> Op {
        Op::Hold(Hold {
            stay,
            terms: self.terms(),
            price: self.price(&stay),
            ttl_ms,
            quote: self.quote,
            quote_seen,
        })
    }

    /// Sells the nights of a stay, to a guest who has seen a quote.
    pub(crate) fn book(self, stay: Stay, quote_seen: Option<String>, payment_method: String) -> Op {
        Op::Book(Book {
            stay,
            terms: self.terms(),
            price: self.price(&stay),
            quote: self.quote,
            quote_seen,
            payment_method,
        })
    }

    fn terms(&self) -> Terms {
        let view = self.listing.view();
        Terms {
            units: view.units,
            capacity: view.capacity,
            min_stay: view.min_stay,
            max_stay: view.max_stay,
            policy: None,
        }
    }

    /// What a stay costs. The ledger refuses a stay whose dates are the wrong way
    /// round, so that its price does not matter.
    fn price(&self, stay: &Stay) -> Price {
        let nights = u64::try_from(stay.nights()).unwrap_or(0);
        Price {
            amount: self.nightly.amount.saturating_mul(nights),
            currency: self.nightly.currency.as_str().to_owned(),
        }
    }
}

/// A text that changes with every term or price that a guest cares about.
pub(crate) fn quote(view: &ListingView) -> String {
    let terms = json!([
        view.nightly_price,
        view.units,
        view.capacity,
        view.min_stay,
        view.max_stay,
        view.house_rules,
    ]);
    let digest = blake3::hash(terms.to_string().as_bytes()).to_hex();
    format!("{QUOTE_PREFIX}{}", &digest[..16])
}
