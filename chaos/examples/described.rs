//! A running cluster for who compares it with its description: three regions, of which node 1 asks
//! for credentials.
//!
//! `described MERIDIAN PROGRAM FOLDER ARGUMENTS…` starts the binary `MERIDIAN`, runs
//! `PROGRAM run http://…/openapi.json ARGUMENTS…` in `FOLDER` with an operator's key in
//! `MERIDIAN_API_KEY`, and ends as that does. `cargo xtask schemathesis` is who calls it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use meridian_chaos::{ClusterOptions, LocalCluster, Network, WanPlan};
use tokio::process::Command;

/// How much shorter the links are than in the demo.
const LINK_DIVISOR: u32 = 8;
/// The node that is asked.
const ASKED: u64 = 1;
/// Seconds until the description has to be there.
const PATIENCE: &str = "60";

type Fallible<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Fallible<ExitCode> {
    let mut given = std::env::args_os().skip(1);
    let mut path = |what: &str| given.next().map(PathBuf::from).ok_or(what.to_owned());
    let binary = path("which meridian?")?;
    let program = path("which program?")?;
    let folder = path("in which folder?")?;
    let data = tempfile::tempdir()?;
    let mut cluster = LocalCluster::prepare(ClusterOptions {
        binary: binary.clone(),
        folder: data.path().to_path_buf(),
        plan: WanPlan::scaled_down(LINK_DIVISOR),
        first_port: None,
        settings: Vec::new(),
        network: Network::Relays,
    })
    .await?;
    cluster.launch().await?;
    let asked = cluster.nodes().find(|node| node.id == ASKED);
    let asked = asked.ok_or("no node 1")?;
    let (api, of_node) = (asked.api, asked.folder.clone());
    let key = guard(&binary, &of_node).await?;
    cluster.stop(ASKED).await?;
    cluster.restart(ASKED).await?;

    let compared = Command::new(program)
        .current_dir(folder)
        .args(["run", &format!("http://{api}/openapi.json")])
        .args(["--wait-for-schema", PATIENCE])
        .args(given)
        .env("MERIDIAN_API_KEY", key)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .status()
        .await?;
    cluster.shutdown().await?;
    Ok(if compared.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Has a node ask for credentials from its next start on; answers an operator's.
async fn guard(binary: &Path, folder: &Path) -> Fallible<String> {
    let keys = folder.join("keys.toml");
    let roles = "operator,host,guest";
    let made = Command::new(binary)
        .args(["auth", "new-key", "--subject", "olga", "--roles", roles])
        .arg("--file")
        .arg(&keys)
        .output()
        .await?;
    let told = String::from_utf8(made.stdout)?;
    let key = told.split_whitespace().find(|word| word.starts_with("mk_"));
    let key = key.ok_or("`meridian auth new-key` made no key")?.to_owned();
    let path = folder.join("meridian.toml");
    let mut config: toml::Table = std::fs::read_to_string(&path)?.parse()?;
    let file = keys.display().to_string();
    let auth = toml::Table::from_iter([("api_keys_file".to_owned(), file.into())]);
    config.insert("auth".to_owned(), auth.into());
    std::fs::write(&path, config.to_string())?;
    Ok(key)
}
