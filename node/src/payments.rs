//! Payment providers: the port that sagas use, and what stands behind it.
//!
//! A sandbox that moves no money, within the process or served to several of them, and
//! an adapter for whatever speaks Stripe's API.

mod open;
mod provider;
mod sandbox;
mod stripe;

pub(crate) use open::open;
pub(crate) use provider::{Charge, PaymentError, PaymentFuture, PaymentProvider, Voided};
#[cfg(test)]
pub(crate) use sandbox::Sandbox;
pub(crate) use sandbox::{Book, Teller, routes as sandbox_routes};
