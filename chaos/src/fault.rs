//! What can be broken about a cluster, one file each.
//!
//! A scenario names faults ([`FaultSpec`]); a run goes through them so:
//!
//! 1. [`precheck`] before anything starts: what this machine or this cluster does not allow
//!    is refused there, with what to do about it, and not in the middle of a run.
//! 2. [`settings`] are laid over every node's configuration, [`prepare`] goes between
//!    [`LocalCluster::prepare`](crate::LocalCluster::prepare) and its launch: disks must be
//!    there before nodes are.
//! 3. [`begin`] strikes, [`confirm`] says how that was seen from outside, and may be asked
//!    again until it was; [`end`] mends. Faults overlap as they please: each takes back what
//!    it did and nothing else.
//!
//! What it is not: a schedule, and a judgement. `every_s` and `for_s` are the run's to keep.

mod background;
mod bandwidth;
mod burst_loss;
mod cgroup;
mod clock;
mod corrupt;
mod cut;
mod damage;
mod delay;
mod disk_error;
mod disk_full;
mod disks;
mod drain;
mod duplicate;
mod error;
mod expire_certificate;
mod flipped_byte;
mod jitter;
mod kill;
mod laid;
mod leader_transfer;
mod links;
mod loss;
mod mended;
mod mtu;
mod needs;
mod overload;
mod partition;
mod pause;
mod place;
mod power_cut;
mod process;
mod rebalance;
mod region_loss;
mod rejoin;
mod reorder;
mod rolling_restart;
mod rotate_certificates;
mod scene;
mod share;
mod slow_cpu;
mod slow_fsync;
mod spec;
mod struck;
mod topology;
mod torn_tail;
mod wish;

use std::time::Duration;

use meridian_client::CallError;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::struck::Work;
use crate::layout::WanPlan;
use crate::until::Looks;

/// How long a fault may take to be seen once its work is done: nodes that were restarted last find
/// their peers again.
const SEEN_PATIENCE: Duration = Duration::from_secs(15);

pub use bandwidth::Throttle;
pub use burst_loss::BurstLoss;
pub use clock::{ClockDrift, ClockJump, EitherWay};
pub use corrupt::Corrupt;
pub use cut::Cut;
pub use damage::Database;
pub use delay::Delay;
pub use disk_error::DiskError;
pub use disk_full::DiskFull;
pub use drain::Drain;
pub use duplicate::Duplicate;
pub use error::FaultError;
pub use expire_certificate::ExpireCertificate;
pub use flipped_byte::{DataFile, FlippedByte};
pub use jitter::Jitter;
pub use kill::Kill;
pub use leader_transfer::LeaderTransfer;
pub use links::{Links, Ways};
pub use loss::Lose;
pub use mtu::BlackHole;
pub use needs::{Needs, unavailable};
pub use overload::Overload;
pub use partition::{Partition, Shape};
pub use pause::Pause;
pub use place::Place;
pub use power_cut::PowerCut;
pub use rebalance::Rebalance;
pub use region_loss::RegionLoss;
pub use rejoin::{Records, Rejoin};
pub use reorder::HoldBack;
pub use rolling_restart::{Going, RollingRestart};
pub use rotate_certificates::{RotateCertificates, Signer};
pub use scene::Scene;
pub use share::Share;
pub use slow_cpu::{Percent, SlowCpu};
pub use slow_fsync::SlowFsync;
pub use spec::FaultSpec;
pub use struck::Struck;
pub use topology::{State, Topology};
pub use torn_tail::TornTail;

