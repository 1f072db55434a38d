//! Bugs that tests plant, to see that they are found. In no product build.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::payments::{Charge, PaymentError, PaymentProvider};

/// What stands between a booking's name and what a call makes of it.
pub(super) const MADE_UP: char = '#';

/// What a test has planted in a driver. Clones count their calls together.
#[derive(Debug, Clone, Default)]
pub(super) struct Planted {
    captures_without_key: bool,
    calls: Arc<AtomicU64>,
}

impl Planted {
    /// Money is taken under a name that each call makes up, and not under the booking's:
    /// whoever asks again takes it again.
    pub(super) fn captures_without_key() -> Self {
        Self {
            captures_without_key: true,
            ..Self::default()
        }
    }

    /// Takes the money as the planted bug does; `None` if there is none.
    pub(super) async fn capture(
        &self,
        payments: &dyn PaymentProvider,
        charge: &Charge,
    ) -> Option<Result<(), PaymentError>> {
        if !self.captures_without_key {
            return None;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let charge = Charge {
            key: format!("{}{MADE_UP}{call}", charge.key),
            ..charge.clone()
        };
        // To the provider it is another sale.
        if let Err(error) = payments.authorize(&charge).await {
            return Some(Err(error));
        }
        Some(payments.capture(&charge).await)
    }
}
