//! `meridian debug bundle`: what every node says of itself, in one archive.
//!
//! Whatever cannot be had is named and left out: a bundle is made while something is wrong.
//! Secrets are left out by the nodes (`config/shown.rs`), before anything leaves them.
//!
//! Invariant kept here: an archive is bounded, whatever the nodes answer.

mod archive;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use self::archive::Archive;
use super::value::{list, text};
use crate::cli::{AdminArgs, BundleArgs};
use crate::clock::{now, rfc3339};

/// What is asked of every node: the path, and the file that it becomes.
const ASKED: [(&str, &str); 10] = [
    ("/admin/v1/status", "status.json"),
    ("/readyz?verbose", "ready.json"),
    ("/admin/v1/replication", "replication.json"),
    ("/admin/v1/repairs", "repairs.json"),
    ("/admin/v1/nodes", "nodes.json"),
    ("/admin/v1/regions", "regions.json"),
    ("/admin/v1/groups?limit=100", "groups.json"),
    ("/admin/v1/config", "config.json"),
    ("/metrics", "metrics.txt"),
    ("/admin/v1/log-tail", "log.txt"),
];
/// Longest file of a bundle: status and metrics of the largest clusters are far below.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest bundle, before it is packed: what can still be sent to somebody.
const BUNDLE_BYTES_MAX: usize = 256 * 1024 * 1024;

pub(crate) async fn run(arguments: BundleArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let path = &arguments.out;
    // Nobody else is to read it, and nothing is written over.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    match collect(&arguments.to, file).await {
        Ok(collected) => {
            for missing in &collected.missing {
                writeln!(out, "not had: {missing}")?;
            }
            let (files, nodes) = (collected.files, collected.nodes);
            writeln!(out, "{}: {files} files of {nodes} nodes", path.display())?;
            Ok(())
        }
        Err(cause) => {
            // Half an archive helps nobody; that it stays would be said at the next try.
            let _ = std::fs::remove_file(path);
            Err(cause)
        }
    }
}

/// What has come of it.
struct Collected {
    files: usize,
    nodes: usize,
    missing: Vec<String>,
}

async fn collect(to: &AdminArgs, file: File) -> anyhow::Result<Collected> {
    let (asked, admin) = (to.client()?, to.admin.as_str());
    let nodes = asked.nodes().await;
    let nodes = nodes.with_context(|| format!("{admin} was not asked: name another node"))?;
    let made_at = rfc3339(now().as_millis());
    let mut archive = Archive::new(file, now().as_millis() / 1_000, BUNDLE_BYTES_MAX);
    let mut collected = Collected {
        files: 0,
        nodes: 0,
        missing: Vec::new(),
    };
    for node in list(&nodes["data"]) {
        let number = &node["node"];
        let is_asked = *number == nodes["seen_by"];
        let url = if is_asked {
            admin
        } else {
            text(&node["admin"])
        };
        let client = asked.at(url);
        let mut was_reached = false;
        for (path, name) in ASKED {
            match client.raw(path, FILE_BYTES_MAX).await {
                Ok((bytes, is_whole)) => {
                    was_reached = true;
                    if !is_whole {
                        let cut = format!("node {number}: {name} is cut at {FILE_BYTES_MAX} bytes");
                        collected.missing.push(cut);
                    }
                    if archive.add(&format!("node-{number}/{name}"), &bytes)? {
                        collected.files += 1;
                    } else {
                        let full = format!("node {number}: {name}, the bundle is full");
                        collected.missing.push(full);
                    }
                }
                Err(cause) => {
                    let missing = format!("node {number}: {name} from {url}: {cause}");
                    collected.missing.push(missing);
                    if !was_reached {
                        // It would be asked in vain for each of them.
                        break;
                    }
                }
            }
        }
        collected.nodes += usize::from(was_reached);
    }
    if collected.nodes == 0 {
        bail!("no node was reached: {}", collected.missing.join("; "));
    }
    let about = about(&made_at, admin, &collected);
    archive.add_always("bundle.json", format!("{about:#}\n").as_bytes())?;
    let missing = collected.missing.join("\n");
    archive.add_always("missing.txt", missing.as_bytes())?;
    archive.finish().context("cannot write the archive")?;
    Ok(collected)
}

fn about(made_at: &str, admin: &str, collected: &Collected) -> Value {
    json!({
        "made_at": made_at,
        "made_by": env!("CARGO_PKG_VERSION"),
        "asked": admin,
        "nodes": collected.nodes,
        "files": collected.files,
        "missing": collected.missing.len(),
    })
}
