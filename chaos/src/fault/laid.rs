//! What all faults of links have in common: an impairment over directions, and the counts of
//! the link emulator that show it.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;

use super::error::FaultError;
use super::links::Links;
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::link::{Impairment, LinkState, Traffic};
use crate::wan::{Laid, NodePair, Wan};

/// A fault that is an impairment over links.
pub(super) trait Impairs {
    fn links(&self) -> &Links;
    fn impairment(&self) -> Impairment;
}

/// Lays it over its links.
pub(super) async fn begin(
    fault: &impl Impairs,
    scene: &Scene,
    random: &mut StdRng,
) -> Result<Struck, FaultError> {
    let (settled, pairs) = fault.links().settle(scene, random).await?;
    over_pairs(settled.title(), pairs, fault.impairment(), scene)
}

/// Lays an impairment over directions.
pub(super) fn over_pairs(
    target: String,
    pairs: Vec<NodePair>,
    impairment: Impairment,
    scene: &Scene,
) -> Result<Struck, FaultError> {
    let wan = scene.own()?.wan();
    let before = pairs.iter().map(|pair| counted(wan, *pair)).collect();
    let laid = wan.lay(&pairs, impairment);
    let mut nodes: Vec<u64> = pairs.iter().flat_map(|(from, to)| [*from, *to]).collect();
    nodes.sort_unstable();
    nodes.dedup();
    Ok(Struck {
        target,
        nodes,
        effect: Box::new(OverLinks {
            pairs,
            before,
            impairment,
            laid,
        }),
    })
}

struct OverLinks {
    pairs: Vec<NodePair>,
    before: Vec<Traffic>,
    impairment: Impairment,
    laid: Laid,
}

impl Effect for OverLinks {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        let seen = scene
            .own()
            .ok()
            .and_then(|cluster| self.seen(cluster.wan()));
        async move { seen }.boxed()
    }

    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            scene.own()?.wan().lift(self.laid);
            Ok(())
        }
        .boxed()
    }
}

impl OverLinks {
    fn seen(&self, wan: &Wan) -> Option<String> {
        let since: Vec<Traffic> = self
            .pairs
            .iter()
            .zip(&self.before)
            .map(|(pair, before)| counted(wan, *pair).since(before))
            .collect();
        let of = |count: fn(&Traffic) -> u64| since.iter().map(count).collect::<Vec<u64>>();
        match self.impairment {
            Impairment::Delay(_) | Impairment::Jitter(_) => self.slower(wan, &since),
            // What strikes all datagrams shows in every direction.
            Impairment::Cut => everywhere("cut off", &of(|traffic| traffic.cut)),
            Impairment::Loss(_) => anywhere("lost", &of(|traffic| traffic.lost)),
            Impairment::Burst(_) => {
                anywhere("lost in bursts", &of(|traffic| traffic.lost_in_burst))
            }
            Impairment::Duplicate(_) => anywhere("doubled", &of(|traffic| traffic.duplicated)),
            Impairment::Reorder(_) => anywhere("overtaken", &of(|traffic| traffic.reordered)),
            Impairment::Corrupt(_) => anywhere("corrupted", &of(|traffic| traffic.corrupted)),
            Impairment::Bandwidth(_) => anywhere(
                "kept waiting for the bandwidth",
                &of(|traffic| traffic.queued),
            ),
            Impairment::Mtu(_) => anywhere(
                "lost because they were too long",
                &of(|traffic| traffic.too_long),
            ),
        }
    }

    /// Datagrams take, on average, at least what the models say less half of what was
    /// added: those that were under way before take less.
    fn slower(&self, wan: &Wan, since: &[Traffic]) -> Option<String> {
        let mut shown = Vec::new();
        for (pair, traffic) in self.pairs.iter().zip(since) {
            let (Some(model), Some(mean)) = (wan.model(*pair), traffic.mean_under_way()) else {
                continue;
            };
            // Where another fault lets nothing pass, nothing is seen of this one.
            if model.state == LinkState::Cut {
                continue;
            }
            let slow = match self.impairment {
                Impairment::Delay(added) => mean + added / 2 >= model.delay,
                Impairment::Jitter(most) => mean >= model.delay + most / 4,
                _ => false,
            };
            if !slow {
                return None;
            }
            let (from, to) = pair;
            let millis = mean.as_millis();
            shown.push(format!("{from} → {to} {millis} ms"));
        }
        let said = || format!("mean time under way: {}", shown.join(", "));
        (!shown.is_empty()).then(said)
    }
}

fn counted(wan: &Wan, pair: NodePair) -> Traffic {
    wan.traffic(pair).unwrap_or_default()
}

/// Once every direction has one.
fn everywhere(what: &str, counts: &[u64]) -> Option<String> {
    counts
        .iter()
        .all(|count| *count > 0)
        .then(|| said(what, counts))
}

/// Once any direction has one.
fn anywhere(what: &str, counts: &[u64]) -> Option<String> {
    counts
        .iter()
        .any(|count| *count > 0)
        .then(|| said(what, counts))
}

fn said(what: &str, counts: &[u64]) -> String {
    let (datagrams, directions): (u64, usize) = (counts.iter().sum(), counts.len());
    format!("datagrams {what}: {datagrams} in {directions} directions")
}
