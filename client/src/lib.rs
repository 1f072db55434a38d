//! The Rust SDK of Meridian's REST contract, version 1.
//!
//! A [`Client`] finds the cluster's endpoints from a few seeds and uses the nearest one
//! that answers. It carries the session from answer to request, repeats what may be
//! repeated at the next endpoint, and says honestly what became of a request:
//! [`CallError::Unreachable`] was surely not executed, [`CallError::Unknown`] may have
//! been.
//!
//! What it decides, it decides in plain data that is told the time: `roster` which
//! endpoint, `course` what after an attempt, `hedge` when a slow read is sent twice, `session`
//! which token is held, `watch::events` what a stream says. It depends on no other crate of
//! Meridian: it is what an outside program sees.

mod admin;
mod answer;
mod attempt;
mod backoff;
mod builder;
mod call;
mod client;
mod course;
mod credential;
mod error;
pub mod fake;
mod find;
mod hedge;
mod key;
mod lookups;
mod options;
mod pages;
mod roster;
mod send;
mod session;
mod tend;
mod trust;
mod walk;
mod watch;
pub mod webhook;
mod webhook_endpoints;
mod wire;

pub use admin::{AdminClient, GoalChange, ImportSummary, RejectedRow};
pub use answer::Answer;
pub use builder::{BuildError, ClientBuilder};
pub use client::{Client, NewStay};
pub use credential::{Credential, CredentialError};
pub use error::{CallError, FieldProblem, Problem};
pub use find::Find;
pub use key::IdempotencyKey;
pub use options::ClientOptions;
pub use pages::EventPage;
pub use session::Session;
pub use trust::{Trust, TrustError};
pub use watch::{Watch, WatchEvent};
pub use webhook_endpoints::ReplayFrom;
