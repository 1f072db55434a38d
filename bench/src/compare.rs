//! The same work by what people would take instead: bookings by etcd and by PostgreSQL, listings by
//! PostgreSQL and by Redis; and what each of them sells after it has lost a place.
//!
//! They are not the same thing: PostgreSQL's standby and Redis stand in one region, and neither
//! pays for HTTP and JSON. `docs/trade-offs.md` says what that means.

pub(crate) mod distant;
mod listings;
mod nights;

use crate::cli::say;
use crate::etcd::Etcd;
use crate::postgres::Postgres;
use crate::redis_node::Redis;
use crate::report::Finding;
use crate::run::Site;

/// Hot listings of the bookings.
const HOT: [usize; 2] = [1, 256];

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let beside = site.folder.parent().unwrap_or(&site.folder);
    let mut peers = Peers {
        etcd: Etcd::start(&site.folder.join("compare-etcd")).await?,
        postgres: Postgres::start(beside).await?,
        redis: Redis::start(&site.folder.join("compare-redis")).await?,
    };
    peers.say_who_is_here();
    let mut findings = Vec::new();
    for hot in HOT {
        // After the last one a place is lost.
        let then_lose = hot == HOT[HOT.len() - 1];
        let measured = nights::measure(site, &mut peers, hot, then_lose).await?;
        measured.iter().for_each(|finding| say(&finding.line()));
        findings.extend(measured);
    }
    // Its standby is gone: for listings there is another.
    if let Some(lost) = peers.postgres.take() {
        lost.stop().await?;
    }
    peers.postgres = Postgres::start(beside).await?;
    let measured = listings::measure(site, &peers).await?;
    measured.iter().for_each(|finding| say(&finding.line()));
    findings.extend(measured);
    peers.stop().await?;
    Ok(findings)
}

/// Who is compared with; those that are not installed are not.
pub(crate) struct Peers {
    pub(crate) etcd: Option<Etcd>,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) redis: Option<Redis>,
}

impl Peers {
    fn say_who_is_here(&self) {
        let etcd = self.etcd.as_ref().map(|etcd| etcd.version.as_str());
        let postgres = self.postgres.as_ref().map(|one| one.version.as_str());
        let redis = self.redis.as_ref().map(|redis| redis.version.as_str());
        let peers = [
            (etcd, "etcd, three nodes", "etcd-server"),
            (
                postgres,
                "PostgreSQL, a primary and a synchronous standby",
                "postgresql-15",
            ),
            (redis, "Redis, one node", "redis-server"),
        ];
        for (version, what, package) in peers {
            match version {
                Some(version) => say(&format!("beside {what}: {version}")),
                None => say(&format!(
                    "WARNING: {what}, is NOT compared: apt-get install {package}"
                )),
            }
        }
    }

    async fn stop(self) -> anyhow::Result<()> {
        if let Some(etcd) = self.etcd {
            etcd.stop().await?;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        if let Some(redis) = self.redis {
            redis.stop().await?;
        }
        Ok(())
    }
}
