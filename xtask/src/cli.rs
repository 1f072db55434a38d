//! What can be asked, and where it is said.

use std::io::{self, Write};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The project's own gate, and its mending.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check everything; change nothing.
    Verify(VerifyArgs),
    /// Mend formatting and what clippy can mend by itself.
    Fix,
    /// Measure real nodes on this machine; `bench --help` says what can be asked.
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on to meridian-bench.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Simulate the planes under faults; without arguments, both by the seeds of the gate.
    ///
    /// A seed decides everything that happens: `--seed N` repeats it to the last byte, and
    /// one of the listings tells its story if it breaks a promise. A seed means something
    /// else in each plane and kind of world.
    Sim(SimArgs),
    /// Write the gRPC contract in Rust from `node/proto`, after it has changed.
    Grpc,
    /// Compare a running server with its description, by schemathesis, which is installed.
    #[command(disable_help_flag = true)]
    Schemathesis(SchemathesisArgs),
    /// Feed decoders with what nobody would send, for longer than the gate does.
    Fuzz(FuzzArgs),
}

#[derive(Debug, Default, Args)]
pub(crate) struct SchemathesisArgs {
    /// Passed on to `schemathesis run`, as in `--max-examples 200`; without any, a minute of requests.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// One target, as a failure names it; without it, all of them.
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// How long for each of them.
    #[arg(long, default_value_t = 30)]
    pub(crate) seconds: u64,
    /// As a run has printed it; without it, another one every time.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// The listings: replicas of three regions. Otherwise seeds are those of the bookings.
    #[arg(long, conflicts_with = "focus")]
    pub(crate) listings: bool,
    /// See which known bugs are found, planted one by one: by the seeds that are on record,
    /// or the first of those that are asked for.
    #[arg(long)]
    pub(crate) planted: bool,
    /// One seed: as a failure names it.
    #[arg(long, conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// Many: `A..B`, without B.
    #[arg(long)]
    pub(crate) seeds: Option<String>,
    /// The kind of world, of the bookings; without it, seeds are those of `everything`.
    #[arg(long)]
    pub(crate) focus: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Only these steps.
    #[arg(long, value_enum)]
    pub(crate) only: Vec<Step>,
    /// All steps but these.
    #[arg(long, value_enum)]
    pub(crate) skip: Vec<Step>,
    /// Go on after a step has failed.
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Name the steps and leave.
    #[arg(long)]
    pub(crate) list: bool,
}

/// Steps in the order in which they run: what is quick comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting, by rustfmt.
    Fmt,
    /// No source file is longer than 500 lines without its tests.
    Sizes,
    /// Crates import one another in the directions of the design.
    Imports,
    /// Licences, banned crates, sources, and advisories, by cargo-deny.
    Deny,
    /// What is deployed beside the binary, and the book, by `deploy/test`; but for compose.
    Deploy,
    /// Lints, warnings denied, by clippy. Functions over 70 lines are one of them.
    Clippy,
    /// Unit, property and scenario tests, by nextest.
    Test,
    /// Examples in the documentation.
    Doctest,
    /// Documentation, warnings denied.
    Doc,
}

impl Step {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Sizes => "sizes",
            Self::Imports => "imports",
            Self::Deny => "deny",
            Self::Deploy => "deploy",
            Self::Clippy => "clippy",
            Self::Test => "test",
            Self::Doctest => "doctest",
            Self::Doc => "doc",
        }
    }
}

/// Says something on standard output.
pub(crate) fn say(text: &str) {
    // A reader that has gone does not change what was found.
    let _ = writeln!(io::stdout(), "{text}");
}
