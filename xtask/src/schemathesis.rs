//! Compares a running server with its description, by schemathesis.
//!
//! It is Python, and installed into a folder of its own under the target folder. Where that
//! cannot be done nothing is compared, and that is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::{SchemathesisArgs, say};
use crate::steps;
use crate::workspace::Workspace;

/// What is installed.
const REQUIREMENTS: &str = "tests/schemathesis/requirements.txt";
/// Beside what is installed: what it was installed from.
const INSTALLED: &str = "installed.txt";
/// Requests of each operation, and from which seed: a minute of them.
const A_MINUTE: &str = "--seed 7 --max-examples 20 --max-time 60";
/// Its settings and hooks, where it runs.
const FOLDER: &str = "tests/schemathesis";

/// Runs it; answers whether nothing was found, and `None` where it cannot be had.
pub(crate) fn run(arguments: &SchemathesisArgs) -> anyhow::Result<Option<bool>> {
    let target = Workspace::load()?.target_directory;
    let Some(program) = installed(&target.join("tools/schemathesis"))? else {
        return Ok(None);
    };
    let more: Vec<&str> = match arguments.arguments.as_slice() {
        [] => A_MINUTE.split(' ').collect(),
        more => more.iter().map(String::as_str).collect(),
    };
    let mut build = Command::new("cargo");
    // The whole workspace: another selection would compile RocksDB again.
    build.args(["build", "--workspace", "--locked", "--bins"]);
    build.args(["--example", "described"]);
    if !steps::command(&mut build)? {
        return Ok(Some(false));
    }
    say(&format!("schemathesis run {}", more.join(" ")));
    let mut described = Command::new(target.join("debug/examples/described"));
    described.args([target.join("debug/meridian"), program, FOLDER.into()]);
    described.args(more);
    steps::command(&mut described).map(Some)
}

/// The program, installed if it is not there; `None` where that cannot be done.
fn installed(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let program = folder.join("bin/schemathesis");
    let wanted = std::fs::read_to_string(REQUIREMENTS)?;
    let mark = folder.join(INSTALLED);
    if program.exists() && std::fs::read_to_string(&mark).is_ok_and(|is| is == wanted) {
        return Ok(Some(program));
    }
    say(&format!(
        "installing {} into {}",
        wanted.trim(),
        folder.display()
    ));
    let mut python = Command::new("python3");
    python.args(["-m", "venv", "--clear"]).arg(folder);
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--requirement", REQUIREMENTS]);
    for command in [&mut python, &mut pip] {
        if !steps::command(command).unwrap_or(false) {
            say(
                "it cannot be installed: python3 with venv, and a registry of packages, are needed",
            );
            return Ok(None);
        }
    }
    std::fs::write(mark, wanted)?;
    Ok(Some(program))
}
