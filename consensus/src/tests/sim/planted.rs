//! Bugs that are known to be bugs: the simulation must find each of them, and say which
//! promise it breaks. Four more are planted by hand and not found by the first dozen of
//! seeds ([`Bug`] says which): until they are, the simulation vouches for less.

use std::ops::Range;

use super::run;
use crate::planted::Bug;

/// The first seed of a range that finds a bug by one of these promises.
fn first_to_find(bug: Bug, promises: &[&str], mut seeds: Range<u64>) -> Option<u64> {
    seeds.find(|seed| {
        let found = run(*seed, Some(bug)).violations;
        let named = found.iter().find(|one| promises.contains(&one.promise));
        if let Some(violation) = named {
            println!("{bug:?}, seed {seed}: {violation}");
        }
        named.is_some()
    })
}

/// Seeds that are tried for one bug, from the one on that has found it.
const TRIED: u64 = 12;

fn finds(bug: Bug, promises: &[&str], recorded: u64) {
    let found = first_to_find(bug, promises, recorded..recorded + TRIED);
    assert!(found.is_some(), "{bug:?} was not found");
}

#[test]
fn read_of_a_woken_leader_that_asks_no_quorum_is_found() {
    finds(Bug::ReadIndexSkipped, &["reads are linearizable"], 5);
}

#[test]
fn key_that_is_looked_up_before_the_log_is_found() {
    let promises = ["same key, same outcome", "acknowledged is kept"];
    finds(Bug::KeyBeforeLog, &promises, 5);
}
