//! Bugs that are known to be bugs: the simulation must find each of them, and say which
//! promise it breaks. Two more are planted by hand and found by none of the seeds tried so far
//! ([`Bug`] says which): until they are, the simulation vouches for less. `cargo xtask sim --listings --planted` looks from the first seed on how
//! many it takes; `docs/simulation.md` has what came of that.

use meridian_simulation::asked_for;

use super::run;
use super::world::Kind;
use crate::planted::Bug;

/// Seeds that are tried for one bug, from the one on that has found it.
const TRIED: u64 = 12;

/// Whether one of a few seeds finds a bug, by one of these promises; of those that were
/// asked for, if any were.
fn finds(bug: Bug, promises: &[&str], recorded: u64) {
    finds_in(Kind::Usual, bug, promises, recorded);
}

fn finds_in(kind: Kind, bug: Bug, promises: &[&str], recorded: u64) {
    let seeds = asked_for().unwrap_or(recorded..recorded + TRIED);
    let first = seeds.start;
    for seed in seeds {
        let found = run(seed, Some(bug), kind).violations;
        for violation in &found {
            let mut what = violation.to_string();
            what.truncate(300);
            println!("{bug:?}, seed {seed}: {what}");
        }
        if found.iter().any(|one| promises.contains(&one.promise)) {
            println!("{bug:?} found by seed {seed}, worlds: {}", seed - first + 1);
            return;
        }
    }
    panic!("{bug:?} was not found");
}

#[test]
fn write_that_is_acknowledged_before_it_is_on_disk_is_found() {
    let promises = ["acknowledged is kept", "sessions never go back"];
    finds(Bug::AckBeforeDurable, &promises, 2);
}

#[test]
fn entry_that_is_seen_before_it_is_applied_is_found() {
    let promises = ["replicas converge", "acknowledged is kept"];
    finds(Bug::SeenBeforeApplied, &promises, 3);
}

#[test]
fn tombstone_that_is_lost_is_found() {
    let promises = ["replicas converge", "acknowledged is kept"];
    finds(Bug::TombstoneLost, &promises, 4);
}

#[test]
fn token_that_is_ignored_on_failover_is_found() {
    finds(Bug::TokenIgnored, &["sessions never go back"], 1);
}

#[test]
fn gap_in_a_log_that_is_accepted_is_found() {
    let promises = ["replicas converge", "acknowledged is kept"];
    finds(Bug::GapAccepted, &promises, 2);
}

#[test]
fn watermark_that_is_sent_before_its_entries_is_found() {
    finds(Bug::WatermarkFirst, &["watermarks tell the truth"], 1);
}

#[test]
fn document_that_begins_anew_unheard_is_found() {
    let promises = [
        "replicas converge",
        "acknowledged is kept",
        "everything ends well",
    ];
    finds_in(Kind::Renewing, Bug::RenewalUnheard, &promises, 3);
}

#[test]
fn former_document_that_is_forgotten_at_once_is_found() {
    let promises = [
        "replicas converge",
        "acknowledged is kept",
        "everything ends well",
    ];
    finds_in(Kind::Renewing, Bug::FormerForgotten, &promises, 16);
}
