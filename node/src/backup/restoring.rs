//! A new cluster out of a backup.
//!
//! Everything is built in a folder beside, and gets its name when it is whole: an interrupted
//! restore leaves nothing that a node could start on. The new cluster has another name than
//! the old one, so that certificates of the old one open nothing in it, and none of its nodes,
//! wherever it may have survived, can speak to a node that was set back.
//!
//! To a moment between two backups, the earlier one is taken forward by the logs in the later one
//! (ADR 63): its databases stand beside for so long ([`forward`]).

mod forward;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use meridian_consensus::{BookingsCopy, Levelled, level};
use meridian_regions::{ClusterName, NodeId, Topology};
use meridian_replication::{Awaited, Replayed};
use meridian_transport::NodeIdentity;

use super::room::ensure_room;
use super::{FileRecord, Manifest, Part, Target};
use crate::data_folder::{DataFolder, ForgottenTime};
use crate::supervisor::BOOKINGS_FOLDER;

pub(crate) use forward::Forward;

/// The map of the new cluster, for all nodes.
const MAP: &str = "topology.toml";
/// What the folder is called until it is whole.
const UNFINISHED: &str = "unfinished";
/// Where the databases of a later backup stand meanwhile.
const LATER: &str = "later";

/// What is to be restored, and as what.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) manifest: Manifest,
    /// Name of the new cluster.
    pub(crate) cluster: ClusterName,
    /// The moment to which it is taken forward, and the later backup that tells what came by then.
    pub(crate) forward: Option<Forward>,
    /// Where the nodes' data folders come to stand; not there yet.
    pub(crate) into: PathBuf,
}

impl Plan {
    /// Checks what can be checked before anything is fetched.
    ///
    /// # Errors
    /// The old cluster's name, or a folder that is there.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let Self {
            manifest,
            cluster,
            into,
            ..
        } = self;
        ensure!(
            cluster.as_str() != manifest.cluster,
            "a restored cluster needs a name of its own: a node of cluster {cluster} that is \
             still there somewhere would speak to it, and has a later past. Choose another name, \
             and make certificates for it by `meridian cert`"
        );
        ensure!(
            !into.exists(),
            "{} is there already: name a folder that is not",
            into.display()
        );
        ensure!(!manifest.parts.is_empty(), "the backup has no nodes");
        manifest.topology()?;
        let forward = self.forward.as_ref();
        forward.map_or(Ok(()), |forward| forward.check(manifest))
    }

    /// Files that are fetched.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileRecord> {
        let later = self.forward.iter().flat_map(Forward::files);
        self.manifest.files().chain(later)
    }

    /// Of when something may be missing: behind the moment that was reached for every listing, up
    /// to now. Nodes copy their databases at the beginning of a backup and send them for as long
    /// as it takes, so that nothing is sure from its beginning on.
    fn forgotten(&self, replayed: &Replayed) -> anyhow::Result<ForgottenTime> {
        let reached = self.forward.as_ref().filter(|_| replayed.short == 0);
        let after = reached.map_or(self.manifest.began_at, |forward| forward.at);
        let ms = |time: Timestamp| u64::try_from(time.as_millisecond());
        Ok(ForgottenTime {
            after_ms: ms(after)?,
            before_ms: ms(Timestamp::now())?,
        })
    }

    fn map(&self) -> anyhow::Result<String> {
        let mut map: toml::Table = self.manifest.map.parse()?;
        map.insert("cluster".to_owned(), self.cluster.as_str().into());
        let epoch = map.get("epoch").and_then(toml::Value::as_integer);
        // Plans of moves that were under way belong to the earlier epoch.
        map.insert("epoch".to_owned(), (epoch.unwrap_or(0) + 1).into());
        let text = map.to_string();
        Topology::from_toml(&text).context("the map in the backup")?;
        Ok(text)
    }
}

/// What a restore has made.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) levelled: Levelled,
    /// Changes of listings that later backups had.
    pub(crate) replayed: Replayed,
    /// What changes of listings wait for, and no copy has.
    pub(crate) awaited: Awaited,
}

