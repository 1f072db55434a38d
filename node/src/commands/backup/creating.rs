//! `meridian backup create`: every node sends its part, then the manifest is written.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use meridian_client::{AdminClient, CallError};
use meridian_regions::FormatLevel;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::opened;
use crate::backup::{Manifest, Part, Work, raised};
use crate::cli::BackupCreateArgs;

/// How often a node is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// The same, of one that does not answer.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a node may be silent: restarts and bad links are over by then.
const SILENCE_MAX: Duration = Duration::from_secs(5 * 60);

/// One node that is to be backed up.
struct Asked {
    node: u64,
    is_up: bool,
    admin: AdminClient,
}

pub(super) async fn create(
    arguments: BackupCreateArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let first = arguments.admin.client()?;
    let nodes = first.nodes().await.context("the nodes of the cluster")?;
    let map = first.backups().await?["map"].as_str().map(str::to_owned);
    let map = map.context("the node does not tell its map: it is of an earlier version")?;
    let mut asked = all_of(&first, &nodes)?;
    let mut missing = Vec::new();
    if arguments.allow_down {
        (asked, missing) = asked.into_iter().partition(|one| one.is_up);
    }
    let target = opened(&arguments.to).await?;
    let began_at = Timestamp::now();
    let id = Manifest::name_at(began_at);
    let occupied = target.occupy(Work::Backup, &id).await?;
    let made = async {
        // Asked before and after: a node that comes back while others send is in no part.
        let mut lacks = lacks_without(&missing, &first).await?;
        let (parts, level) = parts_of(&asked, &id, &arguments.to, out).await?;
        lacks.extend(lacks_without(&missing, &first).await?);
        lacks.sort_unstable();
        lacks.dedup();
        let manifest = Manifest {
            id,
            cluster: nodes["cluster"].as_str().unwrap_or_default().to_owned(),
            began_at,
            ended_at: Timestamp::now(),
            map: raised(&map, level)?,
            parts,
            missing: missing.iter().map(|one| one.node).collect(),
            lacks,
        };
        target.write_manifest(&manifest).await?;
        anyhow::Ok(manifest)
    };
    let made = made.await;
    let freed = occupied.free().await;
    let manifest = made?;
    tell(&manifest, out)?;
    tell_freed(freed, out)?;
    ensure!(
        manifest.lacks.is_empty(),
        "backup {} is kept and INCOMPLETE: {}",
        manifest.id,
        manifest.lacks.join("; ")
    );
    tell_nodes(&asked, &manifest, &arguments.to, out).await
}

fn tell(manifest: &Manifest, out: &mut impl Write) -> anyhow::Result<()> {
    if !manifest.missing.is_empty() {
        let missing: Vec<String> = manifest.missing.iter().map(u64::to_string).collect();
        writeln!(
            out,
            "without nodes {}, which are down: what they had acknowledged to hosts, and no other \
             node had fetched, is not in it",
            missing.join(", ")
        )?;
    }
    let files_sent: u64 = manifest.parts.iter().map(|part| part.files_sent).sum();
    let bytes_sent: u64 = manifest.parts.iter().map(|part| part.bytes_sent).sum();
    writeln!(
        out,
        "backup {}: {} nodes, {} files, {} bytes; sent {files_sent} files, {bytes_sent} bytes",
        manifest.id,
        manifest.parts.len(),
        manifest.files().count(),
        manifest.bytes(),
    )?;
    Ok(())
}

/// What the others lack without nodes that are down.
async fn lacks_without(missing: &[Asked], first: &AdminClient) -> anyhow::Result<Vec<String>> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    Ok(lacks(&first.status().await?["verdict"]))
}

/// What the nodes that are up do not have between them: the verdict counts what stops with those
/// that are down. What it does not know counts as lacking.
fn lacks(verdict: &Value) -> Vec<String> {
    let stopped = |of: &str, what: &str| match verdict[of]["state"].as_str() {
        Some("kept" | "nothing") => None,
        Some("stopped") => Some(format!("{what} with a node that is down")),
        _ => Some(format!(
            "it is not known yet whether {what} with a node that is down: repeat it in a minute"
        )),
    };
    let lacks = [
        stopped(
            "bookings",
            "some listings have most of the voters of their bookings",
        ),
        stopped("reads", "some listings have every copy"),
    ];
    lacks.into_iter().flatten().collect()
}

/// Tells every node that the backup is complete: that is what warns when the next one is late.
async fn tell_nodes(
    asked: &[Asked],
    manifest: &Manifest,
    to: &str,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let complete = json!({
        "backup": manifest.id,
        "to": to,
        "complete": {"began_at": manifest.began_at, "missing": manifest.missing},
    });
    for one in asked {
        if let Err(cause) = one.admin.note_backup(&complete).await {
            writeln!(
                out,
                "WARNING: node {} was not told that this backup is complete, and warns as if it \
                 were not: {cause}",
                one.node
            )?;
        }
    }
    Ok(())
}

/// What is done is done; the mark that stays keeps others away.
pub(super) fn tell_freed(freed: anyhow::Result<()>, out: &mut impl Write) -> anyhow::Result<()> {
    if let Err(cause) = freed {
        writeln!(
            out,
            "WARNING: the mark that work is under way there stays; remove it by hand: {cause:#}"
        )?;
    }
    Ok(())
}

