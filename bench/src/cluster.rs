//! Three real nodes, and listings in them.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::join_all;
use meridian_chaos::{ClusterOptions, LocalCluster, Network, WanPlan, until};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::{Connection, Expect, Request};
use crate::nights::Nights;
use crate::run::Site;

/// Clients that prepare what is measured.
const PREPARING: usize = 64;
/// Ample time for preparing one thing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// Attempts to prepare what was refused: a node may be busy waking groups.
const ATTEMPTS_MAX: usize = 50;
const PAUSE: Duration = Duration::from_millis(200);
/// Groups awake on a node.
const GROUPS_AWAKE: &str = "meridian_groups_awake";

/// A running cluster of three regions with a node each.
pub(crate) struct Cluster {
    pub(crate) local: LocalCluster,
    pub(crate) endpoints: Vec<String>,
    pub(crate) regions: Vec<&'static str>,
}

impl Cluster {
    /// Starts it in a folder of its own.
    pub(crate) async fn start(
        site: &Site<'_>,
        name: &str,
        plan: WanPlan,
        settings: &[&str],
    ) -> anyhow::Result<Self> {
        Self::start_in(site, name, plan, (settings, Network::Relays)).await
    }

    /// The same with something else between the nodes.
    pub(crate) async fn start_in(
        site: &Site<'_>,
        name: &str,
        plan: WanPlan,
        (settings, network): (&[&str], Network),
    ) -> anyhow::Result<Self> {
        let options = ClusterOptions {
            binary: PathBuf::from(&site.meridian),
            folder: site.folder.join(name),
            plan,
            first_port: None,
            settings: settings.iter().map(ToString::to_string).collect(),
            network,
        };
        let local = LocalCluster::start(options).await?;
        let endpoints = local.nodes().map(|node| format!("http://{}", node.api));
        Ok(Self {
            endpoints: endpoints.collect(),
            regions: local.nodes().map(|node| node.region).collect(),
            local,
        })
    }

    /// Clients spread evenly over the nodes.
    pub(crate) fn clients(&self, count: usize) -> anyhow::Result<Vec<Connection>> {
        Connection::spread(&self.endpoints, count)
    }

    /// Makes so many listings, the first at home in the first region, the second in the
    /// second, and so on; and waits until every node has them all.
    pub(crate) async fn make_listings(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let clients = self.clients(PREPARING)?;
        let next = Cell::new(0);
        let made: RefCell<Vec<String>> = RefCell::new(vec![String::new(); count]);
        let results = join_all(clients.iter().map(async |client| -> anyhow::Result<()> {
            loop {
                let number = next.replace(next.get() + 1);
                if number >= count {
                    return Ok(());
                }
                let home = number % self.regions.len();
                let answer = client.send(&draft(self.regions[home], home)).await?;
                let id = answer["id"].as_str().context("a listing has an id")?;
                made.borrow_mut()[number] = id.to_owned();
            }
        }))
        .await;
        results.into_iter().collect::<anyhow::Result<()>>()?;
        self.converged().await?;
        Ok(made.into_inner())
    }

    /// Holds one night of every listing, so that its group is there and awake.
    pub(crate) async fn found_groups(&self, nights: &Nights) -> anyhow::Result<()> {
        let clients = self.clients(PREPARING)?;
        // Sent again with the same key: an answer that was lost is asked for, not a second
        // hold of the same night.
        let mut open: Vec<Request> = nights.first_of_each().map(|night| night.hold()).collect();
        let all = open.len();
        let mut cause = String::new();
        for _ in 0..ATTEMPTS_MAX {
            let queue = RefCell::new(open);
            let refused = RefCell::new((Vec::new(), String::new()));
            join_all(clients.iter().map(async |client| {
                while let Some(hold) = { queue.borrow_mut().pop() } {
                    if let Err(cause) = client.send(&hold).await {
                        let mut refused = refused.borrow_mut();
                        refused.0.push(hold);
                        refused.1 = format!("{cause:#}");
                    }
                }
            }))
            .await;
            (open, cause) = refused.into_inner();
            if open.is_empty() {
                return Ok(());
            }
            if open.len() == all {
                break;
            }
            sleep(PAUSE).await;
        }
        bail!(
            "{} of {all} groups could not be founded: {cause}",
            open.len()
        )
    }

