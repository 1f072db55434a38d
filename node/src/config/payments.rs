//! The `[payments]` section.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Who takes the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentsSection {
    /// `sandbox` moves no money; `stripe` speaks to whatever stands at `url`.
    pub provider: PaymentsProvider,
    /// Where the sandbox writes down what it does. Empty: it keeps nothing.
    pub book: PathBuf,
    /// The provider's address: `https://api.stripe.com`, or `http://127.0.0.1:7450` for a
    /// provider on this machine.
    pub url: String,
    /// PEM file with authorities to believe beside those of this machine. Empty: none.
    pub ca_file: PathBuf,
    /// File with the provider's secret key. Empty: the variable is read.
    pub secret_file: PathBuf,
    /// Variable of the environment with the provider's secret key.
    pub secret_env: String,
    /// How long one call may take before it is asked again, in milliseconds. Apart
    /// from the client's deadline: a client that has gone does not stop a payment.
    pub deadline_ms: NonZeroU64,
    /// Calls under way at once from this node.
    pub calls_max: NonZeroUsize,
    /// How long outcomes are kept for their idempotency keys, in hours: 24 to 168.
    pub idempotency_hours: NonZeroU64,
}

/// Which provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentsProvider {
    /// Moves no money.
    Sandbox,
    /// Stripe, or whatever speaks its API.
    Stripe,
}

impl Default for PaymentsSection {
    fn default() -> Self {
        Self {
            provider: PaymentsProvider::Sandbox,
            book: PathBuf::new(),
            url: String::new(),
            ca_file: PathBuf::new(),
            secret_file: PathBuf::new(),
            secret_env: "MERIDIAN_PAYMENTS_SECRET".to_owned(),
            deadline_ms: NonZeroU64::new(10_000).expect("not zero"),
            calls_max: NonZeroUsize::new(64).expect("not zero"),
            idempotency_hours: NonZeroU64::new(25).expect("not zero"),
        }
    }
}
