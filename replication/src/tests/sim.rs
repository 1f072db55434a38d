//! A world of three regions in which everything goes wrong, as a seed has it.
//!
//! The sister of the booking plane's (`consensus/src/tests/sim.rs`): one thread, a paused
//! clock, real databases driven by hand, so that a crash can lose exactly what was not
//! synced, and nodes put back to what they were before. Whole replicas run in it, with
//! their pullers, servers and repairs; only the way between them, the disks' time, clocks
//! and chance are the world's. What happened is written down as a [`history::History`], and
//! judged when all is over: one file under `checkers` for each promise (ADR 41).
//!
//! `cargo xtask sim --listings --seed N` runs one seed and tells its story if it breaks a
//! promise; `--seeds A..B` runs many.

mod checkers;
mod clients;
mod history;
mod links;
mod look;
mod nemesis;
mod network;
mod node;
mod plan;
mod planted;
mod requests;
mod restore;
mod settle;
mod world;

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use meridian_simulation::{Violation, asked_for, count_panics, panics};
use tokio::time::timeout;

use crate::chance;
use crate::planted::{Bug, plant};

use world::{Kind, World};

/// Seeds of the gate: some seconds.
const GATE: Range<u64> = 1..9;
/// Seeds that have found a bug: they stay. None has so far.
const FAILED: [u64; 0] = [];
/// The same, where documents begin anew: a document began anew as it was looked at (55 and 99,
/// where the look was wrong), and one left out a deletion (96).
const FAILED_RENEWING: [u64; 3] = [55, 96, 99];
/// Of virtual time, after the chaos: every client gives up within this.
const CLIENTS_END: Duration = Duration::from_secs(60);

/// What a seed came to.
struct Run {
    digest: u64,
    acks: usize,
    reads: usize,
    lasted: Duration,
    story: Vec<(u64, String)>,
    violations: Vec<Violation>,
}

fn run(seed: u64, bug: Option<Bug>, kind: Kind) -> Run {
    count_panics();
    plant(bug);
    chance::seed(Some(!seed));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (run, world) = runtime.block_on(live(seed, kind));
    drop(runtime);
    plant(None);
    chance::seed(None);
    // Its databases stand in memory: thousands of worlds would fill it.
    assert!(world.upgrade().is_none(), "a world outlives its run");
    run
}

async fn live(seed: u64, kind: Kind) -> (Run, Weak<World>) {
    let world = World::new(seed, kind);
    let tracker = &world.tracker;
    tracker.spawn(Arc::clone(&world).beat());
    tracker.spawn(Arc::clone(&world).watch());
    let mut nemeses = vec![
        tracker.spawn(nemesis::run(Arc::clone(&world))),
        tracker.spawn(nemesis::run(Arc::clone(&world))),
    ];
    nemeses.extend(
        world
            .plan
            .restored
            .map(|id| tracker.spawn(restore::run(Arc::clone(&world), id))),
    );
    let clients =
        (0..world.plan.clients).map(|id| tracker.spawn(clients::run(Arc::clone(&world), id)));
    let clients: Vec<_> = clients.collect();
    // For so long: nobody else says that it is enough.
    let _ = timeout(world.plan.chaos_for, world.enough.cancelled()).await;
    world.enough.cancel();
    for nemesis in nemeses {
        nemesis.await.expect("does not panic");
    }
    world.heal();
    for client in clients {
        match timeout(CLIENTS_END, client).await {
            Ok(ended) => ended.expect("does not panic"),
            Err(_) => world.stuck("a request never ends".to_owned()),
        }
    }
    settle::settle(&world).await;
    if panics() > 0 {
        world.stuck(format!("{} tasks panicked", panics()));
    }
    // They hold lines to one another, which hold the world.
    drop(std::mem::take(&mut world.state().nodes));
    let history = world.history();
    let run = Run {
        digest: history.digest(),
        acks: history.writes.values().filter(|write| write.acked).count(),
        reads: history.reads.len(),
        lasted: Duration::from_millis(world.now_ms()),
        violations: checkers::check(&history),
        story: history.story.clone(),
    };
    (run, Arc::downgrade(&world))
}

/// Runs seeds; answers those that broke a promise.
fn run_all(seeds: &[u64], kind: Kind) -> Vec<u64> {
    let began = Instant::now();
    let (mut broken, mut lasted) = (Vec::new(), Duration::ZERO);
    for &seed in seeds {
        let run = run(seed, None, kind);
        let (acks, reads, digest) = (run.acks, run.reads, run.digest);
        println!("listings, seed {seed}: {acks} acknowledged, {reads} read, trace {digest:016x}");
        lasted += run.lasted;
        if run.violations.is_empty() {
            continue;
        }
        if seeds.len() == 1 {
            for (at_ms, what) in &run.story {
                println!("{at_ms:>7} ms  {what}");
            }
        }
        for violation in &run.violations {
            println!("listings, seed {seed}: {violation}");
        }
        broken.push(seed);
    }
    let (took, lasted) = (began.elapsed().as_secs_f64(), lasted.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a speed to be read")]
    let (per_second, faster) = (seeds.len() as f64 / took, lasted / took);
    println!(
        "{} worlds, {per_second:.2} a second; {faster:.0} simulated seconds a second",
        seeds.len()
    );
    broken
}

#[test]
fn seeds_keep_every_promise() {
    keep_every_promise(GATE.chain(FAILED), Kind::Usual);
}

#[test]
fn seeds_keep_every_promise_while_documents_begin_anew() {
    keep_every_promise(GATE.chain(FAILED_RENEWING), Kind::Renewing);
}

fn keep_every_promise(gate: impl Iterator<Item = u64>, kind: Kind) {
    let seeds: Vec<u64> = match asked_for() {
        Some(seeds) => seeds.collect(),
        None => gate.collect(),
    };
    let broken = run_all(&seeds, kind).into_iter();
    let broken: Vec<_> = broken
        .map(|seed| format!("cargo xtask sim --listings --seed {seed}"))
        .collect();
    assert!(
        broken.is_empty(),
        "broken promises, see above:\n{}",
        broken.join("\n")
    );
}

#[test]
fn same_seed_gives_the_same_world() {
    for (seed, kind) in [(7, Kind::Usual), (8, Kind::Usual), (7, Kind::Renewing)] {
        let (one, other) = (run(seed, None, kind), run(seed, None, kind));
        assert!(one.acks > 0);
        assert_eq!(one.story, other.story);
        assert_eq!((one.digest, one.acks), (other.digest, other.acks));
    }
}
