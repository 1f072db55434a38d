//! `meridian completions`, `meridian man` and `meridian openapi`: what shells, readers of manuals
//! and makers of clients want, from the program as it is.

use std::fs;
use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs, OpenapiArgs};

/// Name of the program, as people type it.
const PROGRAM: &str = "meridian";

pub(crate) fn completions(arguments: &CompletionsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), PROGRAM, &mut script);
    out.write_all(&script).context("cannot write the script")
}

/// One page for the program and one for each command, as `man` wants them.
pub(crate) fn man(arguments: &ManArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let folder = arguments.out.display();
    fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make {folder}"))?;
    clap_mangen::generate_to(Cli::command(), &arguments.out)
        .with_context(|| format!("cannot write into {folder}"))?;
    writeln!(
        out,
        "pages are in {folder}; `man -l {folder}/{PROGRAM}.1` shows the first"
    )?;
    Ok(())
}

/// The description of an API.
pub(crate) fn openapi(arguments: &OpenapiArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let description = if arguments.operators {
        crate::admin::description()
    } else {
        crate::api::description()
    };
    out.write_all(description.as_bytes())
        .context("cannot write the description")
}

#[cfg(test)]
mod tests {
    use clap_complete::Shell;
    use tempfile::TempDir;

    use super::{completions, man};
    use crate::cli::{CompletionsArgs, ManArgs};

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            completions(&CompletionsArgs { shell }, &mut script).expect("written");
            let script = String::from_utf8(script).expect("text");
            assert!(script.contains("layout") && script.contains("sandbox-payments"));
        }
    }

    #[test]
    fn every_command_has_a_page_that_says_what_it_does() {
        let folder = TempDir::new().expect("a folder");
        let out = folder.path().join("man");
        let mut said = Vec::new();
        man(&ManArgs { out: out.clone() }, &mut said).expect("written");
        let page = |name: &str| std::fs::read_to_string(out.join(name)).expect("a page");
        assert!(page("meridian.1").contains("layout"));
        assert!(page("meridian-layout-remove-region.1").contains("lost for good"));
        assert!(page("meridian-status.1").contains("admin"));
        let said = String::from_utf8(said).expect("text");
        assert!(said.contains("pages are in"), "{said}");
    }
}
