//! `meridian nodes`, `groups`, `listing explain` and `log-filter`: what a node's operator API
//! knows, for people.

use std::io::Write;

use serde_json::Value;

use super::value::{list, millis, text};
use crate::cli::{ExplainArgs, GroupsCommand, LogFilterArgs, TableArgs};

/// Groups that one page of the API holds at most.
const PAGE_MAX: usize = 100;
/// What stands for the configured filter on the command line.
const CONFIGURED: &str = "default";

pub(crate) async fn nodes(arguments: TableArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = arguments.to.client()?;
    let answer = admin.nodes().await?;
    if arguments.json {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{:>6}  {:<16} {:<14} {:<9} {:<8} {:>9} {:>9} {:>7} {:>9}  admin",
        "node", "region", "zone", "state", "seen", "rtt", "lag", "lacks", "votes on"
    )?;
    for node in list(&answer["data"]) {
        writeln!(
            out,
            "{:>6}  {:<16} {:<14} {:<9} {:<8} {:>9} {:>9} {:>7} {:>9}  {}",
            node["node"],
            text(&node["region"]),
            text(&node["zone"]),
            text(&node["state"]),
            text(&node["standing"]),
            millis(&node["rtt_ms"]),
            millis(&node["lag_ms"]),
            number(&node["lacks"]),
            number(&node["votes_on"]),
            text(&node["admin"]),
        )?;
    }
    Ok(())
}

pub(crate) async fn groups(command: GroupsCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        GroupsCommand::List { limit, table } => groups_list(limit, table, out).await,
        GroupsCommand::Show { listing, to } => {
            let admin = to.client()?;
            let group = admin.group(&listing.to_string()).await?;
            writeln!(out, "{group:#}")?;
            Ok(())
        }
    }
}

async fn groups_list(
    limit: usize,
    arguments: TableArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let admin = arguments.to.client()?;
    let (mut found, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let page_limit = (limit - found.len()).min(PAGE_MAX);
        if page_limit == 0 {
            break;
        }
        let page = admin.groups(page_limit, cursor.as_deref()).await?;
        found.extend(list(&page["data"]).cloned());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if arguments.json {
        writeln!(out, "{:#}", Value::Array(found))?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<44} {:<9} {:>6}  {:<12} misplaced",
        "listing", "state", "leader", "voters"
    )?;
    for group in &found {
        let voters: Vec<String> = list(&group["voters"]).map(ToString::to_string).collect();
        writeln!(
            out,
            "{:<44} {:<9} {:>6}  {:<12} {}",
            text(&group["listing_id"]),
            text(&group["state"]),
            number(&group["leader"]),
            voters.join(","),
            group["misplaced"].as_str().unwrap_or("-"),
        )?;
    }
    if cursor.is_some() {
        writeln!(out, "there are more: --limit prints more of them")?;
    }
    Ok(())
}

pub(crate) async fn explain(arguments: ExplainArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = arguments.table.to.client()?;
    let known = admin.explain(&arguments.listing.to_string()).await?;
    if arguments.table.json {
        writeln!(out, "{known:#}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{}, as seen by node {}\n",
        arguments.listing, known["seen_by"]
    )?;
    for name in [
        "document", "replicas", "voters", "leader", "group", "bookings",
    ] {
        writeln!(out, "{name:<10} {}", text(&known["said"][name]))?;
    }
    if let Some(why) = known["said"]["burial"].as_str() {
        writeln!(out, "{:<10} {why}", "burial")?;
    }
    if let Some(why) = known["group"]["misplaced"].as_str() {
        writeln!(out, "{:<10} {why}", "misplaced")?;
    }
    writeln!(
        out,
        "\n{:>6}  {:<16} {:<11} {:>9} {:<10} {:>7}  heads",
        "node", "region", "reached", "lag", "group", "applied"
    )?;
    for replica in list(&known["replicas"]) {
        let reached = if replica["reached"] == true {
            "yes"
        } else {
            "no"
        };
        writeln!(
            out,
            "{:>6}  {:<16} {reached:<11} {:>9} {:<10} {:>7}  {}",
            replica["node"],
            text(&replica["region"]),
            millis(&replica["lag_ms"]),
            replica["group"]["role"].as_str().unwrap_or("-"),
            number(&replica["group"]["applied_index"]),
            replica["heads"].as_str().unwrap_or("-"),
        )?;
    }
    let mut standing = list(&known["bookings"]["reservations"]).peekable();
    if standing.peek().is_some() {
        writeln!(out, "\nstanding in the ledger")?;
    }
    for one in standing {
        writeln!(
            out,
            "{:>6}  {:<16} {} to {}  {}",
            one["number"],
            text(&one["state"]),
            text(&one["from"]),
            text(&one["to"]),
            one["payment"].as_str().unwrap_or(""),
        )?;
    }
    Ok(())
}

pub(crate) async fn log_filter(
    arguments: LogFilterArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let admin = arguments.to.client()?;
    let standing = match arguments.filter.as_deref() {
        None => admin.log_filter().await?,
        Some(CONFIGURED) => {
            admin.put_log_filter_back().await?;
            admin.log_filter().await?
        }
        Some(filter) => admin.change_log_filter(filter, arguments.seconds).await?,
    };
    let filter = text(&standing["filter"]);
    match standing["until"].as_str() {
        None => writeln!(out, "{filter}")?,
        Some(until) => {
            let configured = text(&standing["configured"]);
            writeln!(out, "{filter} until {until}, then {configured}")?;
        }
    }
    Ok(())
}

fn number(value: &Value) -> String {
    value
        .as_u64()
        .map_or_else(|| "-".to_owned(), |number| number.to_string())
}
