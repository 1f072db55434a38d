//! What faults of a node's files have in common: the node dies, a file is damaged, and the
//! node is started on it. It is expected to refuse and to say why, or to go on without what
//! was damaged; the run's checkers say whether it lost anything that it had acknowledged.

use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::{FaultError, system};
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::Without;

/// A database of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Database {
    /// Documents and the change log.
    Listings,
    /// Raft logs, votes and ledgers.
    Bookings,
}

impl Database {
    const fn folder(self) -> &'static str {
        match self {
            Self::Listings => "listings",
            Self::Bookings => "bookings",
        }
    }

    const fn without(self) -> Without {
        match self {
            Self::Listings => Without::Both,
            Self::Bookings => Without::Bookings,
        }
    }
}

/// Kills one node of a place, damages a file of a database, and starts the node on it.
pub(super) async fn begin(
    (target, database): (&Place, Database),
    extension: &str,
    damage: impl FnOnce(&Path, &mut StdRng) -> std::io::Result<String>,
    scene: &Scene,
    random: &mut StdRng,
) -> Result<Struck, FaultError> {
    let (_, nodes) = running_at(target, scene, random).await?;
    let node = nodes[0];
    let cluster = scene.own()?;
    let folder = cluster.node(node)?.data().join(database.folder());
    cluster.kill_node(node).await?;
    let damaged = newest(&folder, extension)
        .and_then(|file| Ok((damage(&file, random)?, file)))
        .map_err(system(format!("damaging {}", folder.display())));
    let (what, file) = match damaged {
        Ok(damaged) => damaged,
        Err(cause) => {
            cluster.start_node(node).await?;
            return Err(cause);
        }
    };
    let refused = cluster.try_start_node(node).await?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let then = match &refused {
        Some(why) => format!("the node refuses: {why}"),
        None => "the node goes on".to_owned(),
    };
    Ok(Struck {
        target: format!("node {node}"),
        nodes: vec![node],
        effect: Box::new(Damaged {
            node,
            database,
            seen: format!("{}/{name}: {what}; {then}", database.folder()),
        }),
    })
}

struct Damaged {
    node: u64,
    database: Database,
    seen: String,
}

impl Effect for Damaged {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async { Some(self.seen.clone()) }.boxed()
    }

    /// What an operator does: whoever refuses comes back without its records.
    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            let cluster = scene.own()?;
            if cluster.has_ended(self.node) {
                let without = self.database.without();
                cluster.rejoin(self.node, without).await?;
                cluster.start_node(self.node).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// The newest file of a kind that has anything in it: RocksDB numbers them.
fn newest(folder: &Path, extension: &str) -> std::io::Result<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let of_kind = file
            .path()
            .extension()
            .is_some_and(|kind| kind == extension);
        if of_kind && file.metadata()?.len() > 0 {
            files.push(file.path());
        }
    }
    let none = || std::io::Error::other(format!("there is no .{extension} with anything in it"));
    files.into_iter().max().ok_or_else(none)
}
