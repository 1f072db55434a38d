//! Nodes stand still, and go on later as if nothing had been: what a long garbage collection
//! or a moved virtual machine does.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::place::{Place, running_at};
use super::process;
use super::scene::Scene;
use super::struck::{Effect, Struck};

/// `pause`: the nodes of a place stop (SIGSTOP) and continue (SIGCONT). Their sockets stay
/// open meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Which nodes.
    pub target: Place,
}

impl Pause {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let paused = Paused(process::of(scene, &nodes)?);
        for (node, pid) in &paused.0 {
            if let Err(cause) = process::signal(*node, *pid, Signal::STOP) {
                paused.go_on(scene)?;
                return Err(cause);
            }
        }
        Ok(Struck::at(&place, nodes, paused))
    }
}

struct Paused(Vec<(u64, u32)>);

impl Paused {
    /// Has them continue, except for those that were killed meanwhile.
    fn go_on(&self, scene: &Scene) -> Result<(), FaultError> {
        let mut first = Ok(());
        for (node, pid) in &self.0 {
            if process::is_still(scene, *node, *pid) {
                first = first.and(process::signal(*node, *pid, Signal::CONT));
            }
        }
        first
    }
}

impl Effect for Paused {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async {
            let stopped = |(_, pid): &(u64, u32)| process::state(*pid) == Some('T');
            let said = || format!("stopped, by /proc: {}", process::listed(&self.0));
            self.0.iter().all(stopped).then(said)
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { self.go_on(scene) }.boxed()
    }
}
