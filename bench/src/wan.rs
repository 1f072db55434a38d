//! Bookings over emulated wide-area links, beside the round trip that a quorum costs.

use meridian_chaos::WanPlan;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::drive::{Round, drive};
use crate::nights::Nights;
use crate::report::{Finding, Goal};
use crate::run::Site;

/// Listings of each region, all of them awake.
const LISTINGS_EACH: usize = 8;
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
    let listings = cluster.make_listings(LISTINGS_EACH * homes).await?;
    cluster
        .found_groups(&Nights::new(&listings, listings.len())?)
        .await?;
    let client = cluster.clients(1)?;
    let mut findings = Vec::new();
    for home in 0..homes {
        let own: Vec<String> = listings.iter().skip(home).step_by(homes).cloned().collect();
        let nights = Nights::new(&own, LISTINGS_EACH)?;
        let round = drive(&client, 2 * site.arguments.round(), || {
            let mut hold = nights.next()?.hold();
            hold.endpoint = Some(home);
            Some(hold)
        })
        .await;
        let region = cluster.regions[home];
        let nearest = cluster.local.plan().nearest_round_trip(region);
        let nearest_ms = nearest.as_secs_f64() * 1e3;
        let ratio = round.latencies.quantile_ms(0.5) / nearest_ms;
        let mut finding = Finding::new("wan", format!("booked in {region}"))
            .value("p50_ms", round.latencies.quantile_ms(0.5))
            .value("p99_ms", round.latencies.quantile_ms(0.99))
            .value("quorum_rtt_ms", nearest_ms)
            .value("ratio", ratio)
            .goal(Goal::at_most("ratio", GOAL_ROUND_TRIPS, ratio));
        if let Some(told) = Round::failures("meridian", &[round]) {
            finding = finding.note(told);
        }
        say(&finding.line());
        findings.push(finding);
    }
    Ok(findings)
}