/// Fetches everything, checks every byte, and makes the data folders of a new cluster; tells
/// `each` of every file that has come.
///
/// # Errors
/// A damaged backup, above all: nothing is left that could be started.
pub(crate) async fn restore(
    target: &Target,
    plan: &Plan,
    mut each: impl FnMut(&FileRecord),
) -> anyhow::Result<Restored> {
    plan.check()?;
    let map = plan.map()?;
    let unfinished = plan.into.with_added_extension(UNFINISHED);
    let later = plan.into.with_added_extension(LATER);
    for folder in [&unfinished, &later] {
        ensure!(
            !folder.exists(),
            "{} is there: another restore is under way, or has died; in that case remove it",
            folder.display()
        );
    }
    let parent = plan.into.parent().filter(|parent| parent != &Path::new(""));
    let parent = parent.unwrap_or(Path::new("."));
    ensure_room(parent, plan.files().map(|file| file.bytes).sum())?;
    let built = async {
        for part in &plan.manifest.parts {
            fetch(target, (part, part.files.iter()), &unfinished, &mut each).await?;
        }
        if let Some(forward) = &plan.forward {
            for part in &forward.manifest.parts {
                let files = part.files.iter().filter(|file| Forward::needs(file));
                fetch(target, (part, files), &later, &mut each).await?;
            }
        }
        found(plan, (&unfinished, &later), &map).await
    };
    let built = built.await;
    // What is left of them is of no use to anybody.
    let _ = fs::remove_dir_all(&later);
    let restored = match built {
        Ok(restored) => restored,
        Err(cause) => {
            let _ = fs::remove_dir_all(&unfinished);
            return Err(cause);
        }
    };
    fs::rename(&unfinished, &plan.into)
        .with_context(|| format!("cannot make {}", plan.into.display()))?;
    sync_folder(parent)?;
    Ok(restored)
}

fn folder_of(node: NodeId, under: &Path) -> PathBuf {
    under.join(format!("node-{node}"))
}

async fn fetch(
    target: &Target,
    (part, files): (&Part, impl Iterator<Item = &FileRecord>),
    under: &Path,
    each: &mut impl FnMut(&FileRecord),
) -> anyhow::Result<()> {
    let folder = folder_of(part.node, under);
    for file in files {
        file.check()?;
        let database = folder.join(&file.database);
        fs::create_dir_all(&database)
            .with_context(|| format!("cannot make {}", database.display()))?;
        let into = database.join(&file.name);
        let fetched = target.fetch(file, Some(&into)).await;
        fetched.with_context(|| format!("{} of node {}", file.name, part.node))?;
        each(file);
    }
    Ok(())
}

/// Makes the folders into those of a new cluster's nodes.
async fn found(plan: &Plan, (under, later): (&Path, &Path), map: &str) -> anyhow::Result<Restored> {
    let parts = &plan.manifest.parts;
    let life = DataFolder::fresh_life();
    let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
    let forward = plan.forward.as_ref();
    let until = forward.map(|forward| forward.until(later)).transpose()?;
    let levelled = level(bookings(parts, under), until, &life, now_ms).await?;
    let topology = Topology::from_toml(map)?;
    let (replayed, awaited) = match forward {
        Some(forward) => forward.replay(parts, &topology, (under, later)).await?,
        None => <(Replayed, Awaited)>::default(),
    };
    let forgotten = plan.forgotten(&replayed)?;
    for part in parts {
        let Some(node) = topology.node(part.node) else {
            bail!("the map in the backup has no node {}", part.node);
        };
        let identity = NodeIdentity {
            cluster: plan.cluster.clone(),
            region: node.region.clone(),
            node: node.id,
        };
        let folder = folder_of(part.node, under);
        let level = topology.format_level();
        DataFolder::restored(&folder, &identity, (&life, level), forgotten)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                sync_folder(&entry.path())?;
            }
        }
        sync_folder(&folder)?;
    }
    found_missing(plan, under, (&topology, forgotten))?;
    let mut file = File::create_new(under.join(MAP))?;
    file.write_all(map.as_bytes())?;
    file.sync_all()?;
    sync_folder(under)?;
    Ok(Restored {
        levelled,
        replayed,
        awaited,
    })
}

/// Makes the folders of nodes that are not in the backup.
fn found_missing(
    plan: &Plan,
    under: &Path,
    (topology, forgotten): (&Topology, ForgottenTime),
) -> anyhow::Result<()> {
    for id in &plan.manifest.missing {
        let node = topology.nodes().iter().find(|node| node.id.get() == *id);
        let node = node.with_context(|| format!("the map in the backup has no node {id}"))?;
        let identity = NodeIdentity {
            cluster: plan.cluster.clone(),
            region: node.region.clone(),
            node: node.id,
        };
        let folder = folder_of(node.id, under);
        fs::create_dir_all(&folder)?;
        DataFolder::missing(&folder, &identity, topology.format_level(), forgotten)?;
        sync_folder(&folder)?;
    }
    Ok(())
}

fn bookings(parts: &[Part], under: &Path) -> Vec<BookingsCopy> {
    let copies = parts.iter().map(|part| BookingsCopy {
        node: part.node,
        folder: folder_of(part.node, under).join(BOOKINGS_FOLDER),
    });
    copies.collect()
}

fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let opened = File::open(folder).and_then(|folder| folder.sync_all());
    opened.with_context(|| format!("cannot make {} durable", folder.display()))
}
