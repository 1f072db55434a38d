//! What was there once all was mended and at rest.

use serde::Serialize;

use crate::record::{Final, Run};

/// What was there in the end, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Rest<'a> {
    /// Whether equal documents were waited for.
    pub(super) was_awaited: bool,
    /// How soon all nodes held them, in milliseconds; `None`: not in time, or not awaited.
    pub(super) converged_after_ms: Option<u64>,
    /// Ledgers that were read, region by region.
    pub(super) ledgers: u64,
    /// Bookings that they showed.
    pub(super) bookings: u64,
    /// Documents that were read, node by node.
    pub(super) documents: u64,
    /// Payments in the provider's own book.
    pub(super) payments: u64,
    /// What could not be read.
    pub(super) unread: Vec<Unread<'a>>,
}

/// What could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Unread<'a> {
    pub(super) what: &'a str,
    pub(super) cause: &'a str,
}

impl<'a> Rest<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        let mut rest = Self::default();
        for line in &run.finals {
            match line {
                Final::Booking(_) => rest.bookings += 1,
                Final::Ledger { .. } => rest.ledgers += 1,
                Final::Document(_) => rest.documents += 1,
                Final::Payment(_) => rest.payments += 1,
                // The promises about money, about replicas, and about the run itself say what
                // comes of them.
                Final::Due(_) | Final::Copy(_) | Final::Links { .. } | Final::Removed { .. } => {}
                Final::Unread { what, cause } => rest.unread.push(Unread { what, cause }),
                Final::Converged { after_ms } => {
                    rest.was_awaited = true;
                    rest.converged_after_ms = *after_ms;
                }
            }
        }
        rest
    }
}
