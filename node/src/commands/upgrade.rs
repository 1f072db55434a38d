//! `meridian upgrade`: where an upgrade stands, and its end.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context;
use futures::future::join_all;
use meridian_client::AdminClient;
use serde_json::{Value, json};

use super::value::{list, text};
use super::{Done, layout};
use crate::cli::{FinalizeArgs, TableArgs, UpgradeCommand};

pub(crate) async fn run(command: UpgradeCommand, out: &mut impl Write) -> anyhow::Result<Done> {
    match command {
        UpgradeCommand::Check(table) => check(table, out).await,
        UpgradeCommand::Finalize(arguments) => finalize(arguments, out).await,
    }
}

async fn check(table: TableArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    let admin = table.to.client()?;
    let mut upgrade = admin.upgrade().await?;
    ask_others(&admin, &mut upgrade).await?;
    let status = admin.status().await?;
    let done = done(&upgrade, &status["verdict"]);
    if table.json {
        writeln!(out, "{upgrade:#}")?;
        return Ok(done);
    }
    tell(&upgrade, out)?;
    Ok(done)
}

/// Asks every other node itself for what is under way there; one that is not reached from here
/// is known by what it has told the first.
async fn ask_others(admin: &AdminClient, upgrade: &mut Value) -> anyhow::Result<()> {
    let nodes = admin.nodes().await?;
    let asked = upgrade["seen_by"].clone();
    let others = list(&nodes["data"]).filter(|node| node["node"] != asked);
    let others = others.filter(|node| node["standing"] == "up");
    let answers = others.map(|node| async {
        let own = admin.at(text(&node["admin"])).upgrade().await;
        (node["node"].to_string(), own.ok())
    });
    let answers: BTreeMap<String, Option<Value>> = join_all(answers).await.into_iter().collect();
    let mut unasked = Vec::new();
    for (node, answer) in answers {
        let busy: Vec<Value> = match answer {
            Some(answer) => list(&answer["busy"]).cloned().collect(),
            None => {
                let unknown = format!("node {node} was not asked what is under way there");
                unasked.push(node);
                vec![json!(unknown)]
            }
        };
        for busy in busy {
            let hindrances = upgrade["restart"]["blocked_by"].as_array_mut();
            let hindrances = hindrances.context("an answer of another version")?;
            if !hindrances.contains(&busy) {
                hindrances.push(busy);
            }
            upgrade["restart"]["safe"] = json!(false);
        }
    }
    upgrade["not_asked"] = json!(unasked);
    Ok(())
}

fn done(upgrade: &Value, verdict: &Value) -> Done {
    let stopped = |of: &str| verdict[of]["state"] == "stopped";
    if stopped("bookings") || stopped("reads") {
        return Done::Stopped;
    }
    let blocked = list(&upgrade["finalize"]["blocked_by"]).next().is_some();
    match upgrade["restart"]["safe"] == true && !blocked {
        true => Done::Well,
        false => Done::Degraded,
    }
}

fn tell(upgrade: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "cluster {}, map epoch {}: format level {} is written",
        text(&upgrade["cluster"]),
        upgrade["epoch"],
        upgrade["active"]
    )?;
    writeln!(
        out,
        "\n{:>6}  {:<16} {:<10} {:<12} {:<8} {:<7} heard",
        "node", "region", "state", "release", "speaks", "writes"
    )?;
    for node in list(&upgrade["nodes"]) {
        let speaks = match node["latest"].is_null() {
            true => "?".to_owned(),
            false => format!("{} to {}", node["oldest"], node["latest"]),
        };
        let heard = if node["heard"] == true { "yes" } else { "no" };
        writeln!(
            out,
            "{:>6}  {:<16} {:<10} {:<12} {:<8} {:<7} {heard}",
            node["node"],
            text(&node["region"]),
            text(&node["state"]),
            node["release"].as_str().unwrap_or("?"),
            speaks,
            node["active"].to_string().replace("null", "?"),
        )?;
    }
    let unasked: Vec<&str> = list(&upgrade["not_asked"]).map(text).collect();
    if !unasked.is_empty() {
        let unasked = unasked.join(", ");
        let asked = &upgrade["seen_by"];
        writeln!(
            out,
            "not reached from here, known by way of node {asked}: {unasked}"
        )?;
    }
    tell_finalize(upgrade, out)?;
    match upgrade["restart"]["safe"] == true {
        true => writeln!(out, "\na node may be restarted now, one at a time")?,
        false => {
            writeln!(out, "\nno node should be restarted now:")?;
            tell_all(&upgrade["restart"]["blocked_by"], out)?;
        }
    }
    Ok(())
}

fn tell_finalize(upgrade: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    let finalize = &upgrade["finalize"];
    let level = &finalize["level"];
    if level.is_null() {
        writeln!(out, "\nthere is no later level to turn on")?;
    } else if list(&finalize["blocked_by"]).next().is_some() {
        writeln!(out, "\nlevel {level} cannot be turned on yet:")?;
        tell_all(&finalize["blocked_by"], out)?;
    } else if upgrade["keeps_its_map"] == true {
        writeln!(
            out,
            "\nlevel {level} can be turned on by `meridian upgrade finalize`; until then every node can go back to the release that it came from"
        )?;
        if let Some(after) = finalize["automatic_after_seconds"].as_u64() {
            writeln!(
                out,
                "it is turned on by itself once every node has spoken it for {after} seconds (`upgrade.finalize`)"
            )?;
        }
    } else {
        writeln!(
            out,
            "\nevery node speaks level {level}; to turn it on, run `meridian init` first, once"
        )?;
    }
    Ok(())
}

fn tell_all(sentences: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    for sentence in list(sentences) {
        writeln!(out, "  {}", text(sentence))?;
    }
    Ok(())
}

fn epoch_of(upgrade: &Value) -> anyhow::Result<u64> {
    upgrade["epoch"].as_u64().context("a map without an epoch")
}

async fn finalize(arguments: FinalizeArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    let admin = arguments.to.client()?;
    let upgrade = admin.upgrade().await?;
    let Some(level) = upgrade["finalize"]["level"].as_u64() else {
        // Also what a first try has done whose answer was lost.
        writeln!(
            out,
            "format level {} is on already (epoch {}), and no node speaks a later one",
            upgrade["active"], upgrade["epoch"]
        )?;
        if !arguments.no_wait && upgrade["keeps_its_map"] == true {
            layout::follow(&admin, epoch_of(&upgrade)?, out).await?;
        }
        return Ok(Done::Well);
    };
    let epoch = epoch_of(&upgrade)?;
    let raised = match admin.finalize_upgrade(epoch, level).await {
        // Whether it took effect is not known; if it did, the second time finds it done.
        Err(error) if error.outcome_unknown() => admin.finalize_upgrade(epoch, level).await?,
        raised => raised?,
    };
    let epoch = epoch_of(&raised)?;
    writeln!(
        out,
        "format level {level} is on (epoch {epoch}): from now on every node needs a release that speaks it"
    )?;
    if !arguments.no_wait {
        layout::follow(&admin, epoch, out).await?;
    }
    Ok(Done::Well)
}
