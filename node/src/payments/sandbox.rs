//! A provider that moves no money and misbehaves on request.
//!
//! What it is asked to do wrong is in the payment method: `card_<fault>` for the
//! authorization, `card_<step>_<fault>` for another step ([`fault`]). Any other
//! `card_…` is accepted.
//!
//! With a book it remembers every step on disk, so that tests can compare what the
//! provider did with what the ledgers say. Without one it keeps nothing: its answers
//! follow from the charge alone, the same on every node.

mod book;
mod fault;
mod intent;
mod provider;
mod server;
mod teller;

pub(crate) use book::Book;
pub(crate) use provider::Sandbox;
pub(crate) use server::routes;
pub(crate) use teller::Teller;
