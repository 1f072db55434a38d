//! `meridian start`: one node, until it is told to stop.

use std::future::Future;
use std::io::Read;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::StartArgs;
use crate::config::{Config, Layers};
use crate::{supervisor, telemetry};

pub(crate) fn run(arguments: &StartArgs) -> anyhow::Result<()> {
    let layers = Layers::from_process(arguments.set.clone());
    let config = Config::load(&arguments.config, &layers)?;
    let prepared = supervisor::prepare(config.clone())?;
    if arguments.check {
        return Ok(());
    }
    telemetry::start(&config.log)?;
    let exit_with_stdin = arguments.exit_with_stdin;
    let node = async {
        let told = told_to_stop(exit_with_stdin)?;
        supervisor::run(prepared, told).await
    };
    super::block_on(node)?
}

/// Resolves when the node is to stop, with the reason.
fn told_to_stop(with_stdin: bool) -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "Ctrl-C",
            () = stdin_closed(), if with_stdin => "standard input closed",
        }
    })
}

/// Waits in a thread of its own: a read of standard input cannot be given up, and
/// must not keep the runtime from ending.
async fn stdin_closed() {
    let (closed, awaited) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while std::io::stdin()
            .read(&mut buffer)
            .is_ok_and(|read| read > 0)
        {}
        // Nobody waits any more if a signal was quicker.
        let _ = closed.send(());
    });
    let _ = awaited.await;
}
