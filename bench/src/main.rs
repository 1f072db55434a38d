//! Measures what the budgets of the design promise, with real processes.
//!
//! Every peer (etcd, the bare disk, the round trip) is measured in the same run and by
//! the same client. What is measured runs on this machine together with who measures:
//! ratios mean something, absolute numbers are this machine's.
//!
//! What it is not: a test. A missed goal is printed, and is no failure.

mod bookings;
mod cli;
mod cluster;
mod cold;
mod compare;
mod disk;
mod drive;
mod edits;
mod etcd;
mod failover;
mod floor;
mod followed;
mod founding;
mod http;
mod lag;
mod latency;
mod listings;
mod loading;
mod machine;
mod nights;
mod places;
mod postgres;
mod reader;
mod reconcile;
mod redis_node;
mod report;
mod reunion;
mod run;
mod searching;
mod sleeping;
mod soak;
mod stock;
mod usage;
mod wan;
mod watcher;
mod writes;

use std::process::ExitCode;

use clap::Parser;

use cli::{Arguments, say};

// One thread: the cores belong to those who are measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let measured = tokio::select! {
        biased;
        // Dropping what runs ends every process that it started.
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
        measured = run::all(&arguments) => measured,
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
