//! `meridian listing set-home` and `set-survival`, of one listing or of all of a region.

mod all;
mod attempt;
mod cost;
mod progress;
mod run;
mod stop;
mod tally;
mod views;
mod wanted;

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use meridian_client::{AdminClient, CallError, GoalChange};
use meridian_regions::ListingId;
use serde_json::Value;

use run::Pace;
use wanted::{HalfWay, Wanted};

use super::Done;
use crate::cli::{GoalArgs, HalfWayArg, SetHomeArgs, SetSurvivalArgs};

/// What is asked of one listing, or of all of a region.
#[derive(Debug, Clone, Copy, Default)]
struct Asked<'a> {
    home: Option<&'a str>,
    survival: Option<&'a str>,
    half_way: HalfWay,
}

pub(crate) async fn set_home(arguments: SetHomeArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    let region = arguments.region.to_string();
    let asked = Asked {
        home: Some(&region),
        half_way: match arguments.half_way {
            None => HalfWay::Unsaid,
            Some(HalfWayArg::Leave) => HalfWay::Leave,
            Some(HalfWayArg::Finish) => HalfWay::Finish,
        },
        ..Asked::default()
    };
    set(arguments.listing.as_ref(), asked, &arguments.goal, out).await
}

pub(crate) async fn set_survival(
    arguments: SetSurvivalArgs,
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    let asked = Asked {
        survival: Some(arguments.survival.as_str()),
        ..Asked::default()
    };
    set(arguments.listing.as_ref(), asked, &arguments.goal, out).await
}

async fn set(
    listing: Option<&ListingId>,
    asked: Asked<'_>,
    goal: &GoalArgs,
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    let admin = goal.to.client()?;
    if let Some(region) = &goal.all_of {
        let wanted = Wanted {
            of: region.to_string(),
            home: asked.home.map(str::to_owned),
            survival: asked.survival.map(str::to_owned),
            half_way: asked.half_way,
        };
        let within = Duration::try_from(goal.within);
        let pace = Pace {
            first_tries: within.context("--within is no time to come")?,
            ..Pace::default()
        };
        return all::run(&admin, (&wanted, pace), (goal.dry_run, goal.json), out).await;
    }
    let listing = listing.context("name a listing, or a region by --all-of")?;
    let listing = listing.to_string();
    let asked = GoalChange {
        home_region: asked.home,
        survival: asked.survival,
        revision: goal.revision,
        dry_run: goal.dry_run,
    };
    let answer = admin.change_goal(&listing, upon(&admin, &listing, asked).await?);
    tell(&answer.await?, goal, out)
}

/// A change upon what the operator has seen, or what is looked at now. A revision that is named is
/// not looked at first: of one that has been changed since a look can only say so, and the change
/// itself whether it may have been done before.
async fn upon<'a>(
    admin: &AdminClient,
    listing: &str,
    asked: GoalChange<'a>,
) -> Result<GoalChange<'a>, CallError> {
    if asked.dry_run || asked.revision.is_some() {
        return Ok(asked);
    }
    let look = GoalChange {
        dry_run: true,
        ..asked
    };
    let seen = admin.change_goal(listing, look).await?;
    Ok(GoalChange {
        revision: seen["before"]["revision"].as_u64(),
        ..asked
    })
}

/// What has become of one listing, or would.
fn tell(answer: &Value, goal: &GoalArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    if goal.json {
        writeln!(out, "{answer:#}")?;
        return Ok(Done::Well);
    }
    for side in ["before", "after"] {
        let one = &answer[side];
        let stops = words(&one["stops_without"]);
        writeln!(
            out,
            "{side:<7} at home in {}, survives a {}, revision {}: {} vote; stops without {}",
            text(&one["home_region"]),
            text(&one["survival"]),
            one["revision"],
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
        let seen = &answer["before"]["revision"];
        writeln!(
            out,
            "nothing was done: leave out --dry-run to do it; with --revision {seen}, only if nobody \
             has changed it by then"
        )?;
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

#[cfg(test)]
mod tests;
