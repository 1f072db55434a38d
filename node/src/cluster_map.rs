//! The cluster's map as the cluster itself keeps it: in the log of one small Raft group, with
//! a copy in every node's data folder (ADR 52).
//!
//! A change is an entry of the control group's log, at the next epoch. Nodes tell each other
//! of later maps; one that has a later map begins anew by it, in its turn, without leaving its
//! process. A cluster that nobody has founded goes by its topology files, as before.
//!
//! Kept here: there is one control group for ever, because every node has agreed to it and to
//! no other; a node never goes back to an earlier map; a map comes from the log or from a node
//! that has it from there.
//!
//! Not here: what a change does to a map (`meridian_regions::Change`), and how bookings are
//! moved when nodes go (`moves.rs`).

mod change;
mod condition;
mod file;
mod founding;
#[cfg(test)]
mod fuzz;
mod join;
mod moving;
mod plan;
mod spread;
#[cfg(test)]
mod tests;
mod turn;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use bytes::Bytes;
use meridian_regions::{Genesis, NodeId, NodeState, Topology};
use meridian_transport::{Mesh, NodeIdentity};
use prost::Message;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::booking::BookingDesk;
use crate::config::Config;
use crate::formats;

pub(crate) use change::{LayoutFault, Standing};
pub(crate) use condition::Condition;
pub(crate) use file::{Charted, Stage};
pub(crate) use join::join;
pub(crate) use moving::{Course, moves_after};
pub(crate) use plan::{Surveyed, survey};

use condition::Conditions;
use file::{hex, unhex};
use wire::{Answer, Asked, Nothing, Question, Sheet, Told};

/// Handle to what a node knows of the map, and to the group that keeps it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ClusterMap {
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeId,
    folder: PathBuf,
    /// The map that this node runs by.
    running: Arc<Topology>,
    /// What its file says. Held while the file is written.
    charted: Mutex<Option<Charted>>,
    /// Epoch of the map in the file, once it is founded; 0 before.
    epoch: watch::Sender<u64>,
    /// Who is known to have a later map.
    ahead: Mutex<Option<NodeId>>,
    /// Wakes the task that asks for it.
    ask: Notify,
    conditions: Conditions,
    mesh: Mesh,
    desk: BookingDesk,
}

impl ClusterMap {
    /// # Errors
    /// A file that is damaged.
    pub(crate) fn open(
        config: &Config,
        running: &Arc<Topology>,
        (mesh, desk): (&Mesh, &BookingDesk),
    ) -> anyhow::Result<Self> {
        let folder = &config.node.data_dir;
        let charted = Charted::read(folder)?;
        let epoch = charted.as_ref().map_or(0, Charted::founded_epoch);
        Ok(Self {
            inner: Arc::new(Inner {
                node: config.node.id,
                folder: folder.clone(),
                running: Arc::clone(running),
                charted: Mutex::new(charted),
                epoch: watch::Sender::new(epoch),
                ahead: Mutex::default(),
                ask: Notify::new(),
                conditions: Conditions::default(),
                mesh: mesh.clone(),
                desk: desk.clone(),
            }),
        })
    }

    /// Who votes on the map at first; `None` before the founding.
    pub(crate) fn genesis(&self) -> Option<Genesis> {
        let charted = self.charted();
        let founded = charted.as_ref().filter(|one| one.stage == Stage::Founded);
        founded.map(|one| one.genesis.clone())
    }

    /// The map as its file has it; `None` before the founding.
    pub(crate) fn known(&self) -> Option<Charted> {
        self.charted()
            .clone()
            .filter(|one| one.stage == Stage::Founded)
    }

    /// The map that this node runs by.
    pub(crate) fn running(&self) -> &Arc<Topology> {
        &self.inner.running
    }

    /// Answers what another node asks, and says how this one is.
    pub(crate) async fn serve(&self, from: NodeId, request: &Bytes, own: Condition) -> Bytes {
        let asked = Asked::decode(request.clone());
        let answer = match asked.ok().and_then(|asked| asked.question) {
            Some(Question::Founding(sheet)) => match self.agree(&sheet).await {
                Ok(()) => Answer::Agreed(Nothing {}),
                Err(cause) => Answer::Refused(format!("{cause:#}")),
            },
            Some(Question::LaterThan(epoch)) => self.later_than(from, epoch),
            None => Answer::Refused("a question of a later version".to_owned()),
        };
        let told = Told {
            answer: Some(answer),
            condition: Some(own.into()),
        };
        told.encode_to_vec().into()
    }

    fn later_than(&self, from: NodeId, epoch: u64) -> Answer {
        let known = self.known();
        let mine = known.as_ref().map_or(0, Charted::founded_epoch);
        if epoch > mine {
            *self.ahead() = Some(from);
            self.inner.ask.notify_one();
        }
        match known.filter(|_| mine > epoch) {
            Some(known) => Answer::Map(Sheet::from(&known)),
            None => Answer::NoLater(Nothing {}),
        }
    }

