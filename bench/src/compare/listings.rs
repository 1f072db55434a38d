//! Listings read and written: the same documents, one place that answers.

use std::cell::Cell;
use std::time::Duration;

use meridian_chaos::WanPlan;
use redis::aio::MultiplexedConnection;
use reqwest::Method;
use serde_json::json;

use super::Peers;
use crate::cluster::Cluster;
use crate::drive::{Round, drive, drive_each};
use crate::http::{Connection, Expect, Request};
use crate::latency::median;
use crate::postgres::{Durable, Session};
use crate::reader::Reader;
use crate::redis_node;
use crate::report::Finding;
use crate::run::Site;

/// Listings that are read and written.
const LISTINGS: usize = 64;
/// The node that is asked.
const NODE: usize = 0;
/// Load that nobody counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// Who is asked, in the same order each time.
struct Asked {
    name: &'static str,
    clients: Clients,
    rounds: Vec<Round>,
}

enum Clients {
    Readers(Vec<Reader>),
    Http(Vec<Connection>),
    Postgres(Vec<Session>),
    Redis(Vec<MultiplexedConnection>),
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Act {
    Read,
    Write,
}

/// Ids and documents.
type Documents = [(String, String)];

pub(super) async fn measure(site: &Site<'_>, peers: &Peers) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "compare-listings", WanPlan::loopback(), &[]).await?;
    let measured = both(site, &cluster, peers).await;
    cluster.stop().await?;
    measured
}

async fn both(site: &Site<'_>, cluster: &Cluster, peers: &Peers) -> anyhow::Result<Vec<Finding>> {
    let documents = documents(cluster).await?;
    fill(peers, &documents).await?;
    let count = site.arguments.clients;
    let endpoint = &cluster.endpoints[NODE];
    let mut readers = vec![Asked::new(
        "meridian",
        Clients::Readers(Reader::connect(endpoint, count).await?),
    )];
    let mut writers = vec![Asked::new("meridian", Clients::Http(cluster.clients(1)?))];
    if let Some(postgres) = &peers.postgres {
        let sessions = postgres.sessions(count, Durable::Twice).await?;
        readers.push(Asked::new("postgres", Clients::Postgres(sessions)));
        for (name, durable) in [
            ("postgres", Durable::Here),
            ("postgres_twice", Durable::Twice),
        ] {
            let one = postgres.sessions(1, durable).await?;
            writers.push(Asked::new(name, Clients::Postgres(one)));
        }
    }
    if let Some(redis) = &peers.redis {
        readers.push(Asked::new(
            "redis",
            Clients::Redis(redis.clients(count).await?),
        ));
        writers.push(Asked::new("redis", Clients::Redis(redis.clients(1).await?)));
    }
    Ok(vec![
        in_turn(site, readers, Act::Read, &documents).await,
        in_turn(site, writers, Act::Write, &documents).await,
    ])
}

/// As a node answers them.
async fn documents(cluster: &Cluster) -> anyhow::Result<Vec<(String, String)>> {
    let client = &cluster.clients(1)?[0];
    let mut documents = Vec::new();
    for id in cluster.make_listings(LISTINGS).await? {
        let document = client.send(&about(Method::GET, &id, None)).await?;
        documents.push((id, document.to_string()));
    }
    Ok(documents)
}

async fn fill(peers: &Peers, documents: &Documents) -> anyhow::Result<()> {
    if let Some(postgres) = &peers.postgres {
        let session = &postgres.sessions(1, Durable::Twice).await?[0];
        for (id, document) in documents {
            session.put(id, document).await?;
        }
    }
    if let Some(redis) = &peers.redis {
        let client = &mut redis.clients(1).await?[0];
        for (id, document) in documents {
            redis_node::write(client, id, document).await?;
        }
    }
    Ok(())
}

async fn in_turn(
    site: &Site<'_>,
    mut asked: Vec<Asked>,
    act: Act,
    documents: &Documents,
) -> Finding {
    for one in &mut asked {
        one.load(WARM_UP, act, documents).await;
    }
    for _ in 0..site.arguments.rounds {
        for one in &mut asked {
            let round = one.load(site.arguments.round(), act, documents).await;
            one.rounds.push(round);
        }
    }
    let case = match act {
        Act::Read => format!("reads, {} clients", site.arguments.clients),
        Act::Write => "writes, 1 client".to_owned(),
    };
    let mut finding = Finding::new("compare", case);
    for one in &asked {
        let of = |of: &dyn Fn(&Round) -> f64| median(one.rounds.iter().map(of));
        let name = one.name;
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
        if let Some(failures) = Round::failures(name, &one.rounds) {
            finding = finding.note(failures);
        }
    }
    finding
}

impl Asked {
    const fn new(name: &'static str, clients: Clients) -> Self {
        Self {
            name,
            clients,
            rounds: Vec::new(),
        }
    }

    async fn load(&mut self, time: Duration, act: Act, documents: &Documents) -> Round {
        let number = Cell::new(0_usize);
        let next = || {
            let count = number.replace(number.get() + 1);
            let (id, document) = &documents[count % documents.len()];
            (
                id.as_str(),
                document.as_str(),
                format!("Quiet after {}", count % 24),
            )
        };
        match &mut self.clients {
            Clients::Readers(readers) => {
                drive_each(readers, time, async |reader| {
                    Some(reader.get(&format!("/v1/listings/{}", next().0)).await)
                })
                .await
            }
            Clients::Http(clients) => {
                drive(clients, time, || {
                    let (id, _, rules) = next();
                    let rules = json!({"house_rules": rules});
                    Some(about(Method::PATCH, id, Some(rules)))
                })
                .await
            }
            Clients::Postgres(sessions) => {
                drive_each(&*sessions, time, async |session| {
                    let (id, _, rules) = next();
                    Some(match act {
                        Act::Read => session.read(id).await,
                        Act::Write => session.write(id, &rules).await,
                    })
                })
                .await
            }
            Clients::Redis(clients) => {
                drive_each(clients, time, async |client| {
                    let (id, document, _) = next();
                    Some(match act {
                        Act::Read => redis_node::read(client, id).await,
                        Act::Write => redis_node::write(client, id, document).await,
                    })
                })
                .await
            }
        }
    }
}

fn about(method: Method, listing: &str, body: Option<serde_json::Value>) -> Request {
    Request {
        method,
        endpoint: Some(NODE),
        path: format!("/v1/listings/{listing}"),
        key: None,
        body,
        expect: Expect::Success,
    }
}
