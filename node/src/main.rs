//! The `meridian` binary: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

/// See `docs/adr/0020-allocator.md`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    meridian_node::run(meridian_node::Cli::parse())
}
