//! The cluster as its operator wrote it down: regions, nodes, addresses.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{ClusterName, FormatLevel, NodeId, RegionId, ZoneId};

/// Mean radius of the Earth (IUGG), in kilometres.
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// Why a topology is refused. Each message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// Not TOML, or with unknown, missing or wrong keys.
    #[error("the topology cannot be read: {0}")]
    Syntax(String),
    /// No region or no node.
    #[error("the topology has no {0}: add at least one [[{0}]] table")]
    Empty(&'static str),
    /// A region that stands twice.
    #[error("region {0} stands twice in the topology: give each region one table")]
    RegionTwice(RegionId),
    /// A node that stands twice. Ids are never reused, not even after removal.
    #[error("node {0} stands twice in the topology: a new node takes a number never used before")]
    NodeTwice(NodeId),
    /// A node in a region that is not there.
    #[error("node {node} is in region {region}, which has no [[regions]] table")]
    UnknownRegion {
        /// The node.
        node: NodeId,
        /// The region that it names.
        region: RegionId,
    },
    /// Coordinates off the globe.
    #[error("region {0} lies off the globe: latitude is -90 to 90, longitude -180 to 180")]
    Coordinates(RegionId),
    /// Five voters for each listing, and no nodes for them.
    #[error(
        "region_voters = 5 needs two nodes in each of two regions and one in a third: add nodes, or write 3"
    )]
    FiveVoters,
    /// An address without host or port.
    #[error("node {node} has peer address `{address}`: write it as host:port")]
    Address {
        /// The node.
        node: NodeId,
        /// What stands there.
        address: String,
    },
}

/// How many vote on a listing that survives the loss of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum RegionVoters {
    /// One in each of three regions.
    #[default]
    Three,
    /// Two in each of two regions, the home region first, and one in a third: a node more
    /// may be lost.
    Five,
}

impl From<RegionVoters> for u8 {
    fn from(voters: RegionVoters) -> Self {
        match voters {
            RegionVoters::Three => 3,
            RegionVoters::Five => 5,
        }
    }
}

impl TryFrom<u8> for RegionVoters {
    type Error = String;

    fn try_from(voters: u8) -> Result<Self, String> {
        match voters {
            3 => Ok(Self::Three),
            5 => Ok(Self::Five),
            other => Err(format!("region_voters is {other}: write 3 or 5")),
        }
    }
}

/// A region and where it lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Its name.
    pub id: RegionId,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// Where a node stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Replicating, not yet given voters.
    Joining,
    /// In full service.
    #[default]
    Active,
    /// In service, given no new voters.
    Draining,
    /// Gone for good; its id stays taken.
    Removed,
}

impl NodeState {
    /// Whether a node that stands so is to vote on nothing any more.
    #[must_use]
    pub const fn leaves(self) -> bool {
        matches!(self, Self::Draining | Self::Removed)
    }
}

/// A node and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its number, never used again.
    pub id: NodeId,
    /// Its region.
    pub region: RegionId,
    /// Its failure domain inside the region.
    pub zone: ZoneId,
    /// QUIC address as the reader of this file dials it, `host:port`.
    pub peer: String,
    /// URL of its client API.
    pub api: String,
    /// URL of its operator API.
    pub admin: String,
    /// Where it stands in its life.
    #[serde(default)]
    pub state: NodeState,
}

/// A checked topology. Values cannot be changed, only read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    cluster: ClusterName,
    epoch: u64,
    #[serde(default)]
    region_voters: RegionVoters,
    // Not written at first: releases before levels refuse keys that they do not know.
    #[serde(default, skip_serializing_if = "FormatLevel::is_first")]
    format_level: FormatLevel,
    #[serde(default)]
    regions: Vec<Region>,
    #[serde(default)]
    nodes: Vec<Node>,
}

impl Topology {
    /// Reads and checks a topology file.
    ///
    /// # Errors
    /// [`TopologyError`] says what to change.
    pub fn from_toml(text: &str) -> Result<Self, TopologyError> {
        let topology: Self = toml::from_str(text)
            .map_err(|cause| TopologyError::Syntax(cause.to_string().trim().to_owned()))?;
        topology.check()?;
        Ok(topology)
    }

    /// Name of the cluster.
    #[must_use]
    pub const fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Grows with every change of the file.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many vote on a listing with survival `region`, where there are nodes enough.
    #[must_use]
    pub const fn region_voters(&self) -> RegionVoters {
        self.region_voters
    }

