//! What a cluster shows to whoever asks all of its nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use meridian_client::{AdminClient, CallError, Client};
use serde_json::Value;

use crate::check::StandingBooking;
use crate::until::{NotInTime, until};

/// Listings looked at in search of bookable ones.
const BOOKABLE_LOOKS_MAX: usize = 1_000;

/// The digest of each listing on each node.
pub(crate) type Digests = BTreeMap<u64, BTreeMap<String, String>>;

/// Digests of every listing of the shards that differ, by shard, on every node that holds
/// it: of the others, the nodes that hold them are known to be equal.
pub(crate) async fn differing_digests(
    admins: &BTreeMap<u64, AdminClient>,
) -> Result<BTreeMap<u64, Digests>, CallError> {
    let mut holders: BTreeMap<u64, BTreeMap<u64, String>> = BTreeMap::new();
    for (node, admin) in admins {
        for (shard, digest) in shards(&admin.digests().await?)? {
            holders.entry(shard).or_default().insert(*node, digest);
        }
    }
    let differs = |holders: &BTreeMap<u64, String>| {
        let mut digests = holders.values();
        let first = digests.next();
        digests.any(|digest| Some(digest) != first)
    };
    holders.retain(|_, holders| differs(holders));
    let mut differing = BTreeMap::new();
    for (shard, holders) in holders {
        let mut digests = Digests::new();
        for (node, admin) in admins
            .iter()
            .filter(|(node, _)| holders.contains_key(*node))
        {
            let answer = admin.shard_digests(shard).await?;
            let listings = answer["listings"].as_array().into_iter().flatten();
            let listings = listings.map(|one| (text(&one["id"]), text(&one["digest"])));
            digests.insert(*node, listings.collect());
        }
        differing.insert(shard, digests);
    }
    Ok(differing)
}

/// Waits until all nodes hold the same documents.
pub(crate) async fn converged(
    admins: &BTreeMap<u64, AdminClient>,
    patience: Duration,
) -> Result<(), NotInTime> {
    until(patience, "all nodes hold the same documents", async || {
        let differing = differing_digests(admins).await.ok()?;
        differing.is_empty().then_some(())
    })
    .await
}

/// Waits until all nodes that hold them hold the same of these listings, whatever else is
/// written meanwhile.
pub(crate) async fn converged_on(
    admins: &BTreeMap<u64, AdminClient>,
    listings: &[String],
    patience: Duration,
) -> Result<(), NotInTime> {
    until(patience, "all nodes hold the run's listings", async || {
        let differing = differing_digests(admins).await.ok()?;
        let equal = |digests: &Digests| {
            listings.iter().all(|listing| {
                let mut of_nodes = digests.values().map(|known| known.get(listing));
                let first = of_nodes.next();
                of_nodes.all(|digest| Some(digest) == first)
            })
        };
        differing.values().all(equal).then_some(())
    })
    .await
}

/// Every confirmed booking of a listing, as its ledger says now.
pub(crate) async fn standing_bookings(
    client: &Client,
    listing: &str,
) -> Result<Vec<StandingBooking>, CallError> {
    let mut standing = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.bookings_of(listing, cursor.as_deref()).await?.body;
        for booking in page["data"].as_array().into_iter().flatten() {
            if booking["state"] == "confirmed" {
                standing.push(StandingBooking {
                    booking_id: text(&booking["booking_id"]),
                    listing: listing.to_owned(),
                    check_in: text(&booking["check_in"]),
                    check_out: text(&booking["check_out"]),
                });
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(standing),
        }
    }
}

/// Digests by shard. A node that names none has not said that it holds the same.
fn shards(answer: &Value) -> Result<BTreeMap<u64, String>, CallError> {
    let shards: BTreeMap<u64, String> = answer["shards"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|shard| Some((shard["shard"].as_u64()?, text(&shard["digest"]))))
        .collect();
    if shards.is_empty() {
        return Err(CallError::Decode("digests without a shard".to_owned()));
    }
    Ok(shards)
}

/// The first `wanted` of `listings` that take a stay of one night: not every real
/// listing does, and one without a price cannot be booked at all.
pub(crate) async fn bookable(
    client: &Client,
    listings: &[String],
    wanted: usize,
) -> Result<Vec<String>, CallError> {
    let mut found = Vec::new();
    for listing in listings.iter().take(BOOKABLE_LOOKS_MAX) {
        if found.len() >= wanted {
            break;
        }
        let view = client.listing(listing).await?.body;
        if view["min_stay"] == 1 && view["nightly_price"]["amount"].as_u64().is_some() {
            found.push(listing.clone());
        }
    }
    Ok(found)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
