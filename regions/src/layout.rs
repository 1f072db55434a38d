//! Changes of the cluster's map: what each does to it, and which are refused.
//!
//! Pure: a map and changes in, the next map out. Who may change it, and in which order
//! changes come, is decided elsewhere: in the log of the cluster's control group (ADR 52).
//!
//! Kept here: an epoch follows the one before it; a node's number is never given again; a
//! node that is removed stays removed; an active node does not begin anew as a joining one; a level of
//! formats is never lowered.

use serde::{Deserialize, Serialize};

use crate::{FormatLevel, Node, NodeId, NodeState, Region, RegionId, Topology, TopologyError};

/// Changes that may wait to be applied together: far more than anybody reads.
pub const CHANGES_MAX: usize = 64;

/// One change of the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// A region comes.
    AddRegion {
        /// The region.
        region: Region,
    },
    /// A node comes, under a number that was never used.
    AddNode {
        /// The node.
        node: Node,
    },
    /// A node goes on in its life: joining, active, draining, removed.
    SetState {
        /// The node.
        node: NodeId,
        /// Where it stands from now on.
        state: NodeState,
    },
    /// A node is reached at other addresses.
    Readdress {
        /// The node.
        node: NodeId,
        /// QUIC address, `host:port`.
        peer: String,
        /// URL of its client API.
        api: String,
        /// URL of its operator API.
        admin: String,
    },
    /// A region is lost for good: every node of it is removed.
    RemoveRegion {
        /// The region. Its name stays: listings have their home there.
        region: RegionId,
    },
}

/// Why a change is refused. Each message says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A region that is not there.
    #[error("there is no region {0}: add it first")]
    NoRegion(RegionId),
    /// A node that is not there.
    #[error("there is no node {0}: `meridian layout show` lists those that are")]
    NoNode(NodeId),
    /// A node that has been removed.
    #[error("node {0} has been removed: what comes back is a new node with a new number")]
    Removed(NodeId),
    /// A node that would begin anew.
    #[error("node {0} is past joining: it can be active, draining or removed")]
    PastJoining(NodeId),
    /// A region that has no nodes left to remove.
    #[error("region {0} has no node that could be removed")]
    RegionEmpty(RegionId),
    /// Nobody would be left.
    #[error("no active node would be left: at least one must stay")]
    NobodyLeft,
    /// Too many at once.
    #[error("more than {CHANGES_MAX} changes at once: apply some of them first")]
    TooMany,
    /// A level that is not later.
    #[error("format level {0} is written already: a level is never lowered")]
    Level(FormatLevel),
    /// Nothing to do.
    #[error("there is no change to apply: stage one first")]
    Nothing,
    /// The map that would come of it is none.
    #[error(transparent)]
    Map(#[from] TopologyError),
}

impl Topology {
    /// The next map: with these changes, in their order, and the next epoch.
    ///
    /// # Errors
    /// [`LayoutError`] names the first change that cannot be, and what to do instead.
    pub fn changed(&self, changes: &[Change]) -> Result<Self, LayoutError> {
        match changes.len() {
            0 => return Err(LayoutError::Nothing),
            many if many > CHANGES_MAX => return Err(LayoutError::TooMany),
            _ => {}
        }
        let mut next = self.clone();
        for change in changes {
            next.change(change)?;
        }
        next.advance_epoch();
        next.check()?;
        let is_active = |node: &Node| node.state == NodeState::Active;
        if !next.nodes().iter().any(is_active) {
            return Err(LayoutError::NobodyLeft);
        }
        Ok(next)
    }

    /// The next map: the same, with a later level of formats. Whether every node speaks it is
    /// for its writer to know.
    ///
    /// # Errors
    /// [`LayoutError::Level`]: a level is never lowered.
    pub fn raised(&self, level: FormatLevel) -> Result<Self, LayoutError> {
        if level <= self.format_level() {
            return Err(LayoutError::Level(self.format_level()));
        }
        let mut next = self.clone();
        next.set_format_level(level);
        next.advance_epoch();
        Ok(next)
    }

    fn change(&mut self, change: &Change) -> Result<(), LayoutError> {
        match change {
            Change::AddRegion { region } => self.regions_mut().push(region.clone()),
            Change::AddNode { node } => {
                if self.region(&node.region).is_none() {
                    return Err(LayoutError::NoRegion(node.region.clone()));
                }
                self.nodes_mut().push(node.clone());
            }
            Change::SetState { node, state } => {
                let node = self.living(*node)?;
                if *state == NodeState::Joining && node.state != NodeState::Joining {
                    return Err(LayoutError::PastJoining(node.id));
                }
                node.state = *state;
            }
            Change::Readdress {
                node,
                peer,
                api,
                admin,
            } => {
                let node = self.living(*node)?;
                node.peer.clone_from(peer);
                node.api.clone_from(api);
                node.admin.clone_from(admin);
            }
            Change::RemoveRegion { region } => self.remove_region(region)?,
        }
        Ok(())
    }

    fn living(&mut self, id: NodeId) -> Result<&mut Node, LayoutError> {
        let node = self.nodes_mut().iter_mut().find(|node| node.id == id);
        let node = node.ok_or(LayoutError::NoNode(id))?;
        match node.state {
            NodeState::Removed => Err(LayoutError::Removed(id)),
            _ => Ok(node),
        }
    }

    fn remove_region(&mut self, region: &RegionId) -> Result<(), LayoutError> {
        if self.region(region).is_none() {
            return Err(LayoutError::NoRegion(region.clone()));
        }
        let nodes = self.nodes_mut().iter_mut();
        let mut living = nodes
            .filter(|node| node.region == *region && node.state != NodeState::Removed)
            .peekable();
        if living.peek().is_none() {
            return Err(LayoutError::RegionEmpty(region.clone()));
        }
        living.for_each(|node| node.state = NodeState::Removed);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
