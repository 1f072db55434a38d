//! The listing plane's decisions: the listing document, the change log and version
//! vectors. Pure: time and node ids come as arguments, nothing here reads a clock,
//! a disk or a socket, and nothing awaits.
//!
//! A listing is one Automerge document ([`ListingDocument`]) behind a typed view
//! ([`ListingView`]). Whatever reaches a replica as a [`LogEntry`] is applied to it
//! in any order and any number of times with the same result; that is the whole
//! contract between replicas:
//!
//! 1. Replicas that hold the same changes have the same heads, show the same view
//!    and save the same content (invariant 4 of the architecture).
//! 2. No decoder panics or allocates without bound, on any input (invariant 11).
//!    Every bound has a name in [`limits`].
//! 3. Concurrent writes to one field are kept and shown ([`Conflict`]), never
//!    silently lost; an amount never meets another writer's currency.
//!
//! ```
//! use meridian_regions::{ListingId, NodeId, UnixNanos};
//! use meridian_replication_core::{ListingDocument, ListingDraft, ListingPatch, Location, Money};
//! # use serde_json::json;
//!
//! let price = Money { amount: 12_900, currency: "NOK".parse()? };
//! let draft = ListingDraft::new("Loft", Location::at(59.9, 10.7), 4, price);
//! let draft = draft.validate().expect("every field keeps its rule");
//! let id = ListingId::derived("eu-west".parse()?, "airbnb", "42932");
//! let (oslo, bergen) = (NodeId::new(1).expect("not zero"), NodeId::new(2).expect("not zero"));
//! let now = UnixNanos::from_millis(1_700_000_000_000);
//!
//! // Made here, durable, then sent; applied there, durable, then seen.
//! let (mut here, creation) = ListingDocument::create(&id, oslo, now, &draft);
//! let mut there = ListingDocument::empty(&id);
//! there.apply(creation.as_bytes())?;
//!
//! let patch = ListingPatch::from_json(json!({"capacity": 2})).expect("a patch");
//! let change = there.patch(bergen, now, &patch)?.expect("it was 4");
//! here.apply(change.as_bytes())?;
//! assert_eq!(here.heads(), there.heads());
//! assert_eq!(here.view(), there.view());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who may write a change
//!
//! Automerge names a change by its actor and a sequence number. The actor of a node
//! is derived from its [`NodeId`](meridian_regions::NodeId), the sequence number
//! from what the document holds. A number must never be given to two different
//! changes, or replicas part for ever. That holds under two rules, which the shell
//! keeps:
//!
//! - A change leaves the node, or is acknowledged, only once it is durable. If the
//!   write to disk fails, the document that holds it is dropped and loaded again
//!   from what is durable, and so are all later changes made upon it.
//! - A `NodeId` is never used by two disks: a node that lost its disk, or had it
//!   restored from a backup, is a new node.
//!
//! Should both fail, [`ListingDocument::apply`] refuses the second change with
//! [`ApplyError::SequenceReused`] instead of guessing.

mod actor;
mod anti_entropy;
mod change;
mod change_guard;
mod document;
mod draft;
mod edit;
mod field_error;
#[cfg(test)]
mod fuzz;
mod heads;
pub mod limits;
mod log_entry;
mod merge_rules;
mod object_reader;
mod patch;
mod pull;
mod received_entry;
mod rules;
mod session_token;
mod summed;
mod values;
mod version_vector;
mod view;
mod wire;

pub use anti_entropy::{
    Asked, Comparison, Difference, Fetched, FetchedDocument, Fingerprint, Item, Listed, Outline,
    OutlineBuilder, Range, RepairAnswer, RepairRequest, Reply, ShortDigest, Walk, WalkError, Want,
    answer, item_key,
};
pub use change::{ChangeError, EncodedChange, made_at};
pub use document::{
    Again, Applied, ApplyError, BeginningError, Beyond, COUNTERS, ChangeKind, ChangeRecord, Choice,
    Conflict, ConflictingValue, Decision, EditError, Keeps, Lifecycle, ListingDocument, LoadError,
    NewChange, RefusedChange, Renewal, ends_of,
};
pub use draft::{ListingDraft, ValidDraft};
pub use edit::EditOp;
pub use field_error::FieldError;
pub use heads::{ChangeId, Heads, NoChangeId};
pub use log_entry::LogEntry;
pub use merge_rules::{MERGE_RULES, MergeRule};
pub use patch::ListingPatch;
pub use pull::{FollowedEntry, LogFloor, PullFrame, PullRequest};
pub use received_entry::{EntryContent, ReceivedEntry};
pub use session_token::SessionToken;
pub use values::{Currency, CurrencyError, External, Location, Money, Slot};
pub use version_vector::{SequenceGap, VersionVector};
pub use view::ListingView;
pub use wire::WireError;