    /// The level of formats that nodes write.
    #[must_use]
    pub const fn format_level(&self) -> FormatLevel {
        self.format_level
    }

    /// Every region, in the file's order.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Every node, removed ones included, in the file's order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by its number.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// A region by its name.
    #[must_use]
    pub fn region(&self, id: &RegionId) -> Option<&Region> {
        self.regions.iter().find(|region| region.id == *id)
    }

    /// Nodes of a region, removed ones included.
    pub fn nodes_in<'a>(&'a self, region: &'a RegionId) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.region == *region)
    }

    /// The same as a file of TOML, as [`Topology::from_toml`] reads it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("names, numbers and lists of tables are TOML")
    }

    pub(crate) const fn regions_mut(&mut self) -> &mut Vec<Region> {
        &mut self.regions
    }

    pub(crate) const fn nodes_mut(&mut self) -> &mut Vec<Node> {
        &mut self.nodes
    }

    pub(crate) const fn set_format_level(&mut self, level: FormatLevel) {
        self.format_level = level;
    }

    pub(crate) const fn advance_epoch(&mut self) {
        self.epoch += 1;
    }

    /// Nodes that may be given voters.
    pub(crate) fn active_in<'a>(&'a self, region: &'a RegionId) -> impl Iterator<Item = &'a Node> {
        self.nodes_in(region)
            .filter(|node| node.state == NodeState::Active)
    }

    /// Regions by great-circle distance from a place (degrees), nearest first, each
    /// with its distance in kilometres.
    #[must_use]
    pub fn regions_by_distance(&self, latitude: f64, longitude: f64) -> Vec<(&Region, f64)> {
        let mut regions: Vec<(&Region, f64)> = self
            .regions
            .iter()
            .map(|region| (region, distance_km(region, latitude, longitude)))
            .collect();
        regions.sort_by(|(one, near), (other, far)| {
            near.total_cmp(far).then_with(|| one.id.cmp(&other.id))
        });
        regions
    }

    pub(crate) fn check(&self) -> Result<(), TopologyError> {
        if self.regions.is_empty() {
            return Err(TopologyError::Empty("regions"));
        }
        if self.nodes.is_empty() {
            return Err(TopologyError::Empty("nodes"));
        }
        let mut names = BTreeSet::new();
        for region in &self.regions {
            if !names.insert(&region.id) {
                return Err(TopologyError::RegionTwice(region.id.clone()));
            }
            if !(region.latitude.abs() <= 90.0 && region.longitude.abs() <= 180.0) {
                return Err(TopologyError::Coordinates(region.id.clone()));
            }
        }
        let mut numbers = BTreeSet::new();
        for node in &self.nodes {
            if !numbers.insert(node.id) {
                return Err(TopologyError::NodeTwice(node.id));
            }
            if !names.contains(&node.region) {
                return Err(TopologyError::UnknownRegion {
                    node: node.id,
                    region: node.region.clone(),
                });
            }
            if !is_host_and_port(&node.peer) {
                return Err(TopologyError::Address {
                    node: node.id,
                    address: node.peer.clone(),
                });
            }
        }
        if self.region_voters == RegionVoters::Five && !self.has_room_for_five() {
            return Err(TopologyError::FiveVoters);
        }
        Ok(())
    }

    fn has_room_for_five(&self) -> bool {
        let nodes = |region: &Region| {
            let nodes = self.nodes_in(&region.id);
            nodes
                .filter(|node| node.state != NodeState::Removed)
                .count()
        };
        let sizes = self.regions.iter().map(nodes);
        let (pairs, all) = sizes.fold((0, 0), |(pairs, all), size| {
            (pairs + usize::from(size > 1), all + usize::from(size > 0))
        });
        pairs > 1 && all > 2
    }
}

fn is_host_and_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

/// Great-circle distance by the haversine formula.
fn distance_km(region: &Region, latitude: f64, longitude: f64) -> f64 {
    let (from, to) = (region.latitude.to_radians(), latitude.to_radians());
    let across = (to - from) / 2.0;
    let along = (longitude - region.longitude).to_radians() / 2.0;
    let chord = across.sin().powi(2) + from.cos() * to.cos() * along.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
pub(crate) mod tests;
