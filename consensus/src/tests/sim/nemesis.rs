//! Whoever breaks things, one after the other, and mends them again.

use std::sync::Arc;
use std::time::Duration;

use meridian_simulation::{Rng, pass};

use super::links::Cut;
use super::node::Crash;
use super::plan::Focus;
use super::world::World;

/// How far an ill clock may jump, in milliseconds: past what a quorum accepts, past a
/// hold, past the life of a key.
const JUMPS_MS: [u64; 4] = [300, 5_000, 3_600_000, 26 * 3_600_000];

/// How often a turncoat changes sides.
const SIDES: u32 = 6;
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Breaks things until there is enough, and leaves nothing broken behind but nodes that
/// are about to start again.
pub(super) async fn run(world: Arc<World>) {
    let mut rng = world.fork();
    while !world.enough.is_cancelled() {
        let (from, until) = world.plan.calm_ms;
        pass(rng.millis(from, until)).await;
        if world.enough.is_cancelled() {
            return;
        }
        let (id, lasts) = (rng.within(1, 4), rng.millis(200, 6_000));
        match world.plan.focus {
            Focus::Everything => {}
            Focus::Ballots => {
                turncoat(&world, id, &mut rng).await;
                continue;
            }
            // What these worlds suffer from is in their plans.
            Focus::Naps | Focus::Crowd => {
                world.enough.cancelled().await;
                return;
            }
        }
        match rng.within(0, 100) {
            0..30 => cut_off(&world, id, &mut rng, lasts).await,
            30..45 => cut_one_way(&world, id, &mut rng, lasts).await,
            45..57 => world.crash_for_a_while(id),
            57..65 => bridge(&world, id, lasts * 2).await,
            65..75 => {
                world.stop_node(id).await;
                pass(lasts).await;
                world.start_node(id);
            }
            75..80 => crash_all(&world, &mut rng).await,
            80..90 => jump(&world, &mut rng, lasts).await,
            // Time enough for everything to fall asleep.
            _ => pass(world.plan.idle * 3).await,
        }
    }
}

fn how(rng: &mut Rng) -> Cut {
    if rng.chance(400) {
        Cut::Silent
    } else {
        Cut::Loud
    }
}

async fn cut_off(world: &World, id: u64, rng: &mut Rng, lasts: Duration) {
    let how = how(rng);
    for other in (1..=3).filter(|other| *other != id) {
        let mut state = world.state();
        state.links.cut(id, other, how);
        state.links.cut(other, id, how);
    }
    world.feel();
    pass(lasts).await;
    for other in (1..=3).filter(|other| *other != id) {
        let mut state = world.state();
        state.links.mend(id, other);
        state.links.mend(other, id);
    }
    world.feel();
}

async fn cut_one_way(world: &World, id: u64, rng: &mut Rng, lasts: Duration) {
    let to = 1 + id % 3;
    let how = how(rng);
    world.state().links.cut(id, to, how);
    world.feel();
    pass(lasts).await;
    world.state().links.mend(id, to);
    world.feel();
}

/// Two nodes hear of one another through the third alone, which forgets what it can.
async fn bridge(world: &World, id: u64, lasts: Duration) {
    let (one, other) = (1 + id % 3, 1 + (id + 1) % 3);
    {
        let mut state = world.state();
        state.links.cut(one, other, Cut::Loud);
        state.links.cut(other, one, Cut::Loud);
        state.doomed = Some(id);
    }
    world.feel();
    pass(lasts).await;
    {
        let mut state = world.state();
        state.links.mend(one, other);
        state.links.mend(other, one);
        state.doomed = None;
    }
    world.feel();
}

/// A node meets the other two in turn, never both, and changes sides whenever it has
/// lost its power over a promise: whoever forgets a vote gives it again.
async fn turncoat(world: &World, id: u64, rng: &mut Rng) {
    let mut sides = (1 + id % 3, 1 + (id + 1) % 3);
    world.state().doomed = Some(id);
    for _ in 0..SIDES {
        let (friend, foe) = sides;
        {
            let mut state = world.state();
            for (one, other) in [(friend, foe), (id, foe)] {
                state.links.cut(one, other, Cut::Loud);
                state.links.cut(other, one, Cut::Loud);
            }
            state.links.mend(id, friend);
            state.links.mend(friend, id);
        }
        world.feel();
        let crashes = world.crashes(id);
        let mut patience = rng.within(20, 200);
        while world.crashes(id) == crashes && patience > 0 {
            pass(LOOK_EVERY).await;
            patience -= 1;
        }
        // What it has promised arrives.
        pass(rng.millis(2, 60)).await;
        sides = (foe, friend);
    }
    let mut state = world.state();
    state.doomed = None;
    state.links.mend_all();
    drop(state);
    world.feel();
}

async fn crash_all(world: &Arc<World>, rng: &mut Rng) {
    let how = if rng.chance(world.plan.power_cut) {
        Crash::PowerCut
    } else {
        Crash::Kill
    };
    for id in 1..=3 {
        world.crash(id, how);
    }
    pass(rng.millis(10, 1_000)).await;
    for id in 1..=3 {
        pass(rng.millis(0, 500)).await;
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
