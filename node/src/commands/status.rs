//! `meridian status`: the verdict of one node, then how it and its links are, for people.

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::paint::{Look, Paint};
use super::value::{list, millis, text};
use super::{Done, verdict};
use crate::cli::StatusArgs;

/// What `--json` prints: what leads stands first.
#[derive(Serialize)]
struct Said<'a> {
    verdict: &'a Value,
    status: &'a Value,
    replication: &'a Value,
}

pub(crate) async fn run(arguments: StatusArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    let admin = arguments.credentials.admin(arguments.admin.clone())?;
    let unasked = || {
        format!(
            "{} was not asked: name another node by --admin",
            arguments.admin
        )
    };
    let status = admin.status().await.with_context(unasked)?;
    let replication = admin.replication().await.with_context(unasked)?;
    let said = Said {
        verdict: &status["verdict"],
        status: &status,
        replication: &replication,
    };
    let done = verdict::done(said.verdict);
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&said)?)?;
        return Ok(done);
    }
    let paint = Paint::of(&io::stdout());
    verdict::tell(said.verdict, paint, out)?;
    writeln!(out)?;
    tell_node(&status, &replication, paint, out)?;
    tell_backups(&status["backups"], out)?;
    tell_return(&status["returning"], out)?;
    tell_left_behind(&replication, out)?;
    for drain in list(&status["drains"]) {
        let node = &drain["node"];
        writeln!(out, "\ndraining node {node}: {}", progress(drain))?;
    }
    for rebalance in list(&status["rebalances"]) {
        let region = rebalance["region"].as_str().unwrap_or("every region");
        writeln!(out, "\nbalancing {region}: {}", progress(rebalance))?;
    }
    Ok(done)
}

/// How the node that was asked, and its links, are.
fn tell_node(
    status: &Value,
    replication: &Value,
    paint: Paint,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let line = format!(
        "As seen by node {} in {} (cluster {}, version {})",
        status["node"],
        text(&status["region"]),
        text(&status["cluster"]),
        text(&status["version"])
    );
    writeln!(out, "{}", paint.text(Look::Strong, line))?;
    writeln!(
        out,
        "{} listings, {} documents open, {} Raft groups awake, {} changes set aside\n",
        status["listings"],
        status["documents_hot"],
        status["groups_awake"],
        replication["quarantined"]
    )?;
    writeln!(
        out,
        "{:>6}  {:<16} {:<12} {:>9} {:>9} {:>6} {:>9}",
        "node", "region", "link", "rtt", "± rtt", "phi", "lag"
    )?;
    for peer in status["peers"].as_array().into_iter().flatten() {
        let lag = replication["lag"]
            .as_array()
            .and_then(|lags| lags.iter().find(|lag| lag["origin"] == peer["node"]))
            .map_or(&Value::Null, |lag| &lag["lag_ms"]);
        let link = match (&peer["connected"], &peer["reachable"]) {
            (Value::Bool(true), Value::Bool(false)) => "silent",
            (Value::Bool(true), _) => "connected",
            _ => "cut off",
        };
        writeln!(
            out,
            "{:>6}  {:<16} {:<12} {:>9} {:>9} {:>6} {:>9}",
            peer["node"],
            text(&peer["region"]),
            link,
            millis(&peer["rtt_ms"]),
            millis(&peer["rtt_deviation_ms"]),
            phi(&peer["phi"]),
            millis(lag)
        )?;
    }
    if let Some(warning) = status["auth"]["warning"].as_str() {
        writeln!(out, "\nopen to everybody: {warning}")?;
    }
    Ok(())
}

/// When the last backup was, where some are expected.
fn tell_backups(backups: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(age_max) = backups["age_max_seconds"].as_u64() else {
        return Ok(());
    };
    let Some(backup) = backups["backup"].as_str() else {
        writeln!(
            out,
            "\nno backup is known of, and `backup.to` names a place for some"
        )?;
        return Ok(());
    };
    let age = backups["age_seconds"].as_u64().unwrap_or(0);
    let overdue = match backups["overdue"] == true {
        true => format!(": OVERDUE, at most {} are allowed", hours(age_max)),
        false => String::new(),
    };
    writeln!(
        out,
        "\nlast backup {backup} in {}, {} ago{overdue}",
        text(&backups["to"]),
        hours(age)
    )?;
    let missing: Vec<String> = list(&backups["missing"]).map(Value::to_string).collect();
    if !missing.is_empty() {
        writeln!(
            out,
            "  without nodes {}, which were down",
            missing.join(", ")
        )?;
    }
    Ok(())
}

fn hours(seconds: u64) -> String {
    match seconds / 3_600 {
        0 => format!("{} minutes", seconds / 60),
        hours => format!("{hours} hours"),
    }
}

/// How the return of a node that has lost its records goes.
fn tell_return(returning: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    if returning.is_null() {
        return Ok(());
    }
    let left = returning["left"].as_u64();
    let left = left.map_or_else(|| "counting the".to_owned(), |left| left.to_string());
    writeln!(out, "\ncoming back without its records: {left} groups left")?;
    for why in [&returning["last_error"], &returning["own_log"]] {
        if let Some(why) = why.as_str() {
            writeln!(out, "  {why}")?;
        }
    }
    Ok(())
}

/// Who lacks changes that are in no log any more.
fn tell_left_behind(replication: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    let others = list(&replication["followers"]);
    for other in others.filter(|other| other["left_behind"] == true) {
        let (node, advice) = (&other["node"], text(&other["advice"]));
        writeln!(out, "\nnode {node} is left behind: {advice}")?;
    }
    for way in list(&replication["catching_up"]) {
        let (peer, lacks, advice) = (&way["peer"], &way["lacks"], text(&way["advice"]));
        writeln!(
            out,
            "\nleft behind: {lacks} changes are trimmed at node {peer}: {advice}"
        )?;
        if let Some(why) = way["last_error"].as_str() {
            writeln!(out, "  {why}")?;
        }
    }
    Ok(())
}

/// What has come of a wish to move groups.
fn progress(wish: &Value) -> String {
    let state = match wish["done_at"].as_str() {
        Some(at) => format!("done at {at}"),
        None => format!("{} left", wish["left"]),
    };
    format!("{} groups moved, {state}", wish["moved"])
}

fn phi(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |phi| format!("{phi:.1}"))
}
