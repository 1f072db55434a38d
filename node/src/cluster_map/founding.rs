//! The founding of the control group: once, by all nodes.
//!
//! A founding counts when every node of the map has agreed to it, durably, and a node agrees to
//! one founding alone. So there are never two control groups, whoever began and whatever was
//! lost on the way: what is asked again is agreed to again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::join_all;
use meridian_regions::{
    Genesis, ListingId, Node, NodeId, NodeState, Survival, Topology, control_voters,
};
use meridian_transport::Channel;
use prost::Message;

use super::ClusterMap;
use super::file::{Charted, Stage};
use super::wire::{Answer, Asked, Question, Sheet, Told};

/// Time for a node to agree: a small file, made durable.
const DEADLINE: Duration = Duration::from_secs(5);

impl ClusterMap {
    /// Founds the control group over the map that this node runs by. May be repeated, at this
    /// node or another.
    ///
    /// # Errors
    /// Who has not agreed, and why. Nothing is founded then, and it can be tried again.
    pub(crate) async fn found(&self) -> anyhow::Result<Charted> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let map = Topology::clone(self.running());
        let founding = Charted {
            genesis: genesis(&map)?,
            stage: Stage::Agreed,
            map,
        };
        let sheet = Sheet::from(&founding);
        // This node, too, agrees to no other from now on.
        self.agree(&sheet).await?;
        let living = founding.map.nodes().iter();
        let others = living
            .filter(|node| node.state != NodeState::Removed && node.id != self.inner.node)
            .map(|node| self.ask_to_agree(node.id, &sheet));
        let refused = join_all(others).await.into_iter().filter_map(Result::err);
        let refused: Vec<String> = refused.map(|cause| format!("{cause:#}")).collect();
        if !refused.is_empty() {
            bail!(
                "not founded: every node must agree. {}. Mend that and run it again",
                refused.join("; ")
            );
        }
        let founded = Charted {
            stage: Stage::Founded,
            ..founding
        };
        self.adopt(founded.clone()).await?;
        self.announce().await;
        Ok(founded)
    }

    async fn ask_to_agree(&self, node: NodeId, sheet: &Sheet) -> anyhow::Result<()> {
        let asked = Asked {
            question: Some(Question::Founding(sheet.clone())),
        };
        let request = asked.encode_to_vec().into();
        let mesh = &self.inner.mesh;
        let reply = mesh.call(node, Channel::Layout, request, DEADLINE).await;
        let reply = reply.with_context(|| format!("node {node} does not answer"))?;
        match Told::decode(reply).ok().and_then(|told| told.answer) {
            Some(Answer::Agreed(_)) => Ok(()),
            Some(Answer::Refused(why)) => bail!("node {node}: {why}"),
            _ => bail!("node {node} is of an earlier version"),
        }
    }

    /// Agrees to a founding, durably, if this node sees the cluster as it does and has agreed
    /// to no other.
    pub(super) async fn agree(&self, sheet: &Sheet) -> anyhow::Result<()> {
        let (map, sheet) = (self.clone(), sheet.clone());
        let agreed = tokio::task::spawn_blocking(move || map.agree_now(&sheet)).await;
        agreed.context("not agreed")?
    }

    fn agree_now(&self, sheet: &Sheet) -> anyhow::Result<()> {
        let asked = sheet.read(Stage::Agreed)?;
        let mut charted = self.charted();
        if let Some(known) = charted.as_ref() {
            if known.genesis == asked.genesis {
                return Ok(());
            }
            bail!(
                "it has agreed to another founding, of epoch {}",
                known.genesis.map_epoch
            );
        }
        if let Some(differs) = difference(self.running(), &asked.map) {
            bail!("its topology differs: {differs}");
        }
        if asked.genesis != genesis(&asked.map)? {
            bail!("it would name other voters: all nodes must run the same version");
        }
        asked.write(&self.inner.folder)?;
        *charted = Some(asked);
        Ok(())
    }
}

/// Who votes on a map at first: what every node of it works out alike.
fn genesis(map: &Topology) -> anyhow::Result<Genesis> {
    let voters = control_voters(map, &BTreeSet::new());
    let first = voters.first().and_then(|voter| map.node(*voter));
    let first = first.context("no node is active")?;
    Ok(Genesis {
        listing: ListingId::of_control(first.region.clone()),
        survival: Survival::Region,
        map_epoch: map.epoch(),
        created_by: first.id,
        voters,
    })
}

/// In what two topology files differ, but for addresses: each may be written for its reader.
fn difference(mine: &Topology, other: &Topology) -> Option<String> {
    if mine.cluster() != other.cluster() {
        return Some(format!(
            "cluster {} and {}",
            mine.cluster(),
            other.cluster()
        ));
    }
    if mine.epoch() != other.epoch() {
        return Some(format!("epoch {} and {}", mine.epoch(), other.epoch()));
    }
    if mine.region_voters() != other.region_voters() {
        return Some("region_voters".to_owned());
    }
    if mine.format_level() != other.format_level() {
        return Some("format_level".to_owned());
    }
    if mine.regions() != other.regions() {
        return Some("the regions".to_owned());
    }
    let place = |node: &Node| (node.region.clone(), node.zone.clone(), node.state);
    let stands = |map: &Topology, id| map.node(id).map(place);
    let all = mine.nodes().iter().chain(other.nodes());
    let mut differing = all
        .map(|node| node.id)
        .filter(|id| stands(mine, *id) != stands(other, *id));
    differing.next().map(|id| format!("node {id}"))
}
