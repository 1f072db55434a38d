//! How long a group's requests stand still when the node of its leader is killed.
//!
//! The listing is at home in the region that is nearest to both others; these are 220 ms
//! apart. Clients in both hold nights all the while. What counts is the time from
//! `kill -9` to the first hold that a client there has made since, and to the end of the
//! last request that was under way.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::join_all;
use meridian_chaos::WanPlan;
use tokio::time::sleep;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::latency::median;
use crate::nights::Nights;
use crate::report::{Finding, Goal};
use crate::run::Site;

/// Leaders that are killed, one after the other.
const KILLS: usize = 7;
/// Where the listings are at home: in the second region.
const HOME: usize = 1;
/// Clients in each of the other regions.
const CLIENTS_EACH: usize = 4;
/// For how long there is load before the kill, and after the first success.
const AROUND: Duration = Duration::from_secs(2);
/// When a round is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);
const SETTINGS: [&str; 1] = ["bookings.idle_ms=3600000"];
const GOAL_SECONDS: f64 = 3.0;

/// One kill.
struct Round {
    first_success_s: f64,
    pending_s: f64,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let plan = WanPlan::three_continents();
    let mut cluster = Cluster::start(site, "failover", plan, &SETTINGS).await?;
    let rounds = rounds(&mut cluster).await;
    cluster.stop().await?;
    let rounds = rounds?;
    let first = |round: &Round| round.first_success_s;
    let longest = rounds.iter().map(first).fold(0.0, f64::max);
    let finding = Finding::new("failover", format!("{KILLS} kills, 220 ms apart"))
        .value("first_success_p50_s", median(rounds.iter().map(first)))
        .value("first_success_max_s", longest)
        .value(
            "pending_end_p50_s",
            median(rounds.iter().map(|round| round.pending_s)),
        )
        .goal(Goal::at_most("first_success_max_s", GOAL_SECONDS, longest));
    say(&finding.line());
    Ok(vec![finding])
}

async fn rounds(cluster: &mut Cluster) -> anyhow::Result<Vec<Round>> {
    let homes = cluster.endpoints.len();
    let listings = cluster.make_listings(KILLS * homes).await?;
    let own: Vec<String> = listings.iter().skip(HOME).step_by(homes).cloned().collect();
    let mut rounds = Vec::new();
    for listing in own {
        rounds.push(one(cluster, &listing).await?);
        let home = cluster.local.ids()[HOME];
        cluster.local.restart(home).await?;
        cluster.local.wait_connected().await?;
    }
    Ok(rounds)
}

async fn one(cluster: &mut Cluster, listing: &str) -> anyhow::Result<Round> {
    let nights = Nights::new(&[listing.to_owned()], 1)?;
    cluster.found_groups(&nights).await?;
    let clients = cluster.clients(cluster.endpoints.len() * CLIENTS_EACH)?;
    let elsewhere = clients
        .iter()
        .enumerate()
        .filter(|(number, _)| number % cluster.endpoints.len() != HOME)
        .map(|(_, client)| client);
    let killed: Cell<Option<Instant>> = Cell::new(None);
    let over = Cell::new(false);
    // Of the first success that was asked for after the kill; of those under way then.
    let (first, pending) = (Cell::new(None), RefCell::new(Vec::new()));
    let load = join_all(elsewhere.map(async |client| {
        while !over.get()
            && let Some(night) = nights.next()
        {
            let asked = Instant::now();
            let answer = client.send(&night.hold()).await;
            let Some(at) = killed.get() else {
                continue;
            };
            if asked < at {
                pending.borrow_mut().push(at.elapsed());
            }
            if answer.is_ok() && asked >= at && first.get().is_none() {
                first.set(Some(at.elapsed()));
            }
            if answer.is_err() {
                sleep(PAUSE).await;
            }
        }
    }));
    let home = cluster.local.ids()[HOME];
    let attack = async {
        sleep(AROUND).await;
        cluster.local.kill(home).await?;
        let at = Instant::now();
        killed.set(Some(at));
        while first.get().is_none() && at.elapsed() < PATIENCE {
            sleep(PAUSE).await;
        }
        sleep(AROUND).await;
        over.set(true);
        anyhow::Ok(())
    };
    let (_, attacked) = futures::join!(load, attack);
    attacked?;
    let first: Duration = first.get().context("no booking after the kill")?;
    let pending = pending.borrow().iter().max().copied();
    Ok(Round {
        first_success_s: first.as_secs_f64(),
        pending_s: pending.unwrap_or_default().as_secs_f64(),
    })
}
