//! Bugs that are known to be bugs: the simulation must find each of them, and say which
//! promise it breaks. One more is planted by hand and found by none of the seeds tried so
//! far ([`Bug`] says which): until it is, the simulation vouches for less.

use super::plan::Focus;
use super::{asked_for, run};
use crate::planted::Bug;

/// Seeds that are tried for one bug, from the one on that has found it.
const TRIED: u64 = 12;

/// Whether one of a few seeds finds a bug, by one of these promises; of those that were
/// asked for, if any were.
fn finds(bug: Bug, focus: Focus, promises: &[&str], recorded: u64) {
    let mut seeds = asked_for().unwrap_or(recorded..recorded + TRIED);
    let found = seeds.any(|seed| {
        let found = run(seed, focus, Some(bug)).violations;
        for violation in &found {
            println!("{bug:?} in {focus:?}, seed {seed}: {violation}");
        }
        found.iter().any(|one| promises.contains(&one.promise))
    });
    assert!(found, "{bug:?} was not found");
}

#[test]
fn read_of_a_woken_leader_that_asks_no_quorum_is_found() {
    let promises = ["reads are linearizable"];
    finds(Bug::ReadIndexSkipped, Focus::Everything, &promises, 5);
}

#[test]
fn key_that_is_looked_up_before_the_log_is_found() {
    let promises = ["same key, same outcome", "acknowledged is kept"];
    finds(Bug::KeyBeforeLog, Focus::Everything, &promises, 5);
}

#[test]
fn entry_that_is_acknowledged_before_it_is_synced_is_found() {
    let promises = [
        "acknowledged is kept",
        "records agree",
        "one leader per term",
    ];
    finds(Bug::AckBeforeSync, Focus::Everything, &promises, 1);
}

#[test]
fn booking_that_a_copy_admits_is_found() {
    let promises = ["single sale", "acknowledged is kept"];
    finds(Bug::AdmittedByCopy, Focus::Everything, &promises, 1);
}

#[test]
fn clock_that_nobody_bounds_is_found() {
    let promises = ["clocks ahead decide nothing"];
    finds(Bug::ClockUnbounded, Focus::Everything, &promises, 1);
}

#[test]
fn vote_that_is_answered_before_it_is_on_disk_is_found() {
    finds(
        Bug::VoteBeforePersist,
        Focus::Ballots,
        &["one leader per term"],
        1,
    );
}

#[test]
fn candidate_that_cannot_win_and_keeps_others_from_it_is_found() {
    finds(
        Bug::RefusedAlone,
        Focus::Naps,
        &["everything ends well"],
        20,
    );
}

#[test]
fn group_that_is_woken_before_its_last_instance_has_ended_is_found() {
    let promises = [
        "every event is told",
        "records agree",
        "logs are contiguous",
    ];
    finds(Bug::NoFence, Focus::Crowd, &promises, 14);
}

#[test]
fn note_that_outlives_its_sleep_is_found() {
    finds(Bug::NoteKept, Focus::Naps, &["one leader per term"], 5);
}
