//! A listing as guests are offered it, and the quote that stands for the offer.

use std::sync::Arc;

use meridian_consensus_core::{Price, Stay, Terms};
use meridian_regions::{Genesis, ListingId};
use meridian_replication::ReadListing;
use meridian_replication_core::ListingView;
use serde_json::{Value, json};

use super::listings::{find, founded};
use super::problem::{Problem, Slug};
use crate::node::Node;

/// What a quote of ours begins with; its form may change with the number.
const QUOTE_PREFIX: &str = "q1_";

/// A listing as it is offered: its terms, its price and its group.
pub(crate) struct Offer {
    pub(crate) listing: Arc<ReadListing>,
    pub(crate) genesis: Genesis,
    /// Stands for the terms and the price.
    pub(crate) quote: String,
}

impl Offer {
    /// The listing as it stands here; refused if the guest has seen other terms.
    pub(crate) async fn of(
        node: &Node,
        id: &ListingId,
        seen: Option<&str>,
    ) -> Result<Self, Problem> {
        let listing = find(node, id).await?;
        let quote = quote(listing.view());
        if seen.is_some_and(|seen| seen != quote) {
            return Err(Problem::new(
                Slug::QuoteStale,
                "read the listing again and show the guest the new price and terms",
            )
            .with("quote", quote));
        }
        Ok(Self {
            listing,
            genesis: founded(node, id)?,
            quote,
        })
    }

    pub(crate) fn terms(&self) -> Terms {
        let view = self.listing.view();
        Terms {
            units: view.units,
            capacity: view.capacity,
            min_stay: view.min_stay,
            max_stay: view.max_stay,
        }
    }

    /// What a stay costs. The ledger refuses a stay whose dates are the wrong way
    /// round, so that its price does not matter.
    pub(crate) fn price(&self, stay: &Stay) -> Result<Price, Problem> {
        let price = self.listing.view().nightly_price.as_ref().ok_or_else(|| {
            Problem::field(
                "/listing_id",
                "this listing has no price yet: its host sets one first",
            )
        })?;
        let nights = u64::try_from(stay.nights()).unwrap_or(0);
        Ok(Price {
            amount: price.amount.saturating_mul(nights),
            currency: price.currency.as_str().to_owned(),
        })
    }

    pub(crate) fn shown(&self, stay: &Stay, price: &Price) -> Value {
        json!({
            "listing_id": self.genesis.listing,
            "check_in": stay.check_in(),
            "check_out": stay.check_out(),
            "guests": stay.guests,
            "price": {"amount": price.amount, "currency": price.currency},
            "quote": self.quote,
        })
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
