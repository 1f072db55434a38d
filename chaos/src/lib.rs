//! Breaking a cluster on purpose, and judging what came of it.
//!
//! A link emulator stands between the regions of a cluster of real processes on
//! this machine; a run drives it, cuts it, races for its nights, heals it, and ends
//! in a verdict by checkers that know nothing of how the cluster works.
//!
//! What it is not: it never looks inside a node. It sees what clients and operators
//! see.

mod campaign;
mod check;
mod cluster;
mod crossing;
mod engine;
pub mod fault;
mod history;
pub mod judge;
mod layout;
mod link;
mod live;
mod load;
mod loopback;
mod namespaces;
mod observe;
pub mod record;
mod relay;
pub mod report;
mod scenario;
mod smoke;
mod until;
mod wan;

pub use campaign::{
    Against, CampaignError, CampaignOptions, NetworkKind, Unavailable, run_campaign,
};
pub use check::{
    EditTally, RaceFindings, StandingBooking, Unread, Verdict, Violation, check_bookings_durable,
    check_convergence, check_edits_accepted, check_edits_durable, check_no_quorum, check_races,
    check_readable, check_single_sale,
};
pub use cluster::{
    AttachedCluster, Cluster, ClusterError, ClusterOptions, Deed, LocalCluster, Network,
    PaymentBalance, RunningNode, SandboxProvider,
};
pub use history::{Booked, Edit, History, Links, Outcome, Race, Sale};
pub use layout::{NodePlan, RegionPlan, WanPlan};
pub use link::{Bandwidth, Burst, Impairment, Lateness, LinkModel, LinkState, Reorder, Traffic};
pub use live::{LiveSample, LiveWorkload};
pub use load::{Kind, Pace, Workload};
pub use loopback::own_loopback;
pub use namespaces::{Namespaces, NoNamespaces};
pub use scenario::{ClusterSpec, RunSpec, Scenario, ScenarioError};
pub use smoke::{Latency, RegionReport, SmokeError, SmokeOptions, SmokeReport, run_smoke};
pub use until::{NotInTime, until};
pub use wan::{Laid, NodePair, Wan};
