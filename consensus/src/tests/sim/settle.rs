//! What must come true once everything is mended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meridian_consensus_core::{Applied, Command, Expire, Op};
use meridian_regions::{Genesis, NodeId};
use meridian_simulation::pass;
use tokio::time::Instant;

use super::world::World;
use crate::{Groups, LedgerView, ProposeError};

/// Of virtual time: longer than everything that anybody waits for.
const SETTLE_MAX: Duration = Duration::from_secs(300);
const ROUND: Duration = Duration::from_secs(1);
/// Of virtual time: within this whoever asks one node alone is served.
const ALONE_MAX: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(5);

/// Awaits that every listing is served and that its replicas are the same; looks at the
/// logs then.
pub(super) async fn settle(world: &Arc<World>) {
    let until = Instant::now() + SETTLE_MAX;
    for (listing, genesis) in (0..).zip(&world.listings) {
        if let Err(what) = serve_from(world, genesis, 1 + listing % 3).await {
            world.stuck(format!("listing {listing}: {what}"));
        }
        match settle_one(world, genesis, until).await {
            Ok(views) => {
                let mut history = world.history();
                for (id, view) in views {
                    history.finals.insert((listing, id), view.ledger);
                }
            }
            Err(what) => world.stuck(format!("listing {listing}: {what}")),
        }
    }
    // What is applied can be read before it is written, and is told once it is.
    pass(ROUND).await;
    for id in 1..=3 {
        if let Some((groups, _)) = world.reach(id) {
            world.look(id, &groups);
            world.look_at_feed(id, &groups);
        }
        if let Some(store) = world.store_of(id) {
            world.look_at_logs(id, &store);
        }
    }
}

/// Asks one node, and whom it names: somebody whose region reaches no other node's clients
/// must be served too.
async fn serve_from(world: &World, genesis: &Genesis, first: u64) -> Result<(), String> {
    let until = Instant::now() + ALONE_MAX;
    let mut last = None;
    while Instant::now() < until {
        let mut asked = Some(first);
        // One that is behind names one that has led before: each is asked once.
        for _ in 1..=3 {
            let Some(id) = asked.take() else { break };
            match world.ask(id, |groups| expire(groups, genesis)).await {
                Some(Ok(_)) => return Ok(()),
                Some(Err(ProposeError::NotLeader { leader })) => {
                    asked = leader.map(NodeId::get);
                }
                answer => last = answer,
            }
        }
        pass(ROUND).await;
    }
    Err(format!("node {first} serves nobody, and says {last:?}"))
}

/// A command that changes nothing that anybody sees.
async fn expire(groups: Groups, genesis: &Genesis) -> Result<Applied, ProposeError> {
    let nothing = Command::new(Op::Expire(Expire {}), None);
    groups.propose(genesis, nothing, DEADLINE).await
}

async fn settle_one(
    world: &World,
    genesis: &Genesis,
    until: Instant,
) -> Result<BTreeMap<u64, LedgerView>, String> {
    let mut answered = false;
    let mut views = BTreeMap::new();
    while Instant::now() < until {
        // Whoever has missed the last commit hears of it at the next.
        for id in 1..=3 {
            let proposed = world.ask(id, |groups| expire(groups, genesis));
            answered |= matches!(proposed.await, Some(Ok(_)));
        }
        pass(ROUND).await;
        views = local(world, genesis);
        let mut bytes = views
            .values()
            .map(|view| (view.applied_index, view.ledger.encode()));
        let first = bytes.next();
        if answered && views.len() == 3 && bytes.all(|other| Some(&other) == first.as_ref()) {
            return Ok(views);
        }
    }
    let applied: Vec<_> = views
        .iter()
        .map(|(id, view)| (id, view.applied_index))
        .collect();
    Err(format!(
        "not settled (answered: {answered}), applied {applied:?}"
    ))
}

fn local(world: &World, genesis: &Genesis) -> BTreeMap<u64, LedgerView> {
    let views = (1..=3).filter_map(|id| {
        let (groups, _) = world.reach(id)?;
        Some((id, groups.local(&genesis.listing).ok()?))
    });
    views.collect()
}