/// What is broken: a TOML table with a `kind` and what that kind takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fault {
    /// Some datagrams take longer than others.
    Jitter(Jitter),
    /// Datagrams take longer.
    Delay(Delay),
    /// Datagrams are lost, each for itself.
    Loss(Lose),
    /// Datagrams are lost in bursts.
    BurstLoss(BurstLoss),
    /// Datagrams come twice.
    Duplicate(Duplicate),
    /// Datagrams overtake one another.
    Reorder(HoldBack),
    /// Of datagrams a bit is flipped.
    Corrupt(Corrupt),
    /// Little passes in a second.
    Bandwidth(Throttle),
    /// Long datagrams vanish.
    Mtu(BlackHole),
    /// Nothing passes, one way or both.
    Cut(Cut),
    /// The cluster falls into parts.
    Partition(Partition),
    /// Nodes die as by `kill -9`, and start again on their files.
    Kill(Kill),
    /// A region is gone, and comes back on its files.
    RegionLoss(RegionLoss),
    /// Nodes stand still, and go on.
    Pause(Pause),
    /// Nodes get little of the processor.
    SlowCpu(SlowCpu),
    /// Nodes restart one after the other.
    RollingRestart(RollingRestart),
    /// The power is cut: what was not fsynced is lost.
    PowerCut(PowerCut),
    /// There is no room left.
    DiskFull(DiskFull),
    /// Every write and fsync fails.
    DiskError(DiskError),
    /// Writes and fsyncs take their time.
    SlowFsync(SlowFsync),
    /// The end of a write-ahead log is lost.
    TornTail(TornTail),
    /// A byte of a file is another one.
    FlippedByte(FlippedByte),
    /// A node is freed of all groups.
    Drain(Drain),
    /// Groups are moved to where placement would put them now.
    Rebalance(Rebalance),
    /// More is asked than can be answered.
    Overload(Overload),
    /// Clocks are ahead or behind.
    ClockJump(ClockJump),
    /// Clocks go too fast, or too slowly.
    ClockDrift(ClockDrift),
    /// Leaders hand over.
    LeaderTransfer(LeaderTransfer),
    /// A node comes back without its records.
    Rejoin(Rejoin),
    /// A node joins, or leaves for good.
    Topology(Topology),
    /// All nodes get new certificates.
    RotateCertificates(RotateCertificates),
    /// A node's certificate expires.
    ExpireCertificate(ExpireCertificate),
}

impl Fault {
    /// Its kind, as scenarios name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jitter(_) => "jitter",
            Self::Delay(_) => "delay",
            Self::Loss(_) => "loss",
            Self::BurstLoss(_) => "burst-loss",
            Self::Duplicate(_) => "duplicate",
            Self::Reorder(_) => "reorder",
            Self::Corrupt(_) => "corrupt",
            Self::Bandwidth(_) => "bandwidth",
            Self::Mtu(_) => "mtu",
            Self::Cut(_) => "cut",
            Self::Partition(_) => "partition",
            Self::Kill(_) => "kill",
            Self::RegionLoss(_) => "region-loss",
            Self::Pause(_) => "pause",
            Self::SlowCpu(_) => "slow-cpu",
            Self::RollingRestart(_) => "rolling-restart",
            Self::PowerCut(_) => "power-cut",
            Self::DiskFull(_) => "disk-full",
            Self::DiskError(_) => "disk-error",
            Self::SlowFsync(_) => "slow-fsync",
            Self::TornTail(_) => "torn-tail",
            Self::FlippedByte(_) => "flipped-byte",
            Self::Drain(_) => "drain",
            Self::Rebalance(_) => "rebalance",
            Self::Overload(_) => "overload",
            Self::ClockJump(_) => "clock-jump",
            Self::ClockDrift(_) => "clock-drift",
            Self::LeaderTransfer(_) => "leader-transfer",
            Self::Rejoin(_) => "rejoin",
            Self::Topology(_) => "topology",
            Self::RotateCertificates(_) => "rotate-certificates",
            Self::ExpireCertificate(_) => "expire-certificate",
        }
    }
}

