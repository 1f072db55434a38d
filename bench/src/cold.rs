//! A booking that wakes a group beside one that finds it awake.
//!
//! One client, at the node where the listing is at home: what differs is the wake.

use std::time::Instant;

use meridian_chaos::WanPlan;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::http::Connection;
use crate::latency::{Latencies, median};
use crate::nights::Nights;
use crate::report::{Finding, Goal};
use crate::run::Site;

/// Listings whose groups are woken, in each round.
const LISTINGS: usize = 300;
/// Bookings of a group once it is awake.
const HOT_BOOKINGS: usize = 3;
/// Shorter than a round, so that every group sleeps when its turn comes.
const SETTINGS: [&str; 1] = ["bookings.idle_ms=2000"];
/// How much more a cold booking may cost at p99.
const GOAL_MS: f64 = 5.0;

struct Round {
    cold: Latencies,
    hot: Latencies,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "cold", WanPlan::loopback(), &SETTINGS).await?;
    let rounds = rounds(site, &cluster).await;
    cluster.stop().await?;
    let rounds = rounds?;
    let of = |pick: &dyn Fn(&Round) -> f64| median(rounds.iter().map(pick));
    let more = of(&|round| round.cold.quantile_ms(0.99) - round.hot.quantile_ms(0.99));
    let finding = Finding::new("cold", format!("{LISTINGS} groups"))
        .value("hot_p50_ms", of(&|round| round.hot.quantile_ms(0.5)))
        .value("hot_p99_ms", of(&|round| round.hot.quantile_ms(0.99)))
        .value("cold_p50_ms", of(&|round| round.cold.quantile_ms(0.5)))
        .value("cold_p99_ms", of(&|round| round.cold.quantile_ms(0.99)))
        .value("more_p99_ms", more)
        .goal(Goal::at_most("more_p99_ms", GOAL_MS, more));
    say(&finding.line());
    Ok(vec![finding])
}

async fn rounds(site: &Site<'_>, cluster: &Cluster) -> anyhow::Result<Vec<Round>> {
    let listings = cluster.make_listings(LISTINGS).await?;
    let nights = Nights::new(&listings, LISTINGS)?;
    cluster.found_groups(&nights).await?;
    let clients = cluster.clients(1)?;
    let mut rounds = Vec::new();
    for round in 0..site.arguments.rounds {
        cluster.asleep().await?;
        let first_day = 1 + round * (1 + HOT_BOOKINGS);
        rounds.push(one(cluster, &clients[0], &nights, first_day).await?);
    }
    Ok(rounds)
}

async fn one(
    cluster: &Cluster,
    client: &Connection,
    nights: &Nights,
    first_day: usize,
) -> anyhow::Result<Round> {
    let mut round = Round {
        cold: Latencies::new(),
        hot: Latencies::new(),
    };
    for number in 0..LISTINGS {
        for day in 0..=HOT_BOOKINGS {
            let Some(night) = nights.of_listing(number, first_day + day) else {
                continue;
            };
            let mut hold = night.hold();
            hold.endpoint = Some(cluster.home_of(number));
            let sent = Instant::now();
            client.send(&hold).await?;
            let latencies = if day == 0 {
                &mut round.cold
            } else {
                &mut round.hot
            };
            latencies.record(sent.elapsed());
        }
    }
    Ok(round)
}
