//! A world of three nodes in which everything goes wrong, as a seed has it.
//!
//! One thread and a paused clock: two runs of one seed are the same to the last byte on
//! the wire, and what takes minutes there takes a moment here. Databases are real ones,
//! driven by hand, so that a crash can lose exactly what was not synced. What happened is
//! written down as a [`history::History`], and judged when all is over: one file under
//! `checkers` for each promise.
//!
//! `cargo xtask sim --seed N` runs one seed, `--seeds A..B` many; `--focus` names a kind
//! of world, which is hostile in one way alone.

mod checkers;
mod clients;
mod history;
mod instant;
mod links;
mod nemesis;
mod network;
mod node;
mod plan;
mod planted;
pub(crate) mod runtime;
mod settle;
mod world;

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use meridian_simulation::{Violation, asked_for, count_panics, panics};
use tokio::time::{Instant, timeout};

use crate::planted::{Bug, plant};

use plan::Focus;
use world::World;

/// Seeds of the gate: a few seconds.
const GATE: Range<u64> = 1..25;
/// Seeds of the gate for each of the other kinds of world.
const GATE_FOCUSED: Range<u64> = 1..5;
/// The name of one kind of world; without it, all of them.
const FOCUS: &str = "MERIDIAN_SIM_FOCUS";
/// Of virtual time, after the chaos: every client gives up within this.
const CLIENTS_END: Duration = Duration::from_secs(300);

/// What a seed came to.
struct Run {
    digest: u64,
    acks: usize,
    reads: usize,
    /// Of the world's own time.
    lasted: Duration,
    violations: Vec<Violation>,
}

fn run(seed: u64, focus: Focus, bug: Option<Bug>) -> Run {
    count_panics();
    plant(bug);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (run, world) = runtime.block_on(live(seed, focus));
    drop(runtime);
    plant(None);
    // Its databases stand in memory: thousands of worlds would fill it.
    assert!(world.upgrade().is_none(), "a world outlives its run");
    run
}

async fn live(seed: u64, focus: Focus) -> (Run, Weak<World>) {
    let began = Instant::now();
    let world = World::new(seed, focus);
    let (tracker, enough) = (&world.tracker, &world.enough);
    tracker.spawn(Arc::clone(&world).watch());
    // With a focus, one alone: two would mend what the other cuts.
    let nemeses = if focus == Focus::Everything { 2 } else { 1 };
    let nemeses = (0..nemeses).map(|_| tracker.spawn(nemesis::run(Arc::clone(&world))));
    let nemeses: Vec<_> = nemeses.collect();
    let clients =
        (0..world.plan.clients).map(|id| tracker.spawn(clients::run(Arc::clone(&world), id)));
    let clients: Vec<_> = clients.collect();
    // For so long: nobody else says that it is enough.
    let _ = timeout(world.plan.chaos_for, enough.cancelled()).await;
    enough.cancel();
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
        acks: history.acks.len(),
        reads: history.reads.len(),
        lasted: began.elapsed(),
        violations: checkers::check(&history),
    };
    (run, Arc::downgrade(&world))
}

/// The seeds that were asked for, or those of the gate.
fn seeds(focus: Focus) -> Range<u64> {
    asked_for().unwrap_or(if focus == Focus::Everything {
        GATE
    } else {
        GATE_FOCUSED
    })
}

/// The kind of world that was asked for, or all of them.
fn focuses() -> Vec<Focus> {
    let asked = std::env::var(FOCUS).ok();
    let is_chosen = |focus: &Focus| asked.as_ref().is_none_or(|asked| asked == focus.name());
    let chosen: Vec<Focus> = Focus::ALL.into_iter().filter(is_chosen).collect();
    assert!(!chosen.is_empty(), "no world is called {asked:?}");
    chosen
}

#[test]
fn seeds_keep_every_promise() {
    let (mut broken, mut lasted) = (Vec::new(), Duration::ZERO);
    let began = std::time::Instant::now();
    for focus in focuses() {
        let name = focus.name();
        for seed in seeds(focus) {
            let run = run(seed, focus, None);
            let (acks, reads, digest) = (run.acks, run.reads, run.digest);
            println!("{name}, seed {seed}: {acks} acknowledged, {reads} read, trace {digest:016x}");
            lasted += run.lasted;
            for violation in &run.violations {
                println!("{name}, seed {seed}: {violation}");
            }
            if !run.violations.is_empty() {
                broken.push(format!("cargo xtask sim --focus {name} --seed {seed}"));
            }
        }
    }
    let faster = lasted.as_secs_f64() / began.elapsed().as_secs_f64();
    println!("{faster:.0} simulated seconds a second");
    assert!(
        broken.is_empty(),
        "broken promises, see above:\n{}",
        broken.join("\n")
    );
}

#[test]
fn leader_that_crashed_and_has_not_led_since_leaves_no_note() {
    // It led on by that note, and gave one index of one term to two entries.
    assert_eq!(run(4, Focus::Naps, None).violations, []);
}

#[test]
fn same_seed_gives_the_same_world() {
    for focus in Focus::ALL {
        let (one, other) = (run(7, focus, None), run(7, focus, None));
        assert!(one.acks > 0, "{focus:?}");
        assert_eq!((one.digest, one.acks), (other.digest, other.acks));
    }
}
