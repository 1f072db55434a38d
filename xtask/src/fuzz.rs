//! Runs fuzz targets, which are tests beside their decoders, in modules called `fuzz`.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;

use crate::cli::{FuzzArgs, say};
use crate::steps;

/// Each target goes on for so many seconds.
const SECONDS: &str = "MERIDIAN_FUZZ_SECONDS";
const SEED: &str = "MERIDIAN_FUZZ_SEED";

/// Runs the targets; answers whether none of them has found anything.
pub(crate) fn run(arguments: &FuzzArgs) -> anyhow::Result<bool> {
    let tests = tests(arguments.target.as_deref())?;
    let seed = arguments.seed.map_or_else(fresh_seed, Ok)?;
    say(&format!(
        "seed {seed}, {} s for each target",
        arguments.seconds
    ));
    let mut nextest = Command::new("cargo");
    // The whole workspace: another selection would compile RocksDB again.
    nextest.args(["nextest", "run", "--workspace", "--lib", "--locked"]);
    nextest.args(["--profile", "long", "--success-output", "final"]);
    nextest.args(["-E", &tests]);
    nextest.env(SECONDS, arguments.seconds.to_string());
    nextest.env(SEED, seed.to_string());
    steps::command(&mut nextest)
}

fn tests(target: Option<&str>) -> anyhow::Result<String> {
    let Some(target) = target else {
        return Ok("test(/(^|::)fuzz::/)".to_owned());
    };
    let is_name = target
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    ensure!(
        is_name,
        "a target is called as its failure names it, like log-entry: not {target}"
    );
    Ok(format!("test(/(^|::)fuzz::{}$/)", target.replace('-', "_")))
}

/// What no run before had.
fn fresh_seed() -> anyhow::Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::tests;

    #[test]
    fn target_is_found_by_the_name_of_its_test() {
        let found = tests(Some("log-entry")).expect("a name");
        assert_eq!(found, "test(/(^|::)fuzz::log_entry$/)");
        assert!(tests(Some("a b")).is_err());
    }
}
