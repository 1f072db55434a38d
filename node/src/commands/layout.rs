//! `meridian init` and `meridian layout`: the cluster's map, shown and changed.

mod planned;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use meridian_client::AdminClient;
use serde_json::{Value, json};

use crate::cli::{InitArgs, LayoutChange, LayoutCommand};

/// How often it is looked which nodes have taken the map over.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest that a change is followed: nodes that are away take it over when they come back.
const FOLLOW_MAX: Duration = Duration::from_secs(300);

pub(crate) async fn init(arguments: InitArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = arguments.to.client()?;
    let layout = admin.found_layout().await?;
    writeln!(
        out,
        "the cluster keeps its map itself from now on (epoch {}); topology files are not read any more",
        layout["map"]["epoch"]
    )?;
    Ok(())
}

pub(crate) async fn run(command: LayoutCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        LayoutCommand::Show(table) => {
            let layout = table.to.client()?.layout().await?;
            if table.json {
                writeln!(out, "{layout:#}")?;
                return Ok(());
            }
            show(&layout, out)
        }
        LayoutCommand::Plan(table) => {
            let admin = table.to.client()?;
            let plan = admin.plan_layout().await?;
            if table.json {
                let plan = planned::whole(&admin, plan).await?;
                writeln!(out, "{plan:#}")?;
                return Ok(());
            }
            tell_plan(&plan, out)
        }
        LayoutCommand::Revert(table) => {
            table.to.client()?.revert_layout().await?;
            writeln!(out, "nothing waits to be applied")?;
            Ok(())
        }
        LayoutCommand::Apply(apply) => {
            let admin = apply.to.client()?;
            let plan = admin.plan_layout().await?;
            tell_plan(&plan, out)?;
            let (lost, next) = (&plan["plan"]["lost"], &plan["plan"]["epoch"]);
            if *lost != json!(0) && !apply.accept_loss {
                bail!(
                    "{lost} listings would never be booked again: bring their nodes back first, or give up these bookings by --accept-loss"
                );
            }
            let epoch = next.as_u64().context("a plan without an epoch")?;
            match plan["revision"].as_u64() {
                Some(revision) => admin.apply_layout_of(epoch, revision).await?,
                // A node of an earlier release, which applies whatever waits.
                None => admin.apply_layout(epoch).await?,
            };
            writeln!(out, "\nepoch {epoch} is in force")?;
            if apply.no_wait {
                return Ok(());
            }
            follow(&admin, epoch, out).await
        }
        LayoutCommand::Stage(change) => stage(change, out).await,
    }
}

async fn stage(change: LayoutChange, out: &mut impl Write) -> anyhow::Result<()> {
    let (to, change) = change.into_parts();
    let layout = to.client()?.stage_layout(&change).await?;
    let waiting = list(&layout["staged"]).count();
    writeln!(
        out,
        "staged, {waiting} in all; `meridian layout plan` says what it costs, `apply` puts it in force"
    )?;
    Ok(())
}

fn show(layout: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    let map = &layout["map"];
    writeln!(
        out,
        "cluster {}, epoch {}",
        text(&map["cluster"]),
        map["epoch"]
    )?;
    if layout["genesis"].is_null() {
        writeln!(
            out,
            "it goes by its topology files; `meridian init` lets it keep its map itself"
        )?;
    }
    if let Some(stale) = layout["stale"].as_str() {
        writeln!(out, "as the node that was asked knows it: {stale}")?;
    }
    writeln!(
        out,
        "\n{:>6}  {:<16} {:<16} {:<10} peer",
        "node", "region", "zone", "state"
    )?;
    for node in list(&map["nodes"]) {
        writeln!(
            out,
            "{:>6}  {:<16} {:<16} {:<10} {}",
            node["id"],
            text(&node["region"]),
            text(&node["zone"]),
            text(&node["state"]),
            text(&node["peer"])
        )?;
    }
    tell_changes(&layout["staged"], "waiting to be applied:", out)
}

fn tell_plan(plan: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    tell_changes(&plan["changes"], "changes:", out)?;
    let plan = &plan["plan"];
    writeln!(
        out,
        "\n{} listings: bookings of {} move",
        plan["listings"], plan["moving"]
    )?;
    if plan["lost"] != json!(0) {
        writeln!(
            out,
            "  {} lose their quorum for good: nobody can book them any more",
            plan["lost"]
        )?;
    }
    if plan["unplaceable"] != json!(0) {
        let why = text(&plan["unplaceable_why"]);
        writeln!(
            out,
            "  {} should move and cannot: {why}",
            plan["unplaceable"]
        )?;
    }
    for line in planned::lines(plan) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

fn tell_changes(changes: &Value, head: &str, out: &mut impl Write) -> anyhow::Result<()> {
    for (index, change) in list(changes).enumerate() {
        if index == 0 {
            writeln!(out, "\n{head}")?;
        }
        writeln!(out, "  {}", described(change))?;
    }
    Ok(())
}

/// A change in words.
fn described(change: &Value) -> String {
    let node = &change["node"];
    match change["change"].as_str() {
        Some("add-region") => format!("region {} comes", text(&change["region"]["id"])),
        Some("add-node") => format!(
            "node {} comes, in {} / {}",
            node["id"],
            text(&node["region"]),
            text(&node["zone"])
        ),
        Some("set-state") => format!("node {node} is {}", text(&change["state"])),
        Some("readdress") => format!("node {node} is reached at {}", text(&change["peer"])),
        Some("remove-region") => format!("region {} is lost for good", text(&change["region"])),
        _ => change.to_string(),
    }
}

/// Tells which nodes have taken the map over until all have that live.
pub(super) async fn follow(
    admin: &AdminClient,
    epoch: u64,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let until = tokio::time::Instant::now() + FOLLOW_MAX;
    let mut told = 0;
    loop {
        // The node that is asked begins anew itself: it is not always there.
        if let Ok(layout) = admin.layout().await {
            let (behind, all) = behind(admin, &layout, epoch).await;
            if behind.is_empty() {
                writeln!(out, "every node runs by it")?;
                return Ok(());
            }
            if all - behind.len() > told {
                told = all - behind.len();
                writeln!(out, "{told} of {all} nodes run by it")?;
            }
            if tokio::time::Instant::now() > until {
                bail!(
                    "nodes {} have not taken it over: they do when they come back",
                    behind.join(", ")
                );
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Nodes that do not run by a map yet, and how many should.
async fn behind(admin: &AdminClient, layout: &Value, epoch: u64) -> (Vec<String>, usize) {
    let mut behind = Vec::new();
    let mut all = 0;
    for node in list(&layout["map"]["nodes"]) {
        if matches!(node["state"].as_str(), Some("removed" | "joining")) {
            continue;
        }
        all += 1;
        let running = running_epoch(&admin.at(text(&node["admin"]))).await;
        if running.is_none_or(|running| running < epoch) {
            behind.push(node["id"].to_string());
        }
    }
    (behind, all)
}

async fn running_epoch(admin: &AdminClient) -> Option<u64> {
    let layout = admin.layout().await.ok()?;
    layout["running_epoch"].as_u64()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
