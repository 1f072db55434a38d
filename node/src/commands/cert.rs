//! `meridian cert`: the cluster's authority and its nodes' certificates.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use meridian_regions::ClusterName;
use meridian_transport::pki::{Authority, NODE_LIFE};
use meridian_transport::{NodeIdentity, certificates_in, certified_in};
use serde_json::Value;

use super::value::{list, text};
use crate::cli::CertCommand;

pub(crate) async fn run(command: CertCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        CertCommand::Bundle {
            authorities,
            out: file,
        } => bundle(&authorities, &file, out),
        CertCommand::Show(table) => {
            let shown = table.to.client()?.certificates().await?;
            tell(&shown, table.json, out)
        }
        CertCommand::Reload(table) => {
            let shown = table.to.client()?.reload_certificates().await?;
            tell(&shown, table.json, out)?;
            let mut refused = list(&shown["sets"]).filter_map(|set| set["refused"].as_str());
            match refused.next() {
                None => Ok(()),
                Some(cause) => bail!("those before stay in force: {cause}"),
            }
        }
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

/// Written beside and put in place whole: a node that looks meanwhile reads all or nothing.
fn bundle(authorities: &[PathBuf], file: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let mut bundle = String::new();
    for authority in authorities {
        let _readable = certified_in(authority)?;
        let text = std::fs::read_to_string(authority);
        bundle += &text.with_context(|| format!("cannot read {}", authority.display()))?;
        if !bundle.ends_with('\n') {
            bundle.push('\n');
        }
    }
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let written =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).and_then(|mut new| {
            new.write_all(bundle.as_bytes())?;
            new.as_file().sync_all()?;
            new.as_file()
                .set_permissions(Permissions::from_mode(0o644))?;
            new.persist(file).map_err(|failed| failed.error)
        });
    written.with_context(|| format!("cannot write {}", file.display()))?;
    let many = certificates_in(file)?;
    writeln!(out, "{} holds {many} certificates", file.display())?;
    Ok(())
}

fn tell(shown: &Value, as_json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(shown)?)?;
        return Ok(());
    }
    for set in list(&shown["sets"]) {
        for certificate in list(&set["certificates"]) {
            writeln!(
                out,
                "{:<10} until {}  serial {}",
                text(&certificate["what"]),
                text(&certificate["until"]),
                text(&certificate["serial"])
            )?;
        }
        writeln!(
            out,
            "           in force since {}, change {} since start",
            text(&set["since"]),
            set["changes"]
        )?;
        if let Some(cause) = set["refused"].as_str() {
            writeln!(
                out,
                "           what the files hold is NOT in force: {cause}"
            )?;
        }
    }
    for link in list(&shown["links"]) {
        let state = match (&link["connected"], &link["outdated"], &link["retiring"]) {
            (Value::Bool(false), ..) => "not connected",
            (_, Value::Bool(true), _) => "by earlier certificates, about to be renewed",
            (_, _, retiring) if *retiring != 0 => "renewed; the one before is not yet closed",
            _ => "by those in force",
        };
        writeln!(out, "link to node {}: {state}", link["node"])?;
    }
    Ok(())
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}
