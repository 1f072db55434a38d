//! What can be asked about the cluster's map.

use clap::{Args, Subcommand};
use meridian_regions::{Change, Node, NodeId, NodeState, Region, RegionId, ZoneId};

use super::{AdminArgs, TableArgs};

#[derive(Debug, Args)]
#[command(
    after_help = "Every node must be up, once: each agrees to this founding and to no other. Run it again if one did not answer. From then on nodes and regions come and go by `meridian layout`, and topology files are not read any more."
)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LayoutCommand {
    /// Print the map, and the changes that wait to be applied.
    Show(TableArgs),
    /// Print what the changes that wait will cost: which bookings move, which stop.
    Plan(TableArgs),
    /// Put the changes that wait into force, after printing their plan, and wait until every
    /// node runs by them.
    Apply(LayoutApply),
    /// Forget the changes that wait.
    Revert(TableArgs),
    #[command(flatten)]
    Stage(LayoutChange),
}

#[derive(Debug, Args)]
#[command(after_help = "Ask a node that stays: it sees the bookings of those that go moved.")]
pub(crate) struct LayoutApply {
    /// Apply although some listings lose their quorum for good.
    #[arg(long)]
    pub(crate) accept_loss: bool,
    /// Do not wait until every node runs by the new map.
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LayoutChange {
    /// Stage a new region.
    AddRegion {
        /// Its name.
        region: RegionId,
        /// Degrees north.
        #[arg(long, allow_negative_numbers = true)]
        lat: f64,
        /// Degrees east.
        #[arg(long, allow_negative_numbers = true)]
        lon: f64,
        #[command(flatten)]
        to: AdminArgs,
    },
    /// Stage a new node, under a number never used before.
    AddNode {
        /// Its number.
        node: NodeId,
        /// Its region, which may be staged too.
        #[arg(long)]
        region: RegionId,
        /// Its failure domain inside the region.
        #[arg(long)]
        zone: ZoneId,
        #[command(flatten)]
        at: LayoutAddresses,
        #[command(flatten)]
        to: AdminArgs,
    },
    /// Stage that a node goes on in its life: its bookings move away when it is draining.
    SetState {
        /// Its number.
        node: NodeId,
        /// Where it stands from then on.
        #[arg(value_enum)]
        state: StateName,
        #[command(flatten)]
        to: AdminArgs,
    },
    /// Stage other addresses of a node.
    Readdress {
        /// Its number.
        node: NodeId,
        #[command(flatten)]
        at: LayoutAddresses,
        #[command(flatten)]
        to: AdminArgs,
    },
    /// Stage that a region is lost for good: every node of it is removed, and none may come
    /// back under its number.
    RemoveRegion {
        /// Its name.
        region: RegionId,
        #[command(flatten)]
        to: AdminArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LayoutAddresses {
    /// Where the others dial it, QUIC: `host:port`.
    #[arg(long, value_name = "HOST:PORT")]
    peer: String,
    /// URL of its client API.
    #[arg(long, value_name = "URL")]
    api: String,
    /// URL of its operator API.
    #[arg(long = "node-admin", value_name = "URL")]
    node_admin: String,
}

/// Where a node may be set to stand.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum StateName {
    /// In full service.
    Active,
    /// In service, freed of bookings.
    Draining,
    /// Gone for good; its number stays taken.
    Removed,
}

impl From<StateName> for NodeState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Active => Self::Active,
            StateName::Draining => Self::Draining,
            StateName::Removed => Self::Removed,
        }
    }
}

impl LayoutChange {
    /// Whom to tell, and what.
    pub(crate) fn into_parts(self) -> (AdminArgs, Change) {
        match self {
            Self::AddRegion {
                region,
                lat,
                lon,
                to,
            } => {
                let region = Region {
                    id: region,
                    latitude: lat,
                    longitude: lon,
                };
                (to, Change::AddRegion { region })
            }
            Self::AddNode {
                node,
                region,
                zone,
                at,
                to,
            } => {
                let node = Node {
                    id: node,
                    region,
                    zone,
                    peer: at.peer,
                    api: at.api,
                    admin: at.node_admin,
                    state: NodeState::Active,
                };
                (to, Change::AddNode { node })
            }
            Self::SetState { node, state, to } => {
                let state = state.into();
                (to, Change::SetState { node, state })
            }
            Self::Readdress { node, at, to } => {
                let change = Change::Readdress {
                    node,
                    peer: at.peer,
                    api: at.api,
                    admin: at.node_admin,
                };
                (to, change)
            }
            Self::RemoveRegion { region, to } => (to, Change::RemoveRegion { region }),
        }
    }
}
