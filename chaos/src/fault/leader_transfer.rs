//! Leaders hand over to another voter, as an operator may ask them to.

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::place::leader_of;
use super::scene::Scene;
use super::struck::{Effect, Struck};
use super::wish;

/// Listings whose leaders hand over at once.
const LISTINGS_MAX: usize = 16;

/// `leader-transfer`: every listing in use is led by another of its voters. Over at once:
/// leaders that are not at their listing's home go home by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderTransfer {}

impl LeaderTransfer {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let mut wanted = Vec::new();
        for listing in scene.listings.iter().take(LISTINGS_MAX) {
            wanted.push(successor(listing, scene, random).await);
        }
        // All at once: each waits for a voter to catch up, and for an election.
        let offers = wanted.into_iter().map(|one| hand_over(one, scene));
        let mut handed = Vec::new();
        let mut first = Err(FaultError::NoLeader);
        for offered in join_all(offers).await {
            match offered {
                Ok(one) => handed.push(one),
                Err(FaultError::NoLeader) => {}
                Err(cause) => first = first.or(Err(cause)),
            }
        }
        if handed.is_empty() {
            return first;
        }
        let mut nodes: Vec<u64> = handed.iter().flat_map(|one| [one.from, one.to]).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Ok(Struck {
            target: format!("leaders of {} listings", handed.len()),
            nodes,
            effect: Box::new(HandedOver(handed)),
        })
    }
}

/// A leadership that went elsewhere.
struct Handed {
    listing: String,
    from: u64,
    to: u64,
    /// The term of the new leader.
    term: u64,
}

struct HandedOver(Vec<Handed>);

impl Effect for HandedOver {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async move {
            let mut seen = Vec::new();
            for one in &self.0 {
                if has_led(scene, one).await {
                    seen.push(format!("{} → {}", one.from, one.to));
                }
            }
            let said = || {
                format!(
                    "led by whom it was handed to, as that says: {}",
                    seen.join(", ")
                )
            };
            (!seen.is_empty()).then(said)
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, _scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async { Ok(()) }.boxed()
    }
}

/// Another voter of a listing, by chance, that runs, and who leads now.
async fn successor(
    listing: &str,
    scene: &Scene,
    random: &mut StdRng,
) -> Result<Handed, FaultError> {
    let from = leader_of(scene, listing).await;
    let from = from.ok_or(FaultError::NoLeader)?;
    let group = super::asked(scene.cluster.admin(from)?.group(listing)).await;
    let group = group.map_err(|cause| wish::failed("asking who votes", cause))?;
    let running = scene.cluster.running();
    let voters = group["voters"].as_array().into_iter().flatten();
    let others: Vec<u64> = voters
        .filter_map(serde_json::Value::as_u64)
        .filter(|voter| *voter != from && running.contains(voter))
        .collect();
    let nobody = || FaultError::NobodyThere("the other voters".to_owned());
    Ok(Handed {
        listing: listing.to_owned(),
        from,
        to: others.choose(random).copied().ok_or_else(nobody)?,
        term: 0,
    })
}

/// Has the leader hand over.
async fn hand_over(
    wanted: Result<Handed, FaultError>,
    scene: &Scene,
) -> Result<Handed, FaultError> {
    let wanted = wanted?;
    let admin = scene.cluster.admin(wanted.from)?;
    let led = admin.transfer(&wanted.listing, wanted.to).await;
    let led = led.map_err(|cause| wish::failed("handing over", cause))?;
    Ok(Handed {
        term: led["term"].as_u64().unwrap_or_default(),
        ..wanted
    })
}

/// Whether who was to lead knows of the term in which it does.
async fn has_led(scene: &Scene, one: &Handed) -> bool {
    let Ok(admin) = scene.cluster.admin(one.to) else {
        return false;
    };
    let group = super::asked(admin.group(&one.listing)).await;
    group.is_ok_and(|group| one.term > 0 && group["term"].as_u64() >= Some(one.term))
}
