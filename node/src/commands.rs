//! What the command line asks for, done.

mod auth;
mod backup;
mod booking;
mod bundle;
mod cert;
mod chaos;
mod goals;
mod layout;
mod listing;
mod moves;
mod operate;
mod paint;
mod regions;
mod rejoin;
mod repair;
mod sandbox_payments;
mod shell;
mod start;
mod status;
mod top;
mod transfer;
mod upgrade;
mod value;
mod verdict;
mod webhook;

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{Command, DebugCommand};
use crate::{demo, import};

/// Exit status of a chaos run that shows nothing.
const UNCLEAR: u8 = 2;
/// Exit status of a demo, or a chaos run, whose promises were broken.
const PROMISE_BROKEN: u8 = 3;
/// Exit status of a look that found every promise kept, and less behind it than there should
/// be.
const DEGRADED: u8 = 4;
/// Exit status of a look that found a promise that is not kept now.
const STOPPED: u8 = 5;
/// Exit status of what was interrupted, as shells have it: 128 and SIGINT's number.
const INTERRUPTED: u8 = 130;

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// As asked.
    Well,
    /// A broken promise was found.
    PromiseBroken,
    /// The run shows nothing: neither that promises are kept nor that they are broken.
    Unclear,
    /// Something is wrong, and every promise is kept.
    Degraded,
    /// A promise is not kept now.
    Stopped,
    /// Somebody ended it before it came to a verdict.
    Interrupted,
}

pub(crate) fn run(command: Command) -> ExitCode {
    match dispatch(command) {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Unclear) => ExitCode::from(UNCLEAR),
        Ok(Done::PromiseBroken) => ExitCode::from(PROMISE_BROKEN),
        Ok(Done::Degraded) => ExitCode::from(DEGRADED),
        Ok(Done::Stopped) => ExitCode::from(STOPPED),
        Ok(Done::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            // Nowhere left to say it if standard error is closed.
            let _ = writeln!(io::stderr(), "meridian: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<Done> {
    let out = &mut io::stdout();
    match command {
        Command::Start(arguments) => start::run(&arguments, out).map(|()| Done::Well),
        Command::Demo(arguments) => block_on(demo::run(arguments))?,
        Command::Import(arguments) => {
            block_on(import::command::run(arguments))?.map(|()| Done::Well)
        }
        Command::Listing(command) => block_on(listing::run(command, out))?,
        Command::Booking(command) => block_on(booking::run(command, out))?.map(|()| Done::Well),
        Command::Webhook(command) => block_on(webhook::run(command, out))?.map(|()| Done::Well),
        Command::Regions(arguments) => block_on(regions::run(arguments, out))?.map(|()| Done::Well),
        Command::Status(arguments) => block_on(status::run(arguments, out))?,
        Command::Nodes(arguments) => block_on(operate::nodes(arguments, out))?.map(|()| Done::Well),
        Command::Groups(command) => block_on(operate::groups(command, out))?.map(|()| Done::Well),
        Command::Top(arguments) => block_on(top::run(arguments))?.map(|()| Done::Well),
        Command::Debug(DebugCommand::Bundle(arguments)) => {
            block_on(bundle::run(arguments, out))?.map(|()| Done::Well)
        }
        Command::LogFilter(arguments) => {
            block_on(operate::log_filter(arguments, out))?.map(|()| Done::Well)
        }
        Command::Init(arguments) => block_on(layout::init(arguments, out))?.map(|()| Done::Well),
        Command::Layout(command) => block_on(layout::run(command, out))?.map(|()| Done::Well),
        Command::Upgrade(command) => block_on(upgrade::run(command, out))?,
        Command::Drain(arguments) => block_on(moves::drain(arguments, out))?.map(|()| Done::Well),
        Command::Rebalance(arguments) => {
            block_on(moves::rebalance(arguments, out))?.map(|()| Done::Well)
        }
        Command::Transfer(arguments) => {
            block_on(transfer::run(arguments, out))?.map(|()| Done::Well)
        }
        Command::Repair(arguments) => block_on(repair::run(arguments, out))?.map(|()| Done::Well),
        Command::Rejoin(arguments) => rejoin::run(&arguments, out).map(|()| Done::Well),
        Command::Backup(command) => block_on(backup::run(command, out))?.map(|()| Done::Well),
        Command::Restore(arguments) => {
            block_on(backup::restore_cluster(arguments, out))?.map(|()| Done::Well)
        }
        Command::RestoreListing(arguments) => {
            block_on(backup::restore_listing(arguments, out))?.map(|()| Done::Well)
        }
        Command::Chaos(command) => block_on(chaos::run(command, out))?,
        Command::SandboxPayments(arguments) => {
            block_on(sandbox_payments::run(arguments, out))?.map(|()| Done::Well)
        }
        Command::Auth(command) => auth::run(command, out).map(|()| Done::Well),
        Command::Completions(arguments) => shell::completions(&arguments, out).map(|()| Done::Well),
        Command::Man(arguments) => shell::man(&arguments, out).map(|()| Done::Well),
        Command::Openapi(arguments) => shell::openapi(&arguments, out).map(|()| Done::Well),
        Command::Cert(command) => block_on(cert::run(command, out))?.map(|()| Done::Well),
    }
}

/// Runs a command that talks to nodes.
fn block_on<T>(command: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    Ok(runtime.block_on(command))
}
