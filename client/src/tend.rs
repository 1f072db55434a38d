//! Looking after endpoints: probes, and what they tell of the cluster.
//!
//! A call starts the probes that are due, and does not wait for them: a client that is
//! idle sends nothing. Each probe is one `GET /v1/regions`, which measures the way there
//! and names the cluster's endpoints. Probes belong to the client: they end with its last
//! clone, and a call that ends leaves them running.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use http::Method;
use http::header::AUTHORIZATION;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::builder::check;
use crate::client::{Client, Shared};
use crate::error::CallError;
use crate::roster::{Failure, Found, Ranking};
use crate::wire::{Lost, Request};

/// How long a probe may take: longer than any round trip.
const PROBE_MAX: Duration = Duration::from_secs(3);
/// Rounds of probes of [`Client::discover`]: the seeds, and three for what they name.
const DISCOVERY_ROUNDS: usize = 4;

/// Probes under way.
#[derive(Debug, Default)]
pub(crate) struct Probes(Mutex<JoinSet<()>>);

impl Client {
    /// Finds the cluster's endpoints through the seeds and measures them, so that the next
    /// call goes to the nearest region. Calls do the same by and by; who has done this
    /// first does not begin at a seed that is far away.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] if no endpoint answers.
    pub async fn discover(&self) -> Result<(), CallError> {
        for _ in 0..DISCOVERY_ROUNDS {
            let due = self.shared.roster().take_due(Instant::now().into_std());
            join_all(due.into_iter().map(|url| probe(&self.shared, url))).await;
        }
        let mut roster = self.shared.roster();
        let order = roster.order(Instant::now().into_std());
        let measured = |url: &String| roster.round_trip(url).is_some();
        if self.shared.ranking == Ranking::ByRoundTrip && !order.iter().any(measured) {
            let asked = order.join(", ");
            return Err(CallError::Unreachable(format!("none of {asked} answers")));
        }
        Ok(())
    }

    /// The endpoint that the next call goes to.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        let now = Instant::now().into_std();
        self.shared.roster().order(now).into_iter().next()
    }

    /// The region of that endpoint; `None` until a node has told.
    #[must_use]
    pub fn region(&self) -> Option<String> {
        let endpoint = self.endpoint()?;
        let roster = self.shared.roster();
        roster.region(&endpoint).map(str::to_owned)
    }

    /// Starts the probes that are due.
    pub(crate) fn tend(&self) {
        let due = self.shared.roster().take_due(Instant::now().into_std());
        if due.is_empty() {
            return;
        }
        let mut probes = self.probes.0.lock().unwrap_or_else(PoisonError::into_inner);
        while probes.try_join_next().is_some() {}
        for url in due {
            let shared = Arc::clone(&self.shared);
            probes.spawn(async move { probe(&shared, url).await });
        }
    }
}

async fn probe(shared: &Shared, url: String) {
    let credential = shared.options.credential.iter();
    let headers = credential.map(|credential| (AUTHORIZATION, credential.header()));
    let request = Request {
        method: Method::GET,
        url: format!("{url}/v1/regions"),
        headers: headers.collect(),
        body: None,
    };
    let started = Instant::now();
    let asked = async {
        let reply = shared.wire.exchange(request).await?;
        let took = started.elapsed();
        Ok::<_, Lost>((took, reply.read().await))
    };
    let asked = timeout(PROBE_MAX, asked).await;
    let now = Instant::now().into_std();
    let mut roster = shared.roster();
    match asked {
        Ok(Ok((took, Ok(answer)))) => {
            let region = answer.body["served_by"].as_str().unwrap_or_default();
            roster.measured(&url, took, region, now);
            if shared.ranking == Ranking::ByRoundTrip {
                let pick = usize::from(rand::random::<u16>());
                roster.learn(&found(&answer.body), pick);
            }
        }
        // Whoever refuses a probe is no node, or a node that is overloaded.
        Ok(Ok((_, Err(_)))) => roster.unmeasured(&url, Failure::Broken, now),
        Ok(Err(Lost::NotSent(_))) => roster.unmeasured(&url, Failure::Refused, now),
        Ok(Err(Lost::NoAnswer(_))) => roster.unmeasured(&url, Failure::Broken, now),
        Err(_late) => roster.unmeasured(&url, Failure::Silent, now),
    }
}

/// What `GET /v1/regions` says of endpoints; what is no URL is passed over.
fn found(body: &Value) -> Vec<Found> {
    let regions = body["data"].as_array().into_iter().flatten();
    regions
        .filter_map(|region| {
            let endpoints = region["endpoints"].as_array()?.iter();
            let urls = endpoints.filter_map(Value::as_str);
            Some(Found {
                region: region["id"].as_str()?.to_owned(),
                endpoints: urls
                    .filter(|url| check(url).is_ok())
                    .map(str::to_owned)
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
