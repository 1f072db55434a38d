//! Bookings over emulated wide-area links, beside the round trip that a quorum costs.
//!
//! Booked in a row, a listing's group knows its quorum; booked in turn, as most listings
//! are, it has to ask first.

use std::time::Duration;

use meridian_chaos::WanPlan;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::drive::{Round, drive};
use crate::nights::Nights;
use crate::report::{Finding, Goal};
use crate::run::Site;

/// Listings of each region that are booked in turn. Each is left alone for longer than a leader
/// takes its quorum for granted (0.9 s), over every link.
const LISTINGS_EACH: usize = 16;
const SETTINGS: [&str; 1] = ["bookings.idle_ms=3600000"];
/// How many round trips a booking may take at p50.
const GOAL_ROUND_TRIPS: f64 = 1.1;

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let plan = WanPlan::three_continents();
    let cluster = Cluster::start(site, "wan", plan, &SETTINGS).await?;
    let measured = regions(site, &cluster).await;
    cluster.stop().await?;
    measured
}

async fn regions(site: &Site<'_>, cluster: &Cluster) -> anyhow::Result<Vec<Finding>> {
    let homes = cluster.endpoints.len();
    let listings = cluster.make_listings((1 + LISTINGS_EACH) * homes).await?;
    cluster
        .found_groups(&Nights::new(&listings, listings.len())?)
        .await?;
    let client = cluster.clients(1)?;
    let mut findings = Vec::new();
    for home in 0..homes {
        let own: Vec<String> = listings.iter().skip(home).step_by(homes).cloned().collect();
        let (one, others) = own.split_at(1);
        for (how, booked) in [("in a row", one), ("in turn", others)] {
            let nights = Nights::new(booked, booked.len())?;
            let round = drive(&client, 2 * site.arguments.round(), || {
                let mut hold = nights.next()?.hold();
                hold.endpoint = Some(home);
                Some(hold)
            })
            .await;
            let region = cluster.regions[home];
            let nearest = cluster.local.plan().nearest_round_trip(region);
            let finding = finding(format!("{region}, {how}"), nearest, round);
            say(&finding.line());
            findings.push(finding);
        }
    }
    Ok(findings)
}

fn finding(case: String, nearest: Duration, round: Round) -> Finding {
    let nearest_ms = nearest.as_secs_f64() * 1e3;
    let p50_ms = round.latencies.quantile_ms(0.5);
    let ratio = p50_ms / nearest_ms;
    let finding = Finding::new("wan", case)
        .value("p50_ms", p50_ms)
        .value("p99_ms", round.latencies.quantile_ms(0.99))
        .value("quorum_rtt_ms", nearest_ms)
        .value("ratio", ratio)
        .goal(Goal::at_most("ratio", GOAL_ROUND_TRIPS, ratio));
    match Round::failures("meridian", &[round]) {
        Some(failures) => finding.note(failures),
        None => finding,
    }
}
