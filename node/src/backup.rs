//! Backups: what a node has on disk, in a folder or an object store, and a new cluster out of it.
//!
//! A node makes a checkpoint of each of its databases and sends every file that the target does
//! not have, under the hash of its content ([`desk`]). The command line asks all nodes, and
//! writes down last what belongs together ([`manifest`]): what has no manifest is no backup.
//! A restore fetches the files of all nodes, checks every byte, and makes them into the first
//! state of a new cluster ([`restoring`]).
//!
//! What it is not: a way to mend a cluster that lives. Nothing of a backup is ever put into a
//! running node's databases: one that has lost its records comes back by the others
//! (ADR 22), and a single listing comes back as an edit ([`of_listing`]).
//!
//! Invariants kept here:
//! - An object is named by the hash of its content, and no byte of it is used that does not
//!   match.
//! - A manifest is written after everything that it names is durable.
//! - The nodes of a restored cluster begin together, from one state, under a new name: nothing
//!   of the old one counts or gets in.

mod desk;
mod latest;
mod manifest;
mod of_listing;
mod place;
mod restoring;
mod room;
mod s3;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use desk::{BackupDesk, Databases, NotBegun};
pub(crate) use latest::Complete;
pub(crate) use manifest::{FileRecord, Manifest, Part, raised};
pub(crate) use of_listing::{bytes_of, listing_in};
pub(crate) use restoring::{Forward, Plan, Restored, restore};
pub(crate) use s3::S3Settings;
pub(crate) use target::{Target, Work};

/// A node's databases, in the order in which they are copied: bookings first, so that whatever
/// they tell of is in the listings, too.
pub(crate) const DATABASES: [&str; 3] = [
    crate::supervisor::BOOKINGS_FOLDER,
    crate::supervisor::LISTINGS_FOLDER,
    crate::outbound::REGISTERS_FOLDER,
];
