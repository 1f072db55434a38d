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

mod cut;
mod delay;
mod error;
mod kill;
mod laid;
mod links;
mod place;
mod process;
mod scene;
mod spec;
mod struck;

use std::time::Duration;

use meridian_client::CallError;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::layout::WanPlan;

pub use cut::Cut;
pub use delay::Delay;
pub use error::FaultError;
pub use kill::Kill;
pub use links::{Links, Ways};
pub use place::Place;
pub use scene::Scene;
pub use spec::FaultSpec;
pub use struck::Struck;

/// What is broken: a TOML table with a `kind` and what that kind takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fault {
    /// Datagrams take longer.
    Delay(Delay),
    /// Nothing passes, one way or both.
    Cut(Cut),
    /// Nodes die as by `kill -9`, and start again on their files.
    Kill(Kill),
}

impl Fault {
    /// Its kind, as scenarios name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Cut(_) => "cut",
            Self::Kill(_) => "kill",
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
            Fault::Delay(fault) => fault.links.check(plan)?,
            Fault::Cut(fault) => fault.links.check(plan)?,
            Fault::Kill(fault) => fault.target.check(plan)?,
        }
    }
    Ok(())
}

/// What nodes must be told so that all of these can be struck: `section.key=value`.
#[must_use]
pub fn settings(_specs: &[FaultSpec]) -> Vec<String> {
    Vec::new()
}

/// Makes ready what must be there before nodes are. To be called between
/// [`LocalCluster::prepare`](crate::LocalCluster::prepare) and its launch.
///
/// # Errors
/// [`FaultError`] of files and of the system.
pub async fn prepare(_specs: &[FaultSpec], _scene: &Scene) -> Result<(), FaultError> {
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
        Fault::Delay(fault) => fault.begin(scene, random).await,
        Fault::Cut(fault) => fault.begin(scene, random).await,
        Fault::Kill(fault) => fault.begin(scene, random).await,
    }
}

/// How a fault was seen, from outside, to have taken effect; `None` if it was not yet: a
/// link shows what it does only to datagrams that come.
pub async fn confirm(struck: &Struck, scene: &Scene) -> Option<String> {
    struck.effect.confirm(scene).await
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
