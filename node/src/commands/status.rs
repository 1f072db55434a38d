//! `meridian status`: one node and its links, for people.

use std::io::Write;

use meridian_client::AdminClient;
use serde_json::{Value, json};

use crate::cli::StatusArgs;

pub(crate) async fn run(arguments: StatusArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = AdminClient::new(arguments.admin)?;
    let status = admin.status().await?;
    let replication = admin.replication().await?;
    if arguments.json {
        let both = json!({"status": status, "replication": replication});
        writeln!(out, "{both:#}")?;
        return Ok(());
    }
    writeln!(
        out,
        "node {} in {} (cluster {}, version {})",
        status["node"],
        text(&status["region"]),
        text(&status["cluster"]),
        text(&status["version"])
    )?;
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
    Ok(())
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

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn phi(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |phi| format!("{phi:.1}"))
}

fn millis(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |millis| format!("{millis:.1} ms"))
}
