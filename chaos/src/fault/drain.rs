//! A node is freed of all groups, as before it is taken away.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use meridian_client::{AdminClient, CallError};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::FaultError;
use super::place::{Place, running_at};
use super::scene::Scene;
use super::struck::{Effect, Struck};
use super::wish::{self, Wish};

/// `drain`: one node of a place votes on nothing any more, as a node beside it sees to. In
/// the end the wish is taken back: what was moved stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Which node; the first one of several.
    pub target: Place,
}

impl Drain {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (_, nodes) = running_at(&self.target, scene, random).await?;
        let node = nodes[0];
        let mut others = scene.cluster.running();
        others.retain(|other| *other != node);
        let asked = others.choose(random).copied();
        let nobody = || FaultError::NobodyThere("the rest of the cluster".to_owned());
        let asked = asked.ok_or_else(nobody)?;
        let admin = scene.cluster.admin(asked)?;
        wish::said("asking for a drain", super::asked(admin.drain(node)).await)?;
        Ok(Struck {
            target: format!("node {node}"),
            nodes: vec![node],
            effect: Box::new(Draining { node, asked }),
        })
    }
}

struct Draining {
    node: u64,
    asked: u64,
}

impl Effect for Draining {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        wish::moved(self, scene).boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { wish::give_up(&*self, scene).await }.boxed()
    }
}

impl Wish for Draining {
    fn asked(&self) -> u64 {
        self.asked
    }

    async fn all(&self, admin: &AdminClient) -> Result<Value, CallError> {
        Ok(admin.drains().await?["drains"].take())
    }

    fn is_it(&self, wish: &Value) -> bool {
        wish["node"] == self.node
    }

    async fn give_up(&self, admin: &AdminClient) -> Result<(), CallError> {
        admin.give_up_drain(self.node).await
    }
}
