//! Nights sold: the same nights by the same number of clients, turn and turn about, all fsynced in
//! two places before an answer. Then one place is lost.

use std::time::Duration;

use meridian_chaos::WanPlan;
use tokio::time::timeout;

use super::Peers;
use crate::bookings::{BOOKINGS_PER_SECOND_MAX, SETTINGS, WARM_UP};
use crate::cluster::Cluster;
use crate::drive::{Round, drive, drive_each};
use crate::etcd;
use crate::http::Connection;
use crate::latency::median;
use crate::nights::Nights;
use crate::postgres::{Durable, Session};
use crate::report::Finding;
use crate::run::Site;

/// The node that is lost; the third, so that most clients' own nodes are there.
const LOST: u64 = 3;
/// Long enough for an election and what follows.
const AFTER_LOSS: Duration = Duration::from_secs(10);

/// How a system is asked.
pub(super) enum Sellers {
    Meridian(Vec<Connection>),
    Etcd(Vec<Connection>),
    Postgres(Vec<Session>),
}

impl Sellers {
    /// In the order in which they are told.
    pub(super) const fn place(&self) -> u8 {
        match self {
            Self::Meridian(_) => 0,
            Self::Etcd(_) => 1,
            Self::Postgres(_) => 2,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Meridian(_) => "meridian",
            Self::Etcd(_) => "etcd",
            Self::Postgres(_) => "postgres",
        }
    }
}

pub(super) struct Side {
    pub(super) sellers: Sellers,
    pub(super) nights: Nights,
    pub(super) rounds: Vec<Round>,
}

impl Side {
    pub(super) async fn load(&self, time: Duration) -> Round {
        let nights = &self.nights;
        match &self.sellers {
            Sellers::Meridian(clients) => {
                drive(clients, time, || Some(nights.next()?.hold())).await
            }
            Sellers::Etcd(clients) => {
                drive(clients, time, || Some(etcd::sell(&nights.next()?))).await
            }
            Sellers::Postgres(sessions) => {
                drive_each(sessions, time, async |session| {
                    let night = nights.next()?;
                    // It waits for its standby for ever: a client does not.
                    let sold = timeout(time, session.sell(&night)).await;
                    Some(sold.unwrap_or_else(|waited| Err(waited.into())))
                })
                .await
            }
        }
    }
}

pub(super) async fn measure(
    site: &Site<'_>,
    peers: &mut Peers,
    hot: usize,
    then_lose: bool,
) -> anyhow::Result<Vec<Finding>> {
    let name = format!("compare-{hot}");
    let mut cluster = Cluster::start(site, &name, WanPlan::loopback(), &SETTINGS).await?;
    let measured = sold(site, &mut cluster, peers, hot, then_lose).await;
    cluster.stop().await?;
    std::fs::remove_dir_all(site.folder.join(&name))?;
    measured
}

async fn sold(
    site: &Site<'_>,
    cluster: &mut Cluster,
    peers: &mut Peers,
    hot: usize,
    then_lose: bool,
) -> anyhow::Result<Vec<Finding>> {
    let (rounds, time) = (site.arguments.rounds, site.arguments.round());
    let lost_s = if then_lose { AFTER_LOSS.as_secs() } else { 0 };
    let seconds = usize::try_from(site.arguments.seconds * rounds as u64 + lost_s)? + 2;
    let needed = Nights::listings_needed(hot, seconds * BOOKINGS_PER_SECOND_MAX);
    let listings = cluster.make_listings(needed).await?;
    let mut sides = sides(site, cluster, peers, (&listings, hot)).await?;
    cluster.found_groups(&sides[0].nights).await?;
    take_turns(&mut sides, rounds, time).await;
    let mut findings = vec![tell(&sides, format!("{hot} listings"))];
    if then_lose {
        cluster.local.kill(LOST).await?;
        if let Some(etcd) = &mut peers.etcd {
            etcd.lose_one().await?;
        }
        if let Some(postgres) = &mut peers.postgres {
            postgres.lose_standby().await?;
        }
        for side in &mut sides {
            side.rounds = vec![side.load(AFTER_LOSS).await];
        }
        findings.push(tell(&sides, "after a loss".to_owned()));
    }
    Ok(findings)
}

/// Those that are here, ours first.
async fn sides(
    site: &Site<'_>,
    cluster: &Cluster,
    peers: &Peers,
    (listings, hot): (&[String], usize),
) -> anyhow::Result<Vec<Side>> {
    let count = site.arguments.clients;
    // Clients of the node that will be lost would say only that it is lost.
    let mut sellers = vec![Sellers::Meridian(Connection::spread(
        &cluster.endpoints[..2],
        count,
    )?)];
    if let Some(etcd) = &peers.etcd {
        let clients = Connection::spread(&etcd.endpoints[..2], count)?;
        sellers.push(Sellers::Etcd(clients));
    }
    if let Some(postgres) = &peers.postgres {
        let sessions = postgres.sessions(count, Durable::Twice).await?;
        sellers.push(Sellers::Postgres(sessions));
    }
    sellers
        .into_iter()
        .map(|sellers| {
            Ok(Side {
                sellers,
                nights: Nights::new(listings, hot)?,
                rounds: Vec::new(),
            })
        })
        .collect()
}

pub(super) fn tell(sides: &[Side], case: String) -> Finding {
    let mut finding = Finding::new("compare", case);
    for side in sides {
        let name = side.sellers.name();
        let rounds = &side.rounds;
        let of = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of));
        finding = finding
            .value(&format!("{name}_per_second"), of(&Round::rate))
            .value(
                &format!("{name}_p50_ms"),
                of(&|round| round.latencies.quantile_ms(0.5)),
            )
            .value(
                &format!("{name}_p99_ms"),
                of(&|round| round.latencies.quantile_ms(0.99)),
            );
        if let Some(failures) = Round::failures(name, rounds) {
            finding = finding.note(failures);
        }
    }
    finding
}

/// Loads each side in each round, after a round that nobody counts.
pub(super) async fn take_turns(sides: &mut [Side], rounds: usize, time: Duration) {
    for side in &*sides {
        side.load(WARM_UP).await;
    }
    for _ in 0..rounds {
        // Turn and turn about: none is always the one after another.
        sides.rotate_left(1);
        for side in &mut *sides {
            let round = side.load(time).await;
            side.rounds.push(round);
        }
    }
    sides.sort_by_key(|side| side.sellers.place());
}
