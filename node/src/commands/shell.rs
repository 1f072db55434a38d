//! `meridian completions` and `meridian man`: what shells and readers of manuals want, from the
//! command line as it is.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::{Cli, CompletionsArgs, ManArgs};

/// Name of the program, as people type it.
const PROGRAM: &str = "meridian";

pub(crate) fn completions(arguments: &CompletionsArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), PROGRAM, &mut script);
    out.write_all(&script).context("cannot write the script")
}

/// One page for the program and one for each command, as `man` wants them.
pub(crate) fn man(arguments: &ManArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let folder = &arguments.out;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut program = Cli::command();
    program.build();
    let mut written = 0;
    write_pages(&program, PROGRAM, folder, &mut written)?;
    writeln!(
        out,
        "{written} pages in {}; `man -l {}/{PROGRAM}.1` shows the first",
        folder.display(),
        folder.display()
    )?;
    Ok(())
}

fn write_pages(
    command: &clap::Command,
    name: &str,
    folder: &Path,
    written: &mut u64,
) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    Man::new(command.clone().name(name.to_owned()))
        .render(&mut page)
        .context("a page cannot be made")?;
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    *written += 1;
    let shown = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
    for below in command.get_subcommands().filter(shown) {
        let name = format!("{name}-{}", below.get_name());
        write_pages(below, &name, folder, written)?;
    }
    Ok(())
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
        assert!(said.contains("pages in"), "{said}");
    }
}