/// Has every node send its part, all at once, and waits for them. Answers the latest level of
/// formats of which anything in them may be: nodes may have gone on to it since the map was read.
async fn parts_of(
    asked: &[Asked],
    id: &str,
    to: &str,
    out: &mut impl Write,
) -> anyhow::Result<(Vec<Part>, FormatLevel)> {
    for one in asked {
        let begun = begun(one, id, to).await;
        begun.with_context(|| format!("node {}", one.node))?;
    }
    let (mut parts, mut latest) = (Vec::new(), FormatLevel::FIRST);
    for one in asked {
        let followed = followed(one, id, out).await;
        let (part, level) = followed.with_context(|| format!("node {}", one.node))?;
        parts.push(part);
        latest = latest.max(level);
    }
    Ok((parts, latest))
}

/// Has a node begin. Where its answer is lost, it is asked what it does.
async fn begun(one: &Asked, id: &str, to: &str) -> anyhow::Result<()> {
    match one.admin.back_up(id, to).await {
        Err(error) if error.outcome_unknown() && latest(one).await?["backup"] == id => Ok(()),
        begun => Ok(begun.map(drop)?),
    }
}

/// What a node says of its latest backup: a link that was lost for a while ends nothing.
async fn latest(one: &Asked) -> anyhow::Result<Value> {
    let until = Instant::now() + SILENCE_MAX;
    loop {
        match one.admin.backups().await {
            Ok(mut told) => return Ok(told["run"].take()),
            Err(error) if Instant::now() < until && is_passing(&error) => sleep(ASK_AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_passing(error: &CallError) -> bool {
    error.outcome_unknown() || error.is_retryable()
}

/// Every node that is not removed.
fn all_of(first: &AdminClient, nodes: &Value) -> anyhow::Result<Vec<Asked>> {
    let data = nodes["data"].as_array().context("no list of nodes")?;
    let there = data.iter().filter(|node| node["standing"] != "removed");
    let asked = there.map(|node| {
        let url = node["admin"].as_str().filter(|url| !url.is_empty());
        let url =
            url.with_context(|| format!("the map has no operator API of node {}", node["node"]))?;
        Ok(Asked {
            node: node["node"].as_u64().context("a node without a number")?,
            is_up: node["standing"] == "up" || node["standing"] == "this",
            admin: first.at(url),
        })
    });
    asked.collect()
}

/// A node's part, and the latest level of which anything in it may be.
fn done(run: &Value) -> anyhow::Result<(Part, FormatLevel)> {
    let part = serde_json::from_value(run["part"].clone())?;
    // A node of an earlier release does not tell: the map has to do.
    let level = Option::deserialize(&run["format_level"])?;
    Ok((part, level.unwrap_or_default()))
}

/// Waits for a node's part, and tells how far it is.
async fn followed(
    asked: &Asked,
    id: &str,
    out: &mut impl Write,
) -> anyhow::Result<(Part, FormatLevel)> {
    let mut told = String::new();
    loop {
        let run = latest(asked).await?;
        ensure!(
            run["backup"] == id,
            "it was restarted meanwhile: begin again, what it has sent is not sent twice"
        );
        match run["state"].as_str() {
            Some("done") => return done(&run),
            Some("failed") => bail!("{}", run["cause"].as_str().unwrap_or("it has failed")),
            _ => {}
        }
        let line = format!(
            "node {}: {} of {} files, {} bytes sent",
            asked.node, run["files_done"], run["files"], run["bytes_sent"]
        );
        if line != told {
            writeln!(out, "{line}")?;
            told = line;
        }
        sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use meridian_client::AdminClient;
    use meridian_regions::{FormatLevel, Formats, Levels};
    use meridian_transport::LevelWitness;
    use serde_json::json;
    use tempfile::TempDir;

    use super::{Asked, done, parts_of};
    use crate::admin;
    use crate::data_folder::RunningFolder;
    use crate::solo::Solo;

    /// A peer writes a later level while the map, which was read before, says the earlier one.
    #[tokio::test(flavor = "multi_thread")]
    async fn parts_tell_the_latest_level_of_which_anything_in_them_may_be() {
        let target = TempDir::new().expect("a folder");
        let to = target.path().to_str().expect("a path of text");
        let solo = Solo::start_with(|config| config.backup.to = vec![to.to_owned()]);
        let url = solo.serve(admin::router(solo.node.clone())).await;
        let asked = [Asked {
            node: 1,
            is_up: true,
            admin: AdminClient::new(url).expect("a client"),
        }];
        let made = parts_of(&asked, "first", to, &mut Vec::new()).await;
        let (parts, level) = made.expect("sent");
        assert_eq!((parts.len(), level), (1, FormatLevel::FIRST));
        let mixed = Formats {
            levels: Levels::REHEARSED,
            active: FormatLevel::FIRST,
        };
        let folder = &solo.node.config.node.data_dir;
        let folder = RunningFolder::claim(folder, &solo.node.identity, &[], mixed);
        let noted = folder.expect("its own").witness(FormatLevel::REHEARSED);
        noted.expect("written");
        let made = parts_of(&asked, "second", to, &mut Vec::new()).await;
        assert_eq!(made.expect("sent").1, FormatLevel::REHEARSED);
        solo.stop().await;
    }

    #[test]
    fn node_that_tells_no_level_leaves_it_to_the_map() {
        let part = json!({"node": 1, "files": [], "files_sent": 0, "bytes_sent": 0});
        let (_, level) = done(&json!({"part": part})).expect("a part");
        assert_eq!(level, FormatLevel::FIRST);
        let (_, level) = done(&json!({"part": part, "format_level": 3})).expect("a part");
        assert_eq!(level, FormatLevel::REHEARSED);
    }
}
