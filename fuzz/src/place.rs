//! Where this crate stands in the checkout whose tests run.

use std::path::{Path, PathBuf};

/// This crate's folder. Not by the path that is compiled in: a target folder may be shared by
/// checkouts, and what was built in another one is taken for this one's.
pub(crate) fn folder() -> PathBuf {
    let running = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let is_root = |folder: &&Path| folder.join("Cargo.lock").is_file();
    let root = running
        .as_deref()
        .and_then(|at| at.ancestors().find(is_root));
    root.map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        |root| root.join("fuzz"),
    )
}
