//! Whoever breaks things, one after the other, and mends them again.

use std::sync::Arc;
use std::time::Duration;

use meridian_simulation::{Rng, pass};

use super::links::Cut;
use super::node::how;
use super::world::World;

/// How far an ill clock may jump, in milliseconds: within what its peers accept, and
/// beyond it.
const JUMPS_MS: [i64; 5] = [-5_000, -300, 300, 2_000, 8_000];

/// Breaks things until there is enough, and leaves nothing broken behind but nodes that
/// are about to start again.
pub(super) async fn run(world: Arc<World>) {
    let mut rng = world.fork();
    let nodes = world.plan.regions.len() as u64;
    while !world.enough.is_cancelled() {
        let (from, until) = world.plan.calm_ms;
        pass(rng.millis(from, until)).await;
        if world.enough.is_cancelled() {
            return;
        }
        let (id, lasts) = (rng.within(1, nodes + 1), rng.millis(200, 6_000));
        match rng.within(0, 100) {
            0..25 => cut_off_region(&world, id, &mut rng, lasts).await,
            25..45 => cut_one_way(&world, id, &mut rng, lasts).await,
            45..55 => cut_pair(&world, id, &mut rng, lasts).await,
            55..75 => world.crash_for_a_while(id),
            75..82 => crash_all(&world, &mut rng).await,
            82..92 => jump(&world, &mut rng, lasts).await,
            _ => pass(lasts).await,
        }
    }
}

fn kind(rng: &mut Rng) -> Cut {
    if rng.chance(400) {
        Cut::Silent
    } else {
        Cut::Loud
    }
}

async fn cut(world: &World, ways: Vec<(u64, u64)>, how: Cut, lasts: Duration) {
    world.tell(format!("cut {how:?}: {ways:?}, for {lasts:?}"));
    for (from, to) in &ways {
        world.state().links.cut(*from, *to, how);
    }
    pass(lasts).await;
    for (from, to) in &ways {
        world.state().links.mend(*from, *to);
    }
    world.tell(format!("mended: {ways:?}"));
}

/// The nodes of one region reach one another and nobody else.
async fn cut_off_region(world: &World, id: u64, rng: &mut Rng, lasts: Duration) {
    let region = world.member(id).region;
    let (inside, outside): (Vec<u64>, Vec<u64>) = world
        .plan
        .nodes()
        .partition(|node| world.member(*node).region == region);
    let ways = inside.iter().flat_map(|from| {
        let ways = outside.iter();
        ways.flat_map(|to| [(*from, *to), (*to, *from)])
    });
    cut(world, ways.collect(), kind(rng), lasts).await;
}

fn next(world: &World, id: u64) -> u64 {
    1 + id % world.plan.regions.len() as u64
}

async fn cut_one_way(world: &World, id: u64, rng: &mut Rng, lasts: Duration) {
    cut(world, vec![(id, next(world, id))], kind(rng), lasts).await;
}

/// Two nodes hear of one another through the others alone.
async fn cut_pair(world: &World, id: u64, rng: &mut Rng, lasts: Duration) {
    let other = next(world, id);
    cut(world, vec![(id, other), (other, id)], kind(rng), lasts).await;
}

async fn crash_all(world: &Arc<World>, rng: &mut Rng) {
    let how = how(rng.chance(world.plan.power_cut));
    for id in world.plan.nodes() {
        world.crash(id, how);
    }
    pass(rng.millis(10, 1_000)).await;
    for id in world.plan.nodes() {
        pass(rng.millis(0, 300)).await;
        world.start_node(id);
    }
}

async fn jump(world: &World, rng: &mut Rng, lasts: Duration) {
    let Some(ill) = world.plan.ill_clock else {
        return;
    };
    world.set_clock(ill, *rng.pick(&JUMPS_MS));
    pass(lasts).await;
    world.set_clock(ill, 0);
}
