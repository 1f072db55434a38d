//! Runs seeds of the simulations, which live in a test of each plane.

use std::process::Command;

use anyhow::ensure;

use crate::cli::SimArgs;
use crate::steps;

/// The tests that read their seeds from this variable.
const SEEDS: &str = "MERIDIAN_SIM_SEED";
/// And the kind of world, of the bookings, from this one.
const FOCUS: &str = "MERIDIAN_SIM_FOCUS";
/// The world that seeds are for unless another is named.
const FOCUS_OF_SEEDS: &str = "everything";
const BOOKINGS: &str = "package(meridian-consensus)";
const LISTINGS: &str = "package(meridian-replication)";
const PROMISES: &str = "test(/^tests::sim::seeds_keep_every_promise/)";
const PLANTED: &str = "test(/^tests::sim::planted::/)";

/// Runs the seeds; answers whether every promise was kept.
pub(crate) fn run(arguments: &SimArgs) -> anyhow::Result<bool> {
    let seeds = match (arguments.seed, &arguments.seeds) {
        (Some(seed), _) => Some(seed.to_string()),
        (None, Some(seeds)) => Some(range(seeds)?),
        (None, None) => None,
    };
    let mut nextest = nextest(&tests(arguments, seeds.is_some()));
    if let Some(seeds) = &seeds {
        nextest.env(SEEDS, seeds);
    }
    if let Some(focus) = focus(arguments, seeds.is_some()) {
        nextest.env(FOCUS, focus);
    }
    steps::command(&mut nextest)
}

/// Which tests: of both planes only if nothing is asked for that means something else in
/// each.
fn tests(arguments: &SimArgs, has_seeds: bool) -> String {
    let plane = match (arguments.listings, has_seeds || arguments.focus.is_some()) {
        (true, _) => LISTINGS.to_owned(),
        (false, true) => BOOKINGS.to_owned(),
        (false, false) => format!("({BOOKINGS} + {LISTINGS})"),
    };
    let tests = if arguments.planted { PLANTED } else { PROMISES };
    format!("{plane} & {tests}")
}

/// Planted bugs know the kinds of world in which they are looked for.
fn focus(arguments: &SimArgs, has_seeds: bool) -> Option<&str> {
    let of_seeds = has_seeds && !arguments.planted;
    let focus = arguments.focus.as_deref();
    focus.or(of_seeds.then_some(FOCUS_OF_SEEDS))
}

fn nextest(tests: &str) -> Command {
    let mut nextest = Command::new("cargo");
    // The whole workspace: another selection would compile RocksDB again.
    nextest.args(["nextest", "run", "--workspace", "--lib", "--locked"]);
    nextest.args(["--profile", "long", "--no-capture", "-E", tests]);
    nextest
}

fn range(seeds: &str) -> anyhow::Result<String> {
    let bounds = seeds.split_once("..");
    let bounds = bounds.and_then(|(from, until)| {
        let from: u64 = from.parse().ok()?;
        Some((from, until.parse::<u64>().ok()?))
    });
    ensure!(
        bounds.is_some_and(|(from, until)| from < until),
        "seeds are asked for as A..B, from A up to, not including, B: not as {seeds}"
    );
    Ok(seeds.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{focus, range, tests};
    use crate::cli::SimArgs;

    #[test]
    fn range_of_seeds_is_two_numbers_in_order() {
        assert!(range("1..9").is_ok());
        for wrong in ["9", "9..1", "a..b", "1..", "1..=9"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeds_are_those_of_one_plane_and_the_gate_has_both() {
        let mut arguments = SimArgs {
            listings: false,
            planted: false,
            seed: None,
            seeds: None,
            focus: None,
        };
        let both = tests(&arguments, false);
        assert!(both.contains("consensus") && both.contains("replication"));
        assert!(!tests(&arguments, true).contains("replication"));
        assert_eq!(focus(&arguments, true), Some("everything"));
        arguments.listings = true;
        assert!(!tests(&arguments, true).contains("consensus"));
    }
}
