//! Edits of the same listings, each at its home.

use std::cell::Cell;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::interval;

use crate::cluster::Cluster;
use crate::drive::{Round, drive, drive_each};
use crate::http::{Connection, Expect, Request};

/// Longer than a stretch of edits takes anywhere.
const STRETCH_MAX: Duration = Duration::from_secs(3_600);

/// Edits in turn, from where it stands in `done` until so many have been sent.
pub(crate) async fn edit(
    clients: &[Connection],
    (cluster, listings): (&Cluster, &[String]),
    (done, until): (&Cell<u64>, u64),
) -> Round {
    drive(clients, STRETCH_MAX, || {
        let number = next(done, until)?;
        Some(request(cluster, listings, number))
    })
    .await
}

/// The same by one client, at a pace.
pub(crate) async fn edit_slowly(
    client: &Connection,
    (cluster, listings): (&Cluster, &[String]),
    (done, until): (&Cell<u64>, u64),
    every: Duration,
) -> Round {
    let pace = (client, interval(every));
    drive_each([pace], STRETCH_MAX, async |(client, ticks)| {
        ticks.tick().await;
        let number = next(done, until)?;
        let sent = client.send(&request(cluster, listings, number)).await;
        Some(sent.map(drop))
    })
    .await
}

fn next(done: &Cell<u64>, until: u64) -> Option<u64> {
    let number = done.get();
    if number >= until {
        return None;
    }
    done.set(number + 1);
    Some(number)
}

fn request(cluster: &Cluster, listings: &[String], number: u64) -> Request {
    let listing = usize::try_from(number).unwrap_or(0) % listings.len();
    Request {
        method: Method::PATCH,
        endpoint: Some(cluster.home_of(listing)),
        path: format!("/v1/listings/{}", listings[listing]),
        key: None,
        body: Some(json!({"house_rules": format!("As of edit {number}")})),
        expect: Expect::Success,
    }
}
