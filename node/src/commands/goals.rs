//! `meridian listing set-home` and `set-survival`, of one listing or of all of a region.

mod all;
mod cost;
mod progress;
mod run;
mod stop;
mod tally;
mod views;
mod wanted;

use std::io::Write;

use anyhow::Context;
use meridian_regions::ListingId;
use serde_json::Value;

use wanted::Wanted;

use super::Done;
use crate::cli::{GoalArgs, SetHomeArgs, SetSurvivalArgs};

pub(crate) async fn set_home(arguments: SetHomeArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    let region = arguments.region.to_string();
    let asked = (Some(region.as_str()), None);
    set(arguments.listing.as_ref(), asked, &arguments.goal, out).await
}

pub(crate) async fn set_survival(
    arguments: SetSurvivalArgs,
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    let asked = (None, Some(arguments.survival.as_str()));
    set(arguments.listing.as_ref(), asked, &arguments.goal, out).await
}

async fn set(
    listing: Option<&ListingId>,
    (home, survival): (Option<&str>, Option<&str>),
    goal: &GoalArgs,
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    let admin = goal.to.client()?;
    if let Some(region) = &goal.all_of {
        let wanted = Wanted {
            of: region.to_string(),
            home: home.map(str::to_owned),
            survival: survival.map(str::to_owned),
        };
        return all::run(&admin, &wanted, (goal.dry_run, goal.json), out).await;
    }
    let listing = listing.context("name a listing, or a region by --all-of")?;
    let answer = admin
        .set_goal(&listing.to_string(), home, survival, goal.dry_run)
        .await?;
    if goal.json {
        writeln!(out, "{answer:#}")?;
        return Ok(Done::Well);
    }
    for side in ["before", "after"] {
        let one = &answer[side];
        let stops = words(&one["stops_without"]);
        writeln!(
            out,
            "{side:<7} at home in {}, survives a {}: {} vote; stops without {}",
            text(&one["home_region"]),
            text(&one["survival"]),
            words(&one["voters"]),
            if stops.is_empty() {
                "no region"
            } else {
                &stops
            },
        )?;
    }
    for side in ["leave", "come"] {
        let nodes = words(&answer[side]);
        let nodes = if nodes.is_empty() { "nobody" } else { &nodes };
        writeln!(out, "{side:<7} {nodes}")?;
    }
    if goal.dry_run {
        writeln!(out, "nothing was done: leave out --dry-run to do it")?;
    }
    Ok(Done::Well)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(list: &Value) -> String {
    let items = list.as_array().into_iter().flatten();
    let items = items.map(|item| {
        item.as_str()
            .map_or_else(|| item.to_string(), str::to_owned)
    });
    items.collect::<Vec<_>>().join(", ")
}
