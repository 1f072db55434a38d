//! Redis, one node, that fsyncs every write before it is answered: what a listing's write here is
//! compared with. Nothing of it is elsewhere.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use meridian_chaos::until;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::process::{Child, Command};

use crate::etcd::free_ports;

const READY_PATIENCE: Duration = Duration::from_secs(30);

/// The process; dropping it ends it.
pub(crate) struct Redis {
    pub(crate) version: String,
    address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts it in a folder of its own. `None` where it is not installed.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let Ok(told) = Command::new("redis-server").arg("--version").output().await else {
            return Ok(None);
        };
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told.split(' ').nth(2).unwrap_or_default();
        std::fs::create_dir_all(folder)?;
        let address = free_ports()?[0];
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "redis-server"])
            .args(["--bind", &address.ip().to_string()])
            .args(["--port", &address.port().to_string()])
            .arg("--dir")
            .arg(folder)
            .args([
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--save",
                "",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start redis-server through setpriv (util-linux)")?;
        let redis = Self {
            version: format!("Redis {}", version.trim_start_matches("v=")),
            address,
            child,
        };
        until(READY_PATIENCE, "Redis is ready", async || {
            redis.clients(1).await.ok()
        })
        .await?;
        Ok(Some(redis))
    }

    /// So many clients, each with a connection.
    pub(crate) async fn clients(&self, count: usize) -> anyhow::Result<Vec<MultiplexedConnection>> {
        let client = redis::Client::open(format!("redis://{}", self.address))?;
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(client.get_multiplexed_async_connection().await?);
        }
        Ok(clients)
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

pub(crate) async fn read(client: &mut MultiplexedConnection, id: &str) -> anyhow::Result<()> {
    let document: Option<String> = client.get(id).await?;
    ensure!(document.is_some(), "no such listing");
    Ok(())
}

pub(crate) async fn write(
    client: &mut MultiplexedConnection,
    id: &str,
    document: &str,
) -> anyhow::Result<()> {
    let () = client.set(id, document).await?;
    Ok(())
}
