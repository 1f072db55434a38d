//! Runs seeds of the simulation of the booking plane, which lives in a test.

use std::process::Command;

use anyhow::ensure;

use crate::cli::SimArgs;
use crate::steps;

/// The test that reads its seeds from this variable.
const SEEDS: &str = "MERIDIAN_SIM_SEED";
/// And the kind of world from this one.
const FOCUS: &str = "MERIDIAN_SIM_FOCUS";
/// The world that seeds are for unless another is named.
const FOCUS_OF_SEEDS: &str = "everything";
const TEST: &str = "package(meridian-consensus) & test(=tests::sim::seeds_keep_every_promise)";

/// Runs the seeds; answers whether every promise was kept.
pub(crate) fn run(arguments: &SimArgs) -> anyhow::Result<bool> {
    let seeds = match (arguments.seed, &arguments.seeds) {
        (Some(seed), _) => seed.to_string(),
        (None, Some(seeds)) => range(seeds)?,
        (None, None) => return verdict(&mut focused(arguments.focus.as_deref())),
    };
    let focus = arguments.focus.as_deref().unwrap_or(FOCUS_OF_SEEDS);
    verdict(focused(Some(focus)).env(SEEDS, seeds))
}

fn focused(focus: Option<&str>) -> Command {
    let mut nextest = nextest();
    if let Some(focus) = focus {
        nextest.env(FOCUS, focus);
    }
    nextest
}

fn nextest() -> Command {
    let mut nextest = Command::new("cargo");
    // The whole workspace: another selection would compile RocksDB again.
    nextest.args(["nextest", "run", "--workspace", "--lib", "--locked"]);
    nextest.args(["--no-capture", "-E", TEST]);
    nextest
}

fn verdict(nextest: &mut Command) -> anyhow::Result<bool> {
    steps::command(nextest)
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
    use super::range;

    #[test]
    fn range_of_seeds_is_two_numbers_in_order() {
        assert!(range("1..9").is_ok());
        for wrong in ["9", "9..1", "a..b", "1..", "1..=9"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
