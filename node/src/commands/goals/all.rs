//! All listings of a region, changed one by one.
//!
//! What it is not: nothing is kept of a run. Which listings are still to be changed is read from
//! the cluster each time, so a run that was interrupted is gone on with by running it again.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use meridian_client::{AdminClient, CallError};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::tally::{Came, Cost, Stands, Tally, Wanted};
use super::text;

/// Listings that are changed at once: as many as a node takes from all who ask.
const AT_ONCE: usize = 4;
/// Times that a listing is asked for before it is left to the next run.
const TRIES_MAX: u32 = 5;
/// Pause before the next try, once for each that was made.
const PAUSE: Duration = Duration::from_millis(500);
/// Walks over all listings: some go from one end of the list to the other while it is read, and
/// some are new. What a third would find is found by the next run.
const WALKS_MAX: usize = 2;
/// Lines of a page of the list: the most that a node gives.
const PAGE: usize = 100;
/// Listings that one run holds in memory, at about a hundred bytes each.
const LISTINGS_MAX: usize = 2_000_000;

/// What a walk over the list has found.
#[derive(Default)]
struct Found {
    yet: Vec<String>,
    already: u64,
}

pub(super) async fn run(
    admin: &AdminClient,
    wanted: &Wanted,
    (dry_run, is_json): (bool, bool),
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if let Some(home) = &wanted.home {
        ensure!(*home != wanted.of, "they are at home in {home} already");
    }
    ensure_known(admin, wanted).await?;
    if dry_run {
        return tell_cost(admin, wanted, is_json, out).await;
    }
    let (mut tally, mut asked) = (Tally::default(), BTreeSet::new());
    let mut unread = None;
    for walk in 0..WALKS_MAX {
        let mut found = match find(admin, wanted).await {
            Ok(found) => found,
            Err(cause) => {
                // What has been done by then is told first.
                unread = Some(cause);
                break;
            }
        };
        if walk == 0 {
            tally.already = found.already;
        }
        found.yet.retain(|listing| asked.insert(listing.clone()));
        if found.yet.is_empty() {
            break;
        }
        change(admin, wanted, found.yet, &mut tally).await;
    }
    if is_json {
        writeln!(out, "{:#}", tally.to_json())?;
    } else {
        for line in tally.lines() {
            writeln!(out, "{line}")?;
        }
    }
    if let Some(cause) = unread {
        return Err(cause);
    }
    match tally.left() {
        0 => Ok(()),
        left => bail!("{left} are not as asked, or may not be: run it again, and it goes on"),
    }
}

/// A region that is mistyped has no listings, and nothing to be done would be taken for done.
async fn ensure_known(admin: &AdminClient, wanted: &Wanted) -> anyhow::Result<()> {
    let layout = admin.layout().await.context("the map of the cluster")?;
    let regions = layout["map"]["regions"].as_array().into_iter().flatten();
    let known: Vec<&str> = regions.map(|region| text(&region["id"])).collect();
    for region in [Some(&wanted.of), wanted.home.as_ref()]
        .into_iter()
        .flatten()
    {
        ensure!(
            known.contains(&region.as_str()),
            "{region} is no region of this cluster: {}",
            known.join(", ")
        );
    }
    Ok(())
}

/// Reads the list of all groups once.
async fn find(admin: &AdminClient, wanted: &Wanted) -> anyhow::Result<Found> {
    let mut found = Found::default();
    // It has two parts, and a listing may go from one to the other meanwhile.
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = admin.groups(PAGE, cursor.as_deref()).await;
        let page = page.context("the list of groups cannot be read; run it again to go on")?;
        for group in page["data"].as_array().into_iter().flatten() {
            let listing = text(&group["listing_id"]);
            match wanted.stands(group) {
                Stands::Elsewhere => continue,
                _ if !seen.insert(listing.to_owned()) => continue,
                Stands::Already => found.already += 1,
                Stands::Yet => found.yet.push(listing.to_owned()),
            }
            ensure!(
                seen.len() < LISTINGS_MAX,
                "{LISTINGS_MAX} listings are more than one run takes"
            );
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

async fn change(admin: &AdminClient, wanted: &Wanted, yet: Vec<String>, tally: &mut Tally) {
    let progress = bar(yet.len());
    let changes = yet.into_iter().map(|listing| async {
        let (answer, perhaps) = persistently(admin, wanted, &listing).await;
        let came = Came::of(&answer);
        (listing, if perhaps { came.after_unknown() } else { came })
    });
    let mut changes = stream::iter(changes).buffer_unordered(AT_ONCE);
    while let Some((listing, came)) = changes.next().await {
        if let Came::Failed(why) | Came::Unknown(why) = &came {
            progress.println(format!("{listing}: {why}"));
        }
        tally.note(listing, came);
        progress.inc(1);
    }
    progress.finish_and_clear();
}

/// Asks again while it may help: each time it goes on with what was begun. Answers also whether it
/// may have been done by a try before the last one.
async fn persistently(
    admin: &AdminClient,
    wanted: &Wanted,
    listing: &str,
) -> (Result<Value, CallError>, bool) {
    let (home, survival) = (wanted.home.as_deref(), wanted.survival.as_deref());
    let (mut tries, mut perhaps) = (0, false);
    loop {
        let answer = admin.set_goal(listing, home, survival, false).await;
        tries += 1;
        let may_help = match &answer {
            Ok(_) => false,
            Err(CallError::Problem(problem)) => {
                matches!(problem.code.as_str(), "overloaded" | "outcome-unknown")
            }
            Err(CallError::Unknown(_)) => true,
            Err(CallError::Unreachable(_) | CallError::Decode(_)) => false,
        };
        if !may_help || tries == TRIES_MAX {
            return (answer, perhaps);
        }
        perhaps |= matches!(Came::of(&answer), Came::Unknown(_));
        sleep(PAUSE * tries).await;
    }
}

/// Says what a run would do, listing by listing, and does nothing.
async fn tell_cost(
    admin: &AdminClient,
    wanted: &Wanted,
    is_json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let found = find(admin, wanted).await?;
    let (yet, already) = (found.yet.len(), found.already);
    let (mut cost, mut refused) = (Cost::default(), Tally::default());
    let (home, survival) = (wanted.home.as_deref(), wanted.survival.as_deref());
    let progress = bar(yet);
    let asked = found.yet.into_iter().map(|listing| async {
        let answer = admin.set_goal(&listing, home, survival, true).await;
        (listing, answer)
    });
    let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some((listing, answer)) = asked.next().await {
        match &answer {
            Ok(answer) => cost.note(answer),
            Err(_) => refused.note(listing, Came::of(&answer)),
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if is_json {
        let mut told = cost.to_json();
        told["listings"] = json!(yet);
        told["already"] = json!(already);
        told["refused"] = refused.to_json();
        writeln!(out, "{told:#}")?;
    } else {
        writeln!(out, "{yet} listings to change, {already} already so")?;
        let refusals = refused.lines().into_iter().skip(1);
        for line in cost.lines().into_iter().chain(refusals) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "nothing was done: leave out --dry-run to do it")?;
    }
    match refused.left() {
        0 => Ok(()),
        left => bail!("{left} of them would be refused, or did not say"),
    }
}

fn bar(listings: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} listings, {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(listings as u64).with_style(style)
}
