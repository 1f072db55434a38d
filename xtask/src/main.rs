//! `cargo xtask`: the project's own gate, and its mending.
//!
//! `verify` only reads: it ends with a table and fails if any step did. `fix`
//! mends what can be mended without thought. `sim` runs seeds of the simulations, `fuzz`
//! the fuzz targets, `grpc` writes code from a contract, `schemathesis` compares a running server with
//! its description. `bench` builds what is measured and measures it.

mod bench;
mod cli;
mod fuzz;
mod grpc;
mod imports;
mod schemathesis;
mod sim;
mod sizes;
mod steps;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Verify(arguments) => steps::verify(&arguments),
        Command::Fix => steps::fix(),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Grpc => grpc::run(),
        Command::Schemathesis(arguments) => {
            schemathesis::run(&arguments).map(|it| it == Some(true))
        }
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Bench { arguments } => bench::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            cli::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
