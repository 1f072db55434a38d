//! `meridian start`: one node, until it is told to stop.

use std::future::Future;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::StartArgs;
use crate::config::{Config, Layers};
use crate::geoip::GeoIp;
use crate::{cluster_map, supervisor, telemetry};

pub(crate) fn run(arguments: &StartArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let layers = Layers::from_process(arguments.set.clone());
    let config = Config::load(&arguments.config, &layers)?;
    if arguments.check {
        supervisor::prepare(config.clone())?;
        let _sound = GeoIp::open(&config.geoip)?;
        return tell_checked(&arguments.config, &config, out)
            .context("cannot say what has been checked");
    }
    let log_filter = telemetry::start(&config.log)?;
    let join = arguments.join.as_ref().unwrap_or(&config.cluster.join);
    if !join.is_empty() {
        let admin = arguments.credentials.admin(join)?;
        super::block_on(cluster_map::join(&config, join, &admin))??;
    }
    let mut prepared = supervisor::prepare(config)?;
    prepared.log_filter = log_filter;
    let exit_with_stdin = arguments.exit_with_stdin;
    let node = async {
        let told = told_to_stop(exit_with_stdin)?;
        supervisor::run(prepared, told).await
    };
    super::block_on(node)?
}

/// Says what `--check` has found in order, and what only a start can find out.
fn tell_checked(file: &Path, config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let map = cluster_map::written_in(config)?;
    let Config {
        node, tls, listen, ..
    } = config;
    writeln!(out, "node {} of {} can be started", node.id, node.region)?;
    writeln!(
        out,
        "  configuration: {}, every key is known and its value valid",
        file.display()
    )?;
    writeln!(
        out,
        "  map: {} has node {} in {} / {}",
        map.display(),
        node.id,
        node.region,
        node.zone
    )?;
    writeln!(
        out,
        "  certificate: {} is this node's, signed by {}; {} is a key",
        tls.cert.display(),
        tls.ca.display(),
        tls.key.display()
    )?;
    let database = &config.geoip.database;
    if !database.as_os_str().is_empty() {
        writeln!(out, "  places of clients: {} is sound", database.display())?;
    }
    writeln!(
        out,
        "not checked before a start: that the key is the certificate's, that {} (api), {} (peer) \
         and {} (admin) are free, the data in {}",
        listen.api,
        listen.peer,
        listen.admin,
        node.data_dir.display()
    )?;
    Ok(())
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
pub(super) async fn stdin_closed() {
    let (closed, awaited) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while io::stdin().read(&mut buffer).is_ok_and(|read| read > 0) {}
        // Nobody waits any more if a signal was quicker.
        let _ = closed.send(());
    });
    let _ = awaited.await;
}
