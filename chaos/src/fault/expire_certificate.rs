//! A node runs on after its certificate has expired: what is connected stays so, and nobody
//! takes it in again once it has been cut off.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::error::FaultError;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::link::Impairment;
use crate::until::Looks;

/// How long the certificate is valid: as long as the node may take to start with it.
const VALID: Duration = Duration::from_secs(10);
/// How long peers may take to give a node up that is cut off.
const GIVEN_UP_PATIENCE: Duration = Duration::from_secs(45);
/// How long the node is within reach again, and not taken in, before that says anything:
/// longer than peers wait between two attempts.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// `expire-certificate`: one node of a place gets a certificate that expires in some seconds,
/// and is cut off for a moment after that. In the end it gets a good one, and restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireCertificate {
    /// Which node; the first one of several.
    pub target: Place,
}

impl ExpireCertificate {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (_, nodes) = running_at(&self.target, scene, random).await?;
        let node = nodes[0];
        match expire(scene, node).await {
            Ok(within_reach) => Ok(Struck {
                target: format!("node {node}"),
                nodes: vec![node],
                effect: Box::new(Expired { node, within_reach }),
            }),
            Err(cause) => {
                renew(scene, node).await?;
                Err(cause)
            }
        }
    }
}

/// Has a node run with an expired certificate, and be cut off once; answers since when it is
/// within reach again.
async fn expire(scene: &Scene, node: u64) -> Result<Instant, FaultError> {
    let cluster = scene.own()?;
    cluster.stop_node(node).await?;
    cluster.issue_certificate(node, Some(VALID)).await?;
    let expired = Instant::now() + VALID;
    cluster.start_node(node).await?;
    sleep_until(expired).await;
    let others = cluster.running().into_iter().filter(|other| *other != node);
    let pairs: Vec<(u64, u64)> = others
        .flat_map(|other| [(node, other), (other, node)])
        .collect();
    let laid = cluster.wan().lay(&pairs, Impairment::Cut);
    let mut looks = Looks::new(GIVEN_UP_PATIENCE, "peers that give up a node");
    let given_up = loop {
        if is_connected_to_any(scene, node).await == Some(false) {
            break Ok(());
        }
        if let Err(late) = looks.next().await {
            break Err(late);
        }
    };
    cluster.wan().lift(laid);
    given_up.map_err(|late| FaultError::NotMended {
        late,
        advice: "the machine is too busy for this fault: run it alone",
    })?;
    Ok(Instant::now())
}

async fn renew(scene: &Scene, node: u64) -> Result<(), FaultError> {
    let cluster = scene.own()?;
    cluster.issue_certificate(node, None).await?;
    if cluster.running().contains(&node) {
        cluster.stop_node(node).await?;
    }
    Ok(cluster.start_node(node).await?)
}

/// Whether any other running node is connected to this one, as those say that answer.
async fn is_connected_to_any(scene: &Scene, node: u64) -> Option<bool> {
    let mut heard = false;
    for other in scene.cluster.running() {
        if other == node {
            continue;
        }
        let status = super::asked(scene.cluster.admin(other).ok()?.status())
            .await
            .ok()?;
        let mut peers = status["peers"].as_array()?.iter();
        let peer = peers.find(|peer| peer["node"] == node)?;
        if peer["connected"] == true {
            return Some(true);
        }
        heard = true;
    }
    heard.then_some(false)
}

struct Expired {
    node: u64,
    within_reach: Instant,
}

impl Effect for Expired {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async move {
            let refused = self.within_reach.elapsed() >= REFUSED_FOR
                && scene.cluster.running().contains(&self.node)
                && is_connected_to_any(scene, self.node).await == Some(false);
            let (node, seconds) = (self.node, REFUSED_FOR.as_secs());
            refused.then(|| {
                format!(
                    "node {node} runs with an expired certificate, and within reach of all \
                     nobody has taken it in for {seconds} s"
                )
            })
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { renew(scene, self.node).await }.boxed()
    }
}
