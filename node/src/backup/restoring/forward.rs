//! A moment between two backups: the earlier one, taken forward by the logs in the later one.
//!
//! What it is not: an archive. A log is cut off when its node needs it no more, and what lies
//! before that in no backup is not known; what could not be taken forward is told.

use std::path::Path;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use meridian_consensus::Until;
use meridian_regions::{Shards, Topology, UnixNanos};
use meridian_replication::{Awaited, Member, Replayed, Replica, ReplicaOptions};

use super::{FileRecord, Manifest, Part, bookings, folder_of};
use crate::supervisor::{BOOKINGS_FOLDER, LISTINGS_FOLDER};

/// See the module.
#[derive(Debug)]
pub(crate) struct Forward {
    /// The later backup: everything acknowledged by the moment is in it.
    pub(crate) manifest: Manifest,
    /// The moment.
    pub(crate) at: Timestamp,
}

impl Forward {
    /// Of backups in order of time, the one that tells what came between `base` and a moment.
    pub(crate) fn of(base: &Manifest, later: Vec<Manifest>, at: Timestamp) -> Option<Self> {
        let mut later = later.into_iter();
        let found = later
            .find(|one| one.began_at >= at && one.cluster == base.cluster && one.lacks.is_empty());
        found.map(|manifest| Self { manifest, at })
    }

    /// Checks that the two fit together.
    ///
    /// # Errors
    /// Another level of formats: the earlier folders would get what their level does not know. Or
    /// another map: what came after it names nodes and epochs that the restored one does not have.
    pub(super) fn check(&self, base: &Manifest) -> anyhow::Result<()> {
        let (before, after) = (base.topology()?, self.manifest.topology()?);
        ensure!(
            before.format_level() == after.format_level(),
            "between backups {} and {} the level of formats was raised from {} to {}: restore one \
             of them itself, by --backup",
            base.id,
            self.manifest.id,
            before.format_level(),
            after.format_level()
        );
        ensure!(
            before.epoch() == after.epoch(),
            "between backups {} and {} the map of the cluster was changed, from epoch {} to {}: \
             restore one of them itself, by --backup",
            base.id,
            self.manifest.id,
            before.epoch(),
            after.epoch()
        );
        Ok(())
    }

    /// Whether a file of the later backup is of use.
    pub(super) fn needs(file: &FileRecord) -> bool {
        [BOOKINGS_FOLDER, LISTINGS_FOLDER].contains(&file.database.as_str())
    }

    /// Files of the later backup that are fetched.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileRecord> {
        self.manifest.files().filter(|file| Self::needs(file))
    }

    /// The later bookings.
    pub(super) fn until(&self, later: &Path) -> anyhow::Result<Until> {
        Ok(Until {
            copies: bookings(&self.manifest.parts, later),
            at_ms: u64::try_from(self.at.as_millisecond()).context("a moment before 1970")?,
        })
    }

    /// Takes the listings of all nodes forward.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub(super) async fn replay(
        &self,
        parts: &[Part],
        map: &Topology,
        (under, later): (&Path, &Path),
    ) -> anyhow::Result<(Replayed, Awaited)> {
        // To the nanosecond: what is written in the same millisecond is a write apart.
        let nanos = u64::try_from(self.at.as_nanosecond()).context("a moment before 1970")?;
        let until = UnixNanos::new(nanos);
        let their_map = self.manifest.topology()?;
        let mut sources = Vec::new();
        for part in &self.manifest.parts {
            sources.push(open(part, &their_map, later)?);
        }
        let mut all = Replayed::default();
        for part in parts {
            let replica = open(part, map, under)?;
            let replayed = replica.replay(&sources, until).await;
            let replayed =
                replayed.with_context(|| format!("the listings of node {}", part.node))?;
            all.changes += replayed.changes;
            all.short += replayed.short;
            closed(replica).await;
        }
        for source in sources {
            closed(source).await;
        }
        // Up to a moment, changes have what they stand on, but for logs that were cut off.
        let awaited = match all.short {
            0 => Awaited::default(),
            _ => awaited(parts, map, under).await?,
        };
        Ok((all, awaited))
    }
}

/// What changes of listings wait for that no copy has.
async fn awaited(parts: &[Part], map: &Topology, under: &Path) -> anyhow::Result<Awaited> {
    let mut awaited = Awaited::default();
    for part in parts {
        let replica = open(part, map, under)?;
        let noted = replica.note_awaited(&mut awaited);
        closed(replica).await;
        noted.with_context(|| format!("the listings of node {}", part.node))?;
    }
    for part in parts {
        if awaited.is_empty() {
            break;
        }
        let replica = open(part, map, under)?;
        let struck = replica.strike_out(&mut awaited);
        closed(replica).await;
        struck.with_context(|| format!("the listings of node {}", part.node))?;
    }
    Ok(awaited)
}

fn open(part: &Part, map: &Topology, under: &Path) -> anyhow::Result<Replica> {
    let node = map.node(part.node);
    let node = node.with_context(|| format!("the map in the backup has no node {}", part.node))?;
    let this = Member {
        node: node.id,
        region: node.region.clone(),
        holds: Shards::ALL,
    };
    let folder = folder_of(part.node, under).join(LISTINGS_FOLDER);
    let opened = Replica::open(ReplicaOptions::new(folder, this, Vec::new()));
    opened.with_context(|| format!("the listings of node {}", part.node))
}

/// Lets go of a replica and waits until its database is closed.
async fn closed(replica: Replica) {
    let mut failure = replica.failure();
    drop(replica);
    while failure.changed().await.is_ok() {}
}