    /// Takes a map over if it is later than what is here. Durable when it returns.
    ///
    /// # Errors
    /// A map of another cluster or founding, or the disk.
    async fn adopt(&self, later: Charted) -> anyhow::Result<()> {
        let map = self.clone();
        let adopted = tokio::task::spawn_blocking(move || map.adopt_now(later)).await;
        adopted.context("a map was not taken over")?
    }

    fn adopt_now(&self, later: Charted) -> anyhow::Result<()> {
        let inner = &self.inner;
        if later.map.cluster() != inner.running.cluster() {
            bail!("a map of cluster {}", later.map.cluster());
        }
        let mut charted = self.charted();
        if let Some(known) = charted.as_ref() {
            if known.genesis != later.genesis {
                bail!("a map of another founding: both must not go on, see the runbook");
            }
            if later.founded_epoch() <= known.founded_epoch() {
                return Ok(());
            }
        }
        later.write(&inner.folder)?;
        let epoch = later.founded_epoch();
        tracing::info!(epoch, "the cluster's map is a later one");
        *charted = Some(later);
        inner.epoch.send_replace(epoch);
        Ok(())
    }

    fn charted(&self) -> MutexGuard<'_, Option<Charted>> {
        let charted = self.inner.charted.lock();
        charted.unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self) -> MutexGuard<'_, Option<NodeId>> {
        let ahead = self.inner.ahead.lock();
        ahead.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charted {
    /// Epoch of the map if it is founded, else 0.
    fn founded_epoch(&self) -> u64 {
        match self.stage {
            Stage::Founded => self.map.epoch(),
            Stage::Agreed => 0,
        }
    }

    /// What the operator API shows of it, and [`Charted::from_json`] reads.
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!({"genesis": hex(&self.genesis.encode()), "map": self.map})
    }

    /// What another node's operator API has shown.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn from_json(shown: &Value) -> anyhow::Result<Self> {
        let genesis = shown["genesis"].as_str();
        let genesis =
            genesis.context("that cluster keeps no map yet: run `meridian init` first")?;
        let map: Topology = serde_json::from_value(shown["map"].clone()).context("no map")?;
        Ok(Self {
            genesis: Genesis::decode(&unhex(genesis)?)?,
            stage: Stage::Founded,
            map: Topology::from_toml(&map.to_toml())?,
        })
    }
}

/// The map that a node starts by: its cluster's own, if it has been founded, else that of the
/// topology file.
///
/// # Errors
/// A file that cannot be read, or neither of them.
pub(crate) fn to_start_by(config: &Config) -> anyhow::Result<Topology> {
    if let Some(founded) = founded(config)? {
        return Ok(founded.map);
    }
    let path = &config.cluster.topology;
    if path.as_os_str().is_empty() {
        bail!(
            "node {} has neither a topology file nor its cluster's map: set cluster.topology, or join by `meridian start --join URL` with the operator API of any node of the cluster",
            config.node.id
        );
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the topology {}", path.display()))?;
    Topology::from_toml(&text).with_context(|| path.display().to_string())
}

/// Where it is written.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn written_in(config: &Config) -> anyhow::Result<PathBuf> {
    Ok(match founded(config)? {
        Some(_) => config.node.data_dir.join(file::FILE),
        None => config.cluster.topology.clone(),
    })
}

fn founded(config: &Config) -> anyhow::Result<Option<Charted>> {
    let charted = Charted::read(&config.node.data_dir)?;
    Ok(charted.filter(|one| one.stage == Stage::Founded))
}

/// Checks that a map has a node as its configuration and certificate have it.
///
/// # Errors
/// What does not agree, and what to do.
pub(crate) fn check_member(
    topology: &Topology,
    config: &Config,
    identity: &NodeIdentity,
) -> anyhow::Result<()> {
    formats::check(config, topology, identity)?;
    let epoch = topology.epoch();
    let Some(member) = topology.node(identity.node) else {
        bail!(
            "node {} is not in the cluster's map (epoch {epoch}): add it by `meridian layout add-node` and `apply`, or, where the cluster goes by topology files, add a [[nodes]] table for it on every node",
            identity.node
        );
    };
    if member.region != config.node.region || member.zone != config.node.zone {
        bail!(
            "the map (epoch {epoch}) has node {} in {} / {}, its configuration says {} / {}",
            identity.node,
            member.region,
            member.zone,
            config.node.region,
            config.node.zone
        );
    }
    if member.state == NodeState::Removed {
        bail!(
            "node {} has been removed from the cluster (epoch {epoch}): a node that comes back is a new node with a new id",
            identity.node
        );
    }
    Ok(())
}
