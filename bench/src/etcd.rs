//! A three-node etcd on loopback, its write-ahead logs on the same disk, with its
//! defaults: every entry is fsynced by a quorum before it is answered.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use meridian_chaos::{own_loopback, until};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::http::{Connection, Expect, Request};
use crate::nights::Night;
use crate::places::Place;

const NODES: usize = 3;
/// How long it may take until it is ready.
const READY_PATIENCE: Duration = Duration::from_secs(30);

/// The processes; dropping them ends them.
pub(crate) struct Etcd {
    pub(crate) endpoints: Vec<String>,
    pub(crate) version: String,
    children: Vec<Child>,
}

impl Etcd {
    /// Starts it in a folder of its own. `None` where etcd is not installed.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        Self::start_at(folder, &Place::on_loopback()?, &[]).await
    }

    /// The same at other places, with more arguments.
    pub(crate) async fn start_at(
        folder: &Path,
        places: &[Place],
        arguments: &[&str],
    ) -> anyhow::Result<Option<Self>> {
        let Some(version) = version().await else {
            return Ok(None);
        };
        std::fs::create_dir_all(folder)?;
        let cluster: Vec<String> = places
            .iter()
            .enumerate()
            .map(|(number, place)| format!("n{number}=http://{}", place.peers))
            .collect();
        let mut children = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let mut command = command(folder, number, place, &cluster.join(","))?;
            command.args(arguments);
            let started = command.spawn();
            children.push(started.context("cannot start etcd through setpriv (util-linux)")?);
        }
        let endpoints: Vec<String> = places
            .iter()
            .map(|place| format!("http://{}", place.clients))
            .collect();
        let etcd = Self {
            endpoints,
            version,
            children,
        };
        etcd.wait_ready().await?;
        Ok(Some(etcd))
    }

    /// Every node takes part: a linearizable read through each has an answer.
    async fn wait_ready(&self) -> anyhow::Result<()> {
        let ask = Request::post("/v3/kv/range", json!({"key": BASE64.encode("ready")}));
        for client in Connection::spread(&self.endpoints, NODES)? {
            until(READY_PATIENCE, "etcd is ready", async || {
                client.send(&ask).await.ok()
            })
            .await?;
        }
        Ok(())
    }

    pub(crate) fn process_ids(&self) -> Vec<u32> {
        self.children.iter().filter_map(Child::id).collect()
    }

    /// Has its first node lead.
    pub(crate) async fn lead_at_the_first(&self) -> anyhow::Result<()> {
        let nodes = Connection::spread(&self.endpoints, NODES)?;
        let status = Request::post("/v3/maintenance/status", json!({}));
        let first = nodes[0].send(&status).await?["header"]["member_id"].clone();
        until(READY_PATIENCE, "etcd's first node leads", async || {
            for node in &nodes {
                let told = node.send(&status).await.ok()?;
                if told["leader"] == first {
                    return Some(());
                }
                if told["leader"] == told["header"]["member_id"] {
                    let ask = json!({"targetID": first});
                    let ask = Request::post("/v3/maintenance/transfer-leadership", ask);
                    node.send(&ask).await.ok()?;
                }
            }
            None
        })
        .await?;
        Ok(())
    }

    /// Kills the last of its nodes.
    pub(crate) async fn lose_one(&mut self) -> anyhow::Result<()> {
        if let Some(mut lost) = self.children.pop() {
            lost.kill().await?;
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        for child in &mut self.children {
            child.kill().await?;
        }
        Ok(())
    }
}

/// One transaction: the night is put if nobody has put it before.
pub(crate) fn sell(night: &Night) -> Request {
    let key = BASE64.encode(format!("nights/{}/{}", night.listing, night.check_in));
    // What a hold says, too: who, when, how many, and by which key.
    let value = json!({
        "check_in": night.check_in.to_string(),
        "check_out": night.check_out.to_string(),
        "guests": 1,
        "key": format!("{:032x}", rand::random::<u128>()),
    });
    let absent: Value = json!({
        "key": key,
        "target": "CREATE",
        "result": "EQUAL",
        "create_revision": "0",
    });
    let put = json!({"request_put": {"key": key, "value": BASE64.encode(value.to_string())}});
    let mut request = Request::post("/v3/kv/txn", json!({"compare": [absent], "success": [put]}));
    request.expect = Expect::Succeeded;
    request
}

async fn version() -> Option<String> {
    let output = Command::new("etcd").arg("--version").output().await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().next()?.to_owned())
}

fn command(folder: &Path, number: usize, place: &Place, cluster: &str) -> anyhow::Result<Command> {
    let log = std::fs::File::create(folder.join(format!("n{number}.log")))?;
    let client = format!("http://{}", place.clients);
    let peer = format!("http://{}", place.peers);
    let mut command = place.command();
    command
        .arg("etcd")
        .args(["--name", &format!("n{number}")])
        .arg("--data-dir")
        .arg(folder.join(format!("n{number}")))
        .args(["--listen-client-urls", &client])
        .args(["--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer])
        .args(["--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", cluster])
        .args(["--initial-cluster-state", "new"])
        .args(["--logger", "zap", "--log-level", "warn"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    Ok(command)
}

/// Ports of our own loopback that are free; all are held until all are chosen.
pub(crate) fn free_ports() -> anyhow::Result<Vec<SocketAddr>> {
    let held: Result<Vec<TcpListener>, _> = (0..NODES)
        .map(|_| TcpListener::bind((own_loopback(), 0)))
        .collect();
    let ports: Result<Vec<SocketAddr>, _> = held?.iter().map(TcpListener::local_addr).collect();
    Ok(ports?)
}
