//! Groups are moved to where placement would put them now.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use meridian_client::{AdminClient, CallError};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::FaultError;
use super::place::Place;
use super::scene::Scene;
use super::struck::{Effect, Struck};
use super::wish::{self, Wish};
use crate::layout::WanPlan;

/// `rebalance`: as after a node was added, or drained and is wanted again. In the end the
/// wish is taken back, if it is not fulfilled yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebalance {
    /// Within which region; everywhere by default.
    #[serde(default)]
    pub region: Option<String>,
}

impl Rebalance {
    pub(super) fn check(&self, plan: &WanPlan) -> Result<(), FaultError> {
        let region = self.region.clone().map(Place::Region);
        region.map_or(Ok(()), |region| region.check(plan))
    }

    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let asked = scene.cluster.running().choose(random).copied();
        let nobody = || FaultError::NobodyThere("the cluster".to_owned());
        let asked = asked.ok_or_else(nobody)?;
        let admin = scene.cluster.admin(asked)?;
        let wished = super::asked(admin.rebalance(self.region.as_deref())).await;
        wish::said("asking for a rebalance", wished)?;
        let place = self.region.clone().map_or(Place::All, Place::Region);
        Ok(Struck {
            target: place.title(),
            nodes: place.nodes(scene.cluster.plan()),
            effect: Box::new(Rebalancing {
                region: self.region.clone(),
                asked,
            }),
        })
    }
}

struct Rebalancing {
    region: Option<String>,
    asked: u64,
}

impl Effect for Rebalancing {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        wish::moved(self, scene).boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move { wish::give_up(&*self, scene).await }.boxed()
    }
}

impl Wish for Rebalancing {
    fn asked(&self) -> u64 {
        self.asked
    }

    async fn all(&self, admin: &AdminClient) -> Result<Value, CallError> {
        Ok(admin.rebalances().await?["rebalances"].take())
    }

    fn is_it(&self, wish: &Value) -> bool {
        wish["region"].as_str() == self.region.as_deref()
    }

    async fn give_up(&self, admin: &AdminClient) -> Result<(), CallError> {
        admin.give_up_rebalance(self.region.as_deref()).await
    }
}