    /// Waits until every node has logged or applied as many entries as all of them have logged,
    /// since they were started together. Asking for that costs them little; whether they hold the
    /// same is to be looked at then.
    pub(crate) async fn caught_up(&self) -> anyhow::Result<()> {
        until(PATIENCE, "every node has all entries", async || {
            let mut entries = Vec::new();
            for id in self.local.ids() {
                let told = self.local.admin(id).ok()?.replication().await.ok()?;
                let count = |name: &str| told[name].as_u64();
                entries.push((count("entries_logged")?, count("entries_applied")?));
            }
            let all: u64 = entries.iter().map(|(logged, _)| logged).sum();
            let has_all = |(logged, applied): &(u64, u64)| logged + applied == all;
            entries.iter().all(has_all).then_some(())
        })
        .await?;
        Ok(())
    }

    /// Waits until every node holds the same documents.
    pub(crate) async fn converged(&self) -> anyhow::Result<()> {
        until(PATIENCE, "every node holds the same listings", async || {
            let mut digests = Vec::new();
            for id in self.local.ids() {
                digests.push(self.local.admin(id).ok()?.digests().await.ok()?);
            }
            digests
                .windows(2)
                .all(|pair| pair[0] == pair[1])
                .then_some(())
        })
        .await?;
        Ok(())
    }

    /// How often the history of a listing has begun anew, on all nodes together, since these
    /// were started.
    pub(crate) async fn begun_anew(&self) -> f64 {
        let mut all = 0.0;
        for node in self.local.nodes() {
            let admin = format!("http://{}", node.admin);
            all += gauge(&admin, "meridian_renewals_begun")
                .await
                .unwrap_or(f64::NAN);
        }
        all
    }

    /// The node at which a listing is at home, by the listing's number.
    pub(crate) fn home_of(&self, listing: usize) -> usize {
        listing % self.endpoints.len()
    }

    /// Waits until no group is awake on any node.
    pub(crate) async fn asleep(&self) -> anyhow::Result<()> {
        until(PATIENCE, "every group asleep", async || {
            for node in self.local.nodes() {
                if gauge(&format!("http://{}", node.admin), GROUPS_AWAKE).await? != 0.0 {
                    return None;
                }
            }
            Some(())
        })
        .await?;
        Ok(())
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.local.shutdown().await?)
    }
}

/// A metric of a node as its operator API tells it: one series of it, or, by its name alone, all
/// of them together; `None` if there is none.
pub(crate) async fn gauge(admin: &str, name: &str) -> Option<f64> {
    let text = reqwest::get(format!("{admin}/metrics")).await.ok()?;
    let text = text.text().await.ok()?;
    let series = text.lines().filter_map(|line| line.split_once(' '));
    let is_of_it = |series: &str| series == name || series.split('{').next() == Some(name);
    let of_it = series.filter(|(series, _)| is_of_it(series));
    let values = of_it.map(|(_, value)| value.parse::<f64>().ok());
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum())
}

fn draft(region: &str, endpoint: usize) -> Request {
    let body: Value = json!({
        "title": "Loft",
        "home_region": region,
        "location": {"lat": 59.91, "lon": 10.75},
        "capacity": 4,
        "nightly_price": {"amount": 12_900, "currency": "EUR"},
    });
    Request {
        method: Method::POST,
        endpoint: Some(endpoint),
        path: "/v1/listings".to_owned(),
        key: None,
        body: Some(body),
        expect: Expect::Success,
    }
}
