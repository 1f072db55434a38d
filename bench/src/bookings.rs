//! Bookings per second with one, a few and many hot listings, beside etcd.
//!
//! Both systems take the same nights by the same clients, spread evenly over the
//! nodes: a client knows no leader. Both pay HTTP and JSON, and both fsync at a quorum.

use std::time::Duration;

use meridian_chaos::WanPlan;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::drive::{Round, drive};
use crate::etcd::{self, Etcd};
use crate::http::Connection;
use crate::latency::median;
use crate::nights::Nights;
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::usage::{processor_time, written_bytes};

/// Load before the first round that nobody counts.
pub(crate) const WARM_UP: Duration = Duration::from_secs(2);
/// No faster than this on two cores: how many nights there have to be.
pub(crate) const BOOKINGS_PER_SECOND_MAX: usize = 6_000;
/// No group falls asleep while it is measured, and all fit.
pub(crate) const SETTINGS: [&str; 2] = [
    "bookings.idle_ms=3600000",
    "bookings.groups_awake_max=16384",
];
/// The goal holds from so many listings on.
const GOAL_FROM_LISTINGS: usize = 256;
const GOAL_RATIO: f64 = 2.0;

/// A system under the same load.
struct Side<'a> {
    clients: Vec<Connection>,
    nights: Nights,
    etcd: Option<&'a Etcd>,
    /// Its nodes' processes.
    processes: Vec<u32>,
    rounds: Vec<Round>,
    /// Processor time of all its nodes for each booking.
    cost_us: Vec<f64>,
    /// What all its nodes write for each booking.
    written_kib: Vec<f64>,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let etcd = Etcd::start(&site.folder.join("etcd")).await?;
    match &etcd {
        Some(etcd) => say(&format!(
            "beside {}, three nodes, its defaults",
            etcd.version
        )),
        None => say(
            "WARNING: etcd is NOT here, so that nothing is compared: apt-get install etcd-server",
        ),
    }
    let mut findings = Vec::new();
    for hot in &site.arguments.listings {
        // A fresh cluster for each: what one case left behind is not the next one's load.
        let name = format!("bookings-{hot}");
        let cluster = Cluster::start(site, &name, WanPlan::loopback(), &SETTINGS).await?;
        let measured = one(site, &cluster, etcd.as_ref(), *hot).await;
        cluster.stop().await?;
        std::fs::remove_dir_all(site.folder.join(&name))?;
        let finding = measured?;
        say(&finding.line());
        findings.push(finding);
    }
    if let Some(etcd) = etcd {
        etcd.stop().await?;
    }
    Ok(findings)
}

async fn one(
    site: &Site<'_>,
    cluster: &Cluster,
    etcd: Option<&Etcd>,
    hot: usize,
) -> anyhow::Result<Finding> {
    let (rounds, time) = (site.arguments.rounds, site.arguments.round());
    let seconds = usize::try_from(site.arguments.seconds)? * rounds + 2;
    let needed = Nights::listings_needed(hot, seconds * BOOKINGS_PER_SECOND_MAX);
    let listings = cluster.make_listings(needed).await?;
    let mut sides = vec![Side {
        clients: cluster.clients(site.arguments.clients)?,
        nights: Nights::new(&listings, hot)?,
        etcd: None,
        processes: cluster.local.process_ids(),
        rounds: Vec::new(),
        cost_us: Vec::new(),
        written_kib: Vec::new(),
    }];
    cluster.found_groups(&sides[0].nights).await?;
    if let Some(etcd) = etcd {
        sides.push(Side {
            clients: Connection::spread(&etcd.endpoints, site.arguments.clients)?,
            nights: Nights::new(&listings, hot)?,
            etcd: Some(etcd),
            processes: etcd.process_ids(),
            rounds: Vec::new(),
            cost_us: Vec::new(),
            written_kib: Vec::new(),
        });
    }
    for side in &mut sides {
        side.load(WARM_UP).await;
    }
    for _ in 0..rounds {
        // Turn and turn about: neither is always the one after the other.
        sides.reverse();
        for side in &mut sides {
            let round = side.measured(time).await;
            side.rounds.push(round);
        }
    }
    sides.sort_by_key(|side| side.etcd.is_some());
    Ok(finding(hot, &sides))
}

impl Side<'_> {
    async fn load(&self, time: Duration) -> Round {
        drive(&self.clients, time, || {
            let night = self.nights.next()?;
            Some(match self.etcd {
                None => night.hold(),
                Some(_) => etcd::sell(&night),
            })
        })
        .await
    }

    /// A round that counts, and what it took.
    async fn measured(&mut self, time: Duration) -> Round {
        let (used, written) = (
            processor_time(&self.processes),
            written_bytes(&self.processes),
        );
        let round = self.load(time).await;
        let used = processor_time(&self.processes).saturating_sub(used);
        let written = written_bytes(&self.processes).saturating_sub(written);
        self.cost_us.push(round.each_us(used));
        self.written_kib.push(round.each(written) / 1_024.0);
        round
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    fn tell(&self, system: &str, finding: Finding) -> Finding {
        let told = finding
            .value(&format!("{system}_per_second"), self.median(Round::rate))
            .value(
                &format!("{system}_p50_ms"),
                self.median(|round| round.latencies.quantile_ms(0.5)),
            )
            .value(
                &format!("{system}_p99_ms"),
                self.median(|round| round.latencies.quantile_ms(0.99)),
            )
            .value(
                &format!("{system}_cpu_us_each"),
                median(self.cost_us.iter().copied()),
            )
            .value(
                &format!("{system}_written_kib_each"),
                median(self.written_kib.iter().copied()),
            );
        match Round::failures(system, &self.rounds) {
            Some(failures) => told.note(failures),
            None => told,
        }
    }
}

fn finding(hot: usize, sides: &[Side<'_>]) -> Finding {
    let mut finding = Finding::new("bookings", format!("{hot} listings"));
    for side in sides {
        let system = if side.etcd.is_some() {
            "etcd"
        } else {
            "meridian"
        };
        finding = side.tell(system, finding);
    }
    let [meridian, etcd] = sides else {
        return finding.note("NOT COMPARED: apt-get install etcd-server".to_owned());
    };
    let ratio = meridian.median(Round::rate) / etcd.median(Round::rate).max(1e-9);
    let finding = finding.value("ratio", ratio);
    if hot < GOAL_FROM_LISTINGS {
        return finding;
    }
    finding.goal(Goal::at_least("ratio", GOAL_RATIO, ratio))
}
