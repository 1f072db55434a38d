//! Keeps a panic of the Automerge library from taking the node down.
//!
//! The library asserts its own invariants on content that a peer sent. The change
//! guard and checksums keep such content out as far as they can; this is the last
//! line: the change is refused, the document is dropped, everything else goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The library panicked. The document it worked on must not be used again.
#[derive(Debug)]
pub(super) struct Panicked;

pub(super) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    // Callers poison or drop whatever `work` could reach, so nobody sees it broken.
    catch_unwind(AssertUnwindSafe(work)).map_err(|_panic| Panicked)
}
