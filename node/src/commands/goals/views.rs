//! What one node of each region knows of the goals of listings.
//!
//! A node that was not told of a change believes the goal before it, so that no single node's list
//! is the truth. A region that cannot be asked is named: what only it knows is not in the result.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::{StreamExt, stream};
use meridian_client::{AdminClient, CallError};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::text;
use super::wanted::{Census, Found, Wanted};

/// Lines of a page of the list: the most that a node gives.
const PAGE: usize = 100;
/// Time for one page: a node looks at up to twenty thousand groups for it.
const PAGE_TIME: Duration = Duration::from_secs(20);
/// Times that a page is asked for: links that were cut for a moment are back by then.
const PAGE_TRIES_MAX: u32 = 3;
/// Pause before it is asked for again.
const PAUSE: Duration = Duration::from_millis(500);
/// Times that everybody who is known is asked which nodes there are: pauses come to five seconds.
const ROUNDS_MAX: u32 = 5;
/// Nodes of a region that are tried, those first that are heard.
const NODES_MAX: usize = 3;
/// Regions whose lists are read at once.
const REGIONS_AT_ONCE: usize = 8;

/// What all views together have come to.
pub(super) struct Seen {
    pub(super) found: Found,
    /// Whom to ask about a listing, one after the other, by the number of the view: who has told
    /// of it, the others of its region, one of each other region.
    pub(super) admins: Vec<Vec<AdminClient>>,
    /// Regions that could not be asked, and why.
    pub(super) not_asked: BTreeMap<String, String>,
}

/// A region and its nodes by their numbers, those first that are heard.
struct Region {
    id: String,
    nodes: Vec<(u64, AdminClient)>,
}

/// Reads the list of groups of one node of each region, which the first of `admins` that answers
/// names. `read` counts lines as they come.
///
/// # Errors
/// No region could be asked, or there are more listings than one run takes.
pub(super) async fn look(
    admins: &[AdminClient],
    wanted: &Wanted,
    read: &AtomicU64,
) -> anyhow::Result<Seen> {
    let named = nodes(admins).await;
    let (admin, nodes) = named.context("nobody says which nodes there are")?;
    let regions = regions(admin, &nodes);
    let census = Mutex::new(Census::default());
    let shared = &census;
    let asked = regions.iter().enumerate().map(|(view, region)| {
        region.ask(move |group| {
            read.fetch_add(1, Ordering::Relaxed);
            let mut census = locked(shared);
            census.note(wanted, view, group);
            !census.is_full()
        })
    });
    let asked: Vec<_> = stream::iter(asked)
        .buffered(REGIONS_AT_ONCE)
        .collect()
        .await;
    let census = census.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(
        !census.is_full(),
        "there are more listings than one run takes"
    );
    let (mut tellers, mut not_asked) = (Vec::new(), BTreeMap::new());
    for (region, asked) in regions.iter().zip(asked) {
        tellers.push(asked.as_ref().ok().copied());
        if let Err(why) = asked {
            not_asked.insert(region.id.clone(), why);
        }
    }
    ensure!(
        not_asked.len() < regions.len(),
        "the list of groups cannot be read in any region: {not_asked:?}"
    );
    let views = 0..regions.len();
    Ok(Seen {
        found: census.found(wanted),
        admins: views
            .map(|view| in_turn(view, &regions, &tellers, admin))
            .collect(),
        not_asked,
    })
}

/// Whom to ask about what a region has told. One that has broken off is no teller: the node that
/// was named stands in for it.
fn in_turn(
    view: usize,
    regions: &[Region],
    tellers: &[Option<usize>],
    named: &AdminClient,
) -> Vec<AdminClient> {
    let teller = |view: usize| tellers[view].map(|at| &regions[view].nodes[at].1);
    let there = regions[view].nodes.iter().enumerate();
    let there = there.filter(|(at, _)| Some(*at) != tellers[view]);
    let elsewhere = (0..regions.len()).filter(|other| *other != view);
    let first = std::iter::once(teller(view).unwrap_or(named));
    first
        .chain(there.map(|(_, (_, admin))| admin))
        .chain(elsewhere.filter_map(teller))
        .cloned()
        .collect()
}

/// Which nodes there are, and who says so. A node that is not there may be starting again.
async fn nodes(admins: &[AdminClient]) -> Result<(&AdminClient, Value), CallError> {
    let mut rounds = 0;
    loop {
        let mut last = None;
        for admin in admins {
            let nodes = timeout(PAGE_TIME, admin.nodes()).await;
            match nodes.unwrap_or_else(|_late| Err(late())) {
                Ok(nodes) => return Ok((admin, nodes)),
                Err(cause) => last = Some(cause),
            }
        }
        rounds += 1;
        let cause = last.expect("there is always the node that was named");
        if !cause.is_retryable() || rounds == ROUNDS_MAX {
            return Err(cause);
        }
        sleep(PAUSE * rounds).await;
    }
}

fn late() -> CallError {
    CallError::Unreachable(format!("no answer in {PAGE_TIME:?}"))
}

fn locked(census: &Mutex<Census>) -> MutexGuard<'_, Census> {
    census.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The regions that have nodes. The node that was named is asked as it was named: the map's
/// address of it may not be reached from here.
fn regions(admin: &AdminClient, nodes: &Value) -> Vec<Region> {
    let mut regions: BTreeMap<&str, Vec<(u8, u64, AdminClient)>> = BTreeMap::new();
    for node in nodes["data"].as_array().into_iter().flatten() {
        let url = text(&node["admin"]);
        let (turn, client) = match text(&node["standing"]) {
            "removed" => continue,
            "this" => (0, admin.clone()),
            "up" => (1, admin.at(url)),
            _ => (2, admin.at(url)),
        };
        let number = node["node"].as_u64().unwrap_or_default();
        let there = regions.entry(text(&node["region"])).or_default();
        there.push((turn, number, client));
    }
    let regions = regions.into_iter().map(|(id, mut nodes)| {
        nodes.sort_by_key(|(turn, number, _)| (*turn, *number));
        let nodes = nodes.into_iter().take(NODES_MAX);
        Region {
            id: id.to_owned(),
            nodes: nodes.map(|(_, number, client)| (number, client)).collect(),
        }
    });
    regions.collect()
}

impl Region {
    /// Has one of its nodes tell its whole list; answers which of them has.
    async fn ask(&self, mut note: impl FnMut(&Value) -> bool) -> Result<usize, String> {
        let mut silent = Vec::new();
        for (at, (number, admin)) in self.nodes.iter().enumerate() {
            match read(admin, &mut note).await {
                Ok(()) => return Ok(at),
                Err(cause) => silent.push(format!("node {number}: {cause}")),
            }
        }
        Err(silent.join("; "))
    }
}

/// Reads a node's list of groups once, until it ends or enough is noted.
async fn read(admin: &AdminClient, note: &mut impl FnMut(&Value) -> bool) -> Result<(), CallError> {
    let mut cursor: Option<String> = None;
    loop {
        let page = page(admin, cursor.as_deref()).await?;
        let mut groups = page["data"].as_array().into_iter().flatten();
        if !groups.all(&mut *note) {
            return Ok(());
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn page(admin: &AdminClient, cursor: Option<&str>) -> Result<Value, CallError> {
    let mut tries = 0;
    loop {
        let page = timeout(PAGE_TIME, admin.groups(PAGE, cursor)).await;
        let page = page.unwrap_or_else(|_late| Err(late()));
        tries += 1;
        match page {
            Err(error) if error.is_retryable() && tries < PAGE_TRIES_MAX => sleep(PAUSE).await,
            page => return page,
        }
    }
}
