//! The `meridian` binary: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    meridian_node::run(meridian_node::Cli::parse())
}
