//! The Rust SDK of Meridian's REST contract, version 1.
//!
//! A [`Client`] knows the cluster's endpoints, nearest first. It carries the session
//! from answer to request, repeats what may be repeated at the next endpoint, and
//! says honestly what became of a request: [`CallError::Unreachable`] was surely
//! not executed, [`CallError::Unknown`] may have been.
//!
//! It depends on no other crate of Meridian: it is what an outside program sees.

mod admin;
mod client;
mod error;
mod lookups;
mod send;
mod session;

pub use admin::{AdminClient, ImportSummary, RejectedRow};
pub use client::{Answer, Client, ClientOptions, NewStay};
pub use error::{CallError, FieldProblem, Problem};
pub use session::Session;
