//! A node comes back without its records, as `meridian rejoin` lets it.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::Without;
use crate::until::Looks;

/// How long it may take until the node says that it comes back.
const SEEN_PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take until it is back: each of its groups is moved twice.
const BACK_PATIENCE: Duration = Duration::from_secs(120);

/// `rejoin`: one node of a place stops, its records are set aside, and it starts without
/// them. In the end it is waited for until it has everything again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejoin {
    /// Which node; the first one of several.
    pub target: Place,
    /// What it comes back without.
    #[serde(default)]
    pub without: Records,
}

/// Records of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Records {
    /// Raft logs, votes and ledgers.
    Bookings,
    /// Documents and the change log, too.
    #[default]
    Everything,
}

impl Rejoin {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (_, nodes) = running_at(&self.target, scene, random).await?;
        let (node, cluster) = (nodes[0], scene.own()?);
        let without = match self.without {
            Records::Bookings => Without::Bookings,
            Records::Everything => Without::Both,
        };
        cluster.stop_node(node).await?;
        let emptied = cluster.rejoin(node, without).await;
        cluster.start_node(node).await?;
        emptied?;
        Ok(Struck {
            target: format!("node {node}"),
            nodes: vec![node],
            effect: Box::new(Returning {
                node,
                seen: is_returning(scene, node, SEEN_PATIENCE).await,
            }),
        })
    }
}

struct Returning {
    node: u64,
    /// Whether it has said so.
    seen: bool,
}

impl Effect for Returning {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        let node = self.node;
        let said = format!("node {node} says that it comes back without its records");
        async move { self.seen.then_some(said) }.boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            let admin = scene.cluster.admin(self.node)?;
            let what = format!("node {} has its records again", self.node);
            let mut looks = Looks::new(BACK_PATIENCE, what);
            loop {
                let status = super::asked(admin.status()).await;
                if status.is_ok_and(|status| status["returning"].is_null()) {
                    return Ok(());
                }
                looks.next().await.map_err(|late| FaultError::NotMended {
                    late,
                    advice: "its `returning.last_error` in `meridian status` names what it waits for",
                })?;
            }
        }
        .boxed()
    }
}

async fn is_returning(scene: &Scene, node: u64, patience: Duration) -> bool {
    let Ok(admin) = scene.cluster.admin(node) else {
        return false;
    };
    let mut looks = Looks::new(patience, "a node that says that it comes back");
    loop {
        let status = super::asked(admin.status()).await;
        if status.is_ok_and(|status| status["returning"].is_object()) {
            return true;
        }
        if looks.next().await.is_err() {
            return false;
        }
    }
}
