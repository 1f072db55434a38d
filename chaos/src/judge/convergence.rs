//! Convergence: at rest, all nodes hold equal documents.

use std::collections::BTreeMap;

use super::finding::counted;
use super::seen::Seen;
use super::{Finding, Violated};
use crate::record::{Final, FinalDocument};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut listings: BTreeMap<&str, Vec<&FinalDocument>> = BTreeMap::new();
    for one in &seen.run.finals {
        if let Final::Document(document) = one {
            listings
                .entry(&document.listing)
                .or_default()
                .push(document);
        }
    }
    let mut violations = Vec::new();
    for (listing, documents) in &listings {
        let first = documents[0];
        for other in documents {
            if other.digest != first.digest || !same_amenities(first, other) {
                let (one, node) = (first.node, other.node);
                let what = format!("{listing} differs on nodes {one} and {node}");
                violations.push(Violated::new(what, []));
                break;
            }
        }
    }
    let documents = listings.values().map(Vec::len).sum();
    let looked_at = format!(
        "{} of {}",
        counted(documents, "document"),
        counted(listings.len(), "listing")
    );
    (documents > 0).then(|| Finding::of("all nodes converge", looked_at, violations))
}

fn same_amenities(one: &FinalDocument, other: &FinalDocument) -> bool {
    let sorted = |document: &FinalDocument| {
        let mut amenities = document.amenities.clone();
        amenities.sort_unstable();
        amenities
    };
    sorted(one) == sorted(other)
}