/// Whether all of these can be struck on this machine, in a cluster of this plan.
///
/// # Errors
/// [`FaultError`] of the first that cannot, and what to do about it.
pub fn precheck(specs: &[FaultSpec], plan: &WanPlan) -> Result<(), FaultError> {
    for spec in specs {
        match &spec.fault {
            Fault::Jitter(fault) => fault.links.check(plan)?,
            Fault::Delay(fault) => fault.links.check(plan)?,
            Fault::Loss(fault) => fault.links.check(plan)?,
            Fault::BurstLoss(fault) => fault.links.check(plan)?,
            Fault::Duplicate(fault) => fault.links.check(plan)?,
            Fault::Reorder(fault) => fault.links.check(plan)?,
            Fault::Corrupt(fault) => fault.links.check(plan)?,
            Fault::Bandwidth(fault) => fault.links.check(plan)?,
            Fault::Mtu(fault) => fault.links.check(plan)?,
            Fault::Cut(fault) => fault.links.check(plan)?,
            Fault::Partition(fault) => fault.check(plan)?,
            Fault::Kill(fault) => fault.target.check(plan)?,
            Fault::RegionLoss(fault) => fault.region.check(plan)?,
            Fault::Pause(fault) => fault.target.check(plan)?,
            Fault::SlowCpu(fault) => fault.target.check(plan)?,
            Fault::RollingRestart(fault) => fault.target.check(plan)?,
            Fault::PowerCut(fault) => disks::check("power-cut", &fault.target, plan)?,
            Fault::DiskFull(fault) => disks::check("disk-full", &fault.target, plan)?,
            Fault::DiskError(fault) => disks::check("disk-error", &fault.target, plan)?,
            Fault::SlowFsync(fault) => disks::check("slow-fsync", &fault.target, plan)?,
            Fault::TornTail(fault) => fault.target.check(plan)?,
            Fault::FlippedByte(fault) => fault.target.check(plan)?,
            Fault::Drain(fault) => fault.target.check(plan)?,
            Fault::Rebalance(fault) => fault.check(plan)?,
            Fault::Overload(fault) => fault.target.check(plan)?,
            Fault::ClockJump(fault) => fault.target.check(plan)?,
            Fault::ClockDrift(fault) => fault.target.check(plan)?,
            Fault::Rejoin(fault) => fault.target.check(plan)?,
            Fault::Topology(fault) => fault.target.check(plan)?,
            Fault::ExpireCertificate(fault) => fault.target.check(plan)?,
            Fault::LeaderTransfer(_) | Fault::RotateCertificates(_) => {}
        }
    }
    Ok(())
}

/// What nodes must be told so that all of these can be struck: `section.key=value`.
#[must_use]
pub fn settings(specs: &[FaultSpec]) -> Vec<String> {
    let sets_clock = |fault: &Fault| matches!(fault, Fault::ClockJump(_) | Fault::ClockDrift(_));
    let allowed = specs.iter().any(|spec| sets_clock(&spec.fault));
    let allowed = allowed.then(|| "chaos.enabled=true".to_owned());
    allowed.into_iter().collect()
}

