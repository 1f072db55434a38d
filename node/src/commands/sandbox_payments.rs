//! `meridian sandbox-payments`: a provider that moves no money, for several nodes.

use std::io::Write;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::start::stdin_closed;
use crate::cli::SandboxPaymentsArgs;
use crate::payments::{Book, Teller, sandbox_routes};

/// Serves until it is told to stop. Calls that are made to hang do not hold it up.
pub(crate) async fn run(
    arguments: SandboxPaymentsArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let book = Book::open(&arguments.book)
        .with_context(|| format!("cannot use the book {}", arguments.book.display()))?;
    let port = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    writeln!(out, "sandbox payments on http://{}", port.local_addr()?)?;
    out.flush()?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        biased;
        _ = terminate.recv() => Ok(()),
        () = stdin_closed(), if arguments.exit_with_stdin => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for Ctrl-C"),
        served = axum::serve(port, sandbox_routes(Teller::new(book))) => served.context("its port failed"),
    }
}
