//! Nights sold over emulated links of 80, 160 and 220 ms, which carry what all of them say: each
//! server stands in a region's network namespace. Then regions are cut off, and nothing is killed.
//!
//! Clients stand beside the node of the home region, where leaders and the primary are. Once that
//! region is cut off, those of Meridian and etcd stand beside the next one; PostgreSQL has nobody
//! there who could take over by itself.

use std::sync::Arc;
use std::time::Duration;

use meridian_chaos::{Namespaces, Network, NoNamespaces, WanPlan};

use super::nights::{Sellers, Side, take_turns, tell};
use crate::bookings::SETTINGS;
use crate::cli::say;
use crate::cluster::Cluster;
use crate::etcd::Etcd;
use crate::http::Connection;
use crate::nights::Nights;
use crate::places::Place;
use crate::postgres::{Durable, Postgres};
use crate::report::Finding;
use crate::run::Site;

/// Hot listings, all at home in the first region.
const HOT: usize = 16;
/// More than anybody sells over these links with some hundred clients.
const PER_SECOND_MAX: usize = 2_000;
/// Longer than two elections over the longest link.
const CUT_OFF: Duration = Duration::from_secs(15);
/// What etcd's documents advise for round trips of up to 220 ms: beats about as often, elections
/// after ten times as long.
const ETCD_FAR_APART: [&str; 4] = ["--heartbeat-interval", "250", "--election-timeout", "2500"];
/// Ports in each namespace, for clients and for the others.
const ETCD_PORTS: [u16; 2] = [2_379, 2_380];
const POSTGRES_PORTS: [u16; 2] = [5_432, 5_432];
const NAME: &str = "compare-wan";

/// Who sells, and is in three regions.
struct Far {
    cluster: Cluster,
    etcd: Option<Etcd>,
    postgres: Option<Postgres>,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let plan = WanPlan::three_continents();
    let nodes: Vec<u64> = plan.nodes.iter().map(|node| node.id).collect();
    let namespaces = match Namespaces::open(&nodes) {
        Ok(namespaces) => Arc::new(namespaces),
        Err(cause @ (NoNamespaces::NotRoot | NoNamespaces::Missing { .. })) => {
            let left_out = Finding::new("compare", "wan: NOT MEASURED").note(cause.to_string());
            say(&left_out.line());
            return Ok(vec![left_out]);
        }
        Err(cause) => return Err(cause.into()),
    };
    let network = Network::Namespaces(Arc::clone(&namespaces));
    let cluster = Cluster::start_in(site, NAME, plan, (&SETTINGS, network)).await?;
    let places = |ports| Place::in_namespaces(&namespaces, &nodes, ports);
    let (folder, beside) = (site.folder.join("compare-wan-etcd"), site.folder.parent());
    let far = Far {
        cluster,
        etcd: Etcd::start_at(&folder, &places(ETCD_PORTS), &ETCD_FAR_APART).await?,
        postgres: Postgres::start_at(beside.unwrap_or(&site.folder), &places(POSTGRES_PORTS))
            .await?,
    };
    let measured = far.sold(site).await;
    far.stop().await?;
    std::fs::remove_dir_all(site.folder.join(NAME))?;
    measured
}

impl Far {
    async fn sold(&self, site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
        let (rounds, time) = (site.arguments.rounds, site.arguments.round());
        let seconds = usize::try_from(site.arguments.seconds)? * rounds
            + 2 * usize::try_from(CUT_OFF.as_secs())?
            + 2;
        let regions = self.cluster.regions.len();
        let needed = Nights::listings_needed(HOT, seconds * PER_SECOND_MAX);
        let listings = self.cluster.make_listings(needed * regions).await?;
        let at_home: Vec<String> = listings.into_iter().step_by(regions).collect();
        let mut sides = self.sides(site, 0, || Nights::new(&at_home, HOT)).await?;
        self.cluster.found_groups(&sides[0].nights).await?;
        if let Some(etcd) = &self.etcd {
            etcd.lead_at_the_first().await?;
        }
        take_turns(&mut sides, rounds, time).await;
        let mut findings = vec![tell(&sides, format!("wan: {HOT} listings"))];
        say(&findings[0].line());
        findings.push(
            self.cut_off(&mut sides, 1, "the nearest region cut off")
                .await?,
        );
        // What was sold before is not for sale again: each goes on with its own nights.
        let moved = self.sides(site, 1, || Nights::new(&at_home, HOT)).await?;
        for (side, moved) in sides.iter_mut().zip(moved) {
            if !matches!(moved.sellers, Sellers::Postgres(_)) {
                side.sellers = moved.sellers;
            }
        }
        findings.push(
            self.cut_off(&mut sides, 0, "the home region cut off")
                .await?,
        );
        Ok(findings)
    }

    /// All at once without one region, for as long; then it is back.
    async fn cut_off(
        &self,
        sides: &mut [Side],
        region: usize,
        what: &str,
    ) -> anyhow::Result<Finding> {
        let local = &self.cluster.local;
        for side in sides.iter_mut() {
            local.wan().isolate(self.cluster.regions[region]);
            side.rounds = vec![side.load(CUT_OFF).await];
            local.wan().heal();
            local.wait_connected().await?;
        }
        let told = tell(sides, format!("wan: {what}"));
        say(&told.line());
        Ok(told)
    }

    /// Those that are here, ours first, with clients beside one region's servers.
    async fn sides(
        &self,
        site: &Site<'_>,
        region: usize,
        nights: impl Fn() -> anyhow::Result<Nights>,
    ) -> anyhow::Result<Vec<Side>> {
        let count = site.arguments.clients;
        let beside = |endpoints: &[String]| Connection::spread(&endpoints[region..=region], count);
        let mut sellers = vec![Sellers::Meridian(beside(&self.cluster.endpoints)?)];
        if let Some(etcd) = &self.etcd {
            sellers.push(Sellers::Etcd(beside(&etcd.endpoints)?));
        }
        if let Some(postgres) = &self.postgres {
            let sessions = postgres.sessions(count, Durable::Twice).await?;
            sellers.push(Sellers::Postgres(sessions));
        }
        let side = |sellers| {
            Ok(Side {
                sellers,
                nights: nights()?,
                rounds: Vec::new(),
            })
        };
        sellers.into_iter().map(side).collect()
    }

    async fn stop(self) -> anyhow::Result<()> {
        if let Some(etcd) = self.etcd {
            etcd.stop().await?;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        self.cluster.stop().await
    }
}
