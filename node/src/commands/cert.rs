//! `meridian cert`: the cluster's authority and its nodes' certificates.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use meridian_regions::ClusterName;
use meridian_transport::NodeIdentity;
use meridian_transport::pki::{Authority, NODE_LIFE};

use crate::cli::CertCommand;

pub(crate) fn run(command: CertCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        CertCommand::Ca {
            cluster,
            out: folder,
        } => make_authority(&cluster, &folder, out),
        CertCommand::Node {
            ca,
            region,
            node,
            out: folder,
            valid_for,
        } => {
            let life = valid_for.map(Duration::try_from).transpose();
            let life = life.context("--valid-for: a time that lies ahead, as in 2160h")?;
            let authority = Authority::load(&ca)
                .with_context(|| format!("cannot use the authority in {}", ca.display()))?;
            let identity = NodeIdentity {
                cluster: authority.cluster().clone(),
                region,
                node,
            };
            make_folder(&folder)?;
            authority
                .issue_for(&identity, life.unwrap_or(NODE_LIFE))?
                .save(&folder, &format!("node-{node}"))?;
            writeln!(
                out,
                "node-{node}.pem and node-{node}.key are in {}: they prove node {node} of {} in cluster {}",
                folder.display(),
                identity.region,
                identity.cluster,
            )?;
            Ok(())
        }
    }
}

fn make_authority(
    cluster: &ClusterName,
    folder: &Path,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    make_folder(folder)?;
    Authority::create(cluster)?.save(folder)?;
    writeln!(
        out,
        "ca.pem and ca.key are in {}: give ca.pem to every node, and keep ca.key away from all of them",
        folder.display()
    )?;
    Ok(())
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}