/// Makes ready what must be there before nodes are: disks of their own. To be called
/// between [`LocalCluster::prepare`](crate::LocalCluster::prepare) and its launch.
///
/// # Errors
/// [`FaultError`] of files and of the system.
pub async fn prepare(specs: &[FaultSpec], scene: &Scene) -> Result<(), FaultError> {
    for spec in specs {
        match &spec.fault {
            Fault::PowerCut(fault) => disks::give(&fault.target, scene).await?,
            Fault::DiskFull(fault) => disks::give(&fault.target, scene).await?,
            Fault::SlowFsync(fault) => disks::give(&fault.target, scene).await?,
            Fault::DiskError(fault) => disks::give(&fault.target, scene).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Strikes. What is left open, as in `any` or `leader`, is chosen now.
///
/// # Errors
/// [`FaultError`]; nothing is broken then, or it was mended again.
pub async fn begin(
    fault: &Fault,
    scene: &Scene,
    random: &mut StdRng,
) -> Result<Struck, FaultError> {
    match fault {
        Fault::Jitter(fault) => laid::begin(fault, scene, random).await,
        Fault::Delay(fault) => laid::begin(fault, scene, random).await,
        Fault::Loss(fault) => laid::begin(fault, scene, random).await,
        Fault::BurstLoss(fault) => laid::begin(fault, scene, random).await,
        Fault::Duplicate(fault) => laid::begin(fault, scene, random).await,
        Fault::Reorder(fault) => laid::begin(fault, scene, random).await,
        Fault::Corrupt(fault) => laid::begin(fault, scene, random).await,
        Fault::Bandwidth(fault) => laid::begin(fault, scene, random).await,
        Fault::Mtu(fault) => laid::begin(fault, scene, random).await,
        Fault::Cut(fault) => laid::begin(fault, scene, random).await,
        Fault::Partition(fault) => fault.begin(scene, random).await,
        Fault::Kill(fault) => fault.begin(scene, random).await,
        Fault::RegionLoss(fault) => fault.begin(scene, random).await,
        Fault::Pause(fault) => fault.begin(scene, random).await,
        Fault::SlowCpu(fault) => fault.begin(scene, random).await,
        Fault::RollingRestart(fault) => fault.begin(scene, random).await,
        Fault::PowerCut(fault) => fault.begin(scene, random).await,
        Fault::DiskFull(fault) => fault.begin(scene, random).await,
        Fault::DiskError(fault) => fault.begin(scene, random).await,
        Fault::SlowFsync(fault) => fault.begin(scene, random).await,
        Fault::TornTail(fault) => fault.begin(scene, random).await,
        Fault::FlippedByte(fault) => fault.begin(scene, random).await,
        Fault::Drain(fault) => fault.begin(scene, random).await,
        Fault::Rebalance(fault) => fault.begin(scene, random).await,
        Fault::Overload(fault) => fault.begin(scene, random).await,
        Fault::ClockJump(fault) => fault.begin(scene, random).await,
        Fault::ClockDrift(fault) => fault.begin(scene, random).await,
        Fault::LeaderTransfer(fault) => fault.begin(scene, random).await,
        Fault::Rejoin(fault) => fault.begin(scene, random).await,
        Fault::Topology(fault) => fault.begin(scene, random).await,
        Fault::RotateCertificates(fault) => fault.begin(scene).await,
        Fault::ExpireCertificate(fault) => fault.begin(scene, random).await,
    }
}

/// How a fault was seen, from outside, to have taken effect; `None` if it was not yet: a
/// link shows what it does only to datagrams that come.
pub async fn confirm(struck: &Struck, scene: &Scene) -> Option<String> {
    struck.effect.confirm(scene).await
}

/// How a fault whose time is over was seen, once the work of it is done that is always done to its
/// end: a slow machine takes longer than a scenario has planned, and what it did was not less.
pub async fn confirm_done(struck: &Struck, scene: &Scene) -> Option<String> {
    let patience = match struck.effect.done().await {
        Work::None => Duration::ZERO,
        Work::Done => SEEN_PATIENCE,
    };
    let mut looks = Looks::new(patience, "the fault is seen");
    loop {
        let seen = confirm(struck, scene).await;
        if seen.is_some() || looks.next().await.is_err() {
            return seen;
        }
    }
}

/// Mends what a fault has broken, and waits until it is mended.
///
/// # Errors
/// [`FaultError`]; what can be mended was.
pub async fn end(struck: Struck, scene: &Scene) -> Result<(), FaultError> {
    struck.effect.end(scene).await
}

/// How long a node may take to tell something about itself. One that is broken may take
/// for ever.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// What a node says about itself, if it says it soon.
async fn asked(answer: impl Future<Output = Result<Value, CallError>>) -> Result<Value, CallError> {
    let late = |_| Err(CallError::Unknown("no answer in time".to_owned()));
    tokio::time::timeout(ANSWER_PATIENCE, answer)
        .await
        .unwrap_or_else(late)
}

#[cfg(test)]
mod tests;
