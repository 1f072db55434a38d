//! Reads what is there once all is mended, everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use meridian_client::{AdminClient, CallError, Session};
use serde_json::Value;

use super::ground::admins;
use super::lateness::{Windows, micros};
use crate::cluster::SandboxProvider;
use crate::fault::Scene;
use crate::load::{Desk, Door};
use crate::observe::{converged, converged_on, text};
use crate::record::{Final, FinalBooking, FinalDocument, FinalDue, FinalPayment, Line};
use crate::scenario::Scenario;
use crate::until::until;
use crate::wan::Wan;

/// Beyond the bound on convergence: what is late is told as late, and not as never.
const BEYOND: Duration = Duration::from_secs(30);
/// How long one reading may be tried.
const READ_PATIENCE: Duration = Duration::from_secs(20);
/// How long payments may take to come to their end: a lost answer is asked for again.
const SETTLE_PATIENCE: Duration = Duration::from_secs(60);

/// Writes down what every node and every region holds. What cannot be read is written down
/// as that.
pub(super) async fn read(
    scenario: &Scenario,
    scene: &Scene,
    desk: &Arc<Desk>,
    late: (Duration, &Windows),
) {
    let reading = Reading { desk };
    if let Some(own) = scene.cluster.own()
        && own.wan().why_broken().is_some()
    {
        // Nodes that do not reach each other come to no rest.
        return reading.links(own.wan(), late);
    }
    let admins = match admins(&scene.cluster) {
        Ok(admins) => admins,
        Err(cause) => return reading.unread("the nodes".to_owned(), cause.to_string()),
    };
    let began = Instant::now();
    let patience = Duration::from_millis(scenario.bounds.converge_ms) + BEYOND;
    let ground = &desk.ground;
    let in_time = match scene.cluster.own() {
        Some(_) => converged(&admins, patience).await.is_ok(),
        // Others write there, too.
        None => {
            let listings = [ground.booked.as_slice(), &ground.edited].concat();
            converged_on(&admins, &listings, patience).await.is_ok()
        }
    };
    let after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    reading.note(Final::Converged {
        after_ms: in_time.then_some(after_ms),
    });
    if let Some(own) = scene.cluster.own() {
        reading.links(own.wan(), late);
    }
    let mut held = Vec::new();
    for door in desk.regions().iter().flatten() {
        if let Some(admin) = admins.get(&door.node) {
            match patiently(async || held_by(admin).await).await {
                Ok(one) => held.push((door, one)),
                Err(cause) => reading.unread(format!("digests of node {}", door.node), cause),
            }
        }
    }
    let known = held.iter().flat_map(|(_, held)| held.digests.iter());
    let shards: BTreeMap<&str, u64> = known
        .map(|(listing, (shard, _))| (listing.as_str(), *shard))
        .collect();
    for (door, held) in &held {
        reading.documents(door, held, &shards).await;
    }
    let removed = scene.cluster.ids().into_iter();
    for node in removed.filter(|node| !admins.contains_key(node)) {
        reading.note(Final::Removed { node });
    }
    let there = |doors: &'_ Vec<Door>| {
        let mut there = doors.iter().filter(|door| admins.contains_key(&door.node));
        there.next().cloned()
    };
    let regions = desk.regions().iter().filter_map(there);
    for (place, door) in regions.enumerate() {
        for listing in &desk.ground.booked {
            reading.ledger(&door, listing, place == 0).await;
        }
    }
    let broken = scene.cluster.own().and_then(|own| own.wan().why_broken());
    if let Some(why) = broken {
        reading.unread("what is there over whole links".to_owned(), why);
    }
}

struct Reading<'a> {
    desk: &'a Desk,
}

impl Reading<'_> {
    fn note(&self, last: Final) {
        self.desk.recorder.line(|_at_us| Line::Final(last));
    }

    fn unread(&self, what: String, cause: String) {
        self.note(Final::Unread { what, cause });
    }

    /// How well the links kept their delays.
    fn links(&self, wan: &Wan, (calm_late, windows): (Duration, &Windows)) {
        let late = wan.lateness();
        self.note(Final::Links {
            late_p99_us: micros(late.quantile(0.99)),
            late_max_us: micros(late.worst()),
            dropped: wan.dropped_by_system().unwrap_or_default(),
            calm_p99_us: micros(calm_late),
            broken: wan.why_broken(),
            windows: windows.up_to(self.desk.recorder.now_us(), late),
        });
    }

    /// Every listing's document on one node, of those that it holds. `shards` says of which
    /// shard a listing is.
    async fn documents(&self, door: &Door, held: &Held, shards: &BTreeMap<&str, u64>) {
        let ground = &self.desk.ground;
        let all: BTreeSet<&String> = ground.booked.iter().chain(&ground.edited).collect();
        for listing in all {
            // Two nodes that tell no digest are not known to hold the same.
            let Some((_, digest)) = held.digests.get(listing) else {
                let shard = shards.get(listing.as_str());
                if shard.is_none_or(|shard| held.shards.contains(shard)) {
                    let what = format!("the digest of {listing} on node {}", door.node);
                    let cause = "it is in none of the node's shards";
                    self.unread(what, cause.to_owned());
                }
                continue;
            };
            match patiently(async || amenities(door, listing).await).await {
                Ok(amenities) => self.note(Final::Document(FinalDocument {
                    listing: listing.clone(),
                    node: door.node,
                    digest: digest.clone(),
                    amenities,
                })),
                Err(cause) => self.unread(format!("{listing} on node {}", door.node), cause),
            }
        }
    }

    /// A listing's ledger in one region, once its payments have come to their end; with
    /// what is due for each booking, `with_dues`: that is the same in every region.
    async fn ledger(&self, door: &Door, listing: &str, with_dues: bool) {
        let settled = until(SETTLE_PATIENCE, "every payment at its end", async || {
            let (_, bookings) = bookings(door, listing).await.ok()?;
            let is_open = |(one, _): &(FinalBooking, _)| one.state == "pending_payment";
            (!bookings.iter().any(is_open)).then_some(())
        });
        // One that is open all the same is written down as that.
        let _ = settled.await;
        match patiently(async || bookings(door, listing).await).await {
            Ok((units, bookings)) => {
                self.note(Final::Ledger {
                    listing: listing.to_owned(),
                    region: door.region.clone(),
                    units,
                });
                for (booking, due) in bookings {
                    self.note(Final::Booking(booking));
                    if with_dues {
                        self.note(Final::Due(due));
                    }
                }
            }
            Err(cause) => self.unread(format!("bookings of {listing} in {}", door.region), cause),
        }
    }
}

/// Writes down what the provider's book says, once no payment is open any more, or it has
/// been waited for.
pub(super) async fn read_payments(provider: &SandboxProvider, desk: &Arc<Desk>) {
    let settled = until(SETTLE_PATIENCE, "every payment settled", async || {
        let balances = provider.balances().ok()?;
        balances.values().all(|one| !one.is_open).then_some(())
    });
    // Those that are open all the same are written down as that.
    let _ = settled.await;
    let reading = Reading { desk };
    match provider.balances() {
        Ok(balances) => balances.into_iter().for_each(|(booking, balance)| {
            reading.note(Final::Payment(FinalPayment {
                booking,
                captured: balance.captured,
                refunded: balance.refunded,
                authorized: balance.is_open,
            }));
        }),
        Err(cause) => reading.unread("the provider's book".to_owned(), cause.to_string()),
    }
}

/// Tries until there is an answer, or its time is over.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, CallError>) -> Result<T, String> {
    let mut last = None;
    let read = until(READ_PATIENCE, "an answer", async || match ask().await {
        Ok(read) => Some(read),
        Err(cause) => {
            last = Some(cause.to_string());
            None
        }
    });
    let read = read.await;
    read.map_err(|late| last.unwrap_or_else(|| late.to_string()))
}

/// What a node holds.
struct Held {
    shards: BTreeSet<u64>,
    /// By listing: its shard, and its digest.
    digests: BTreeMap<String, (u64, String)>,
}

async fn held_by(admin: &AdminClient) -> Result<Held, CallError> {
    let answer = admin.digests().await?;
    let (mut shards, mut digests) = (BTreeSet::new(), BTreeMap::new());
    for shard in answer["shards"].as_array().into_iter().flatten() {
        let Some(number) = shard["shard"].as_u64() else {
            continue;
        };
        shards.insert(number);
        let Some(1..) = shard["listings"].as_u64() else {
            continue;
        };
        let of_shard = admin.shard_digests(number).await?;
        for listing in of_shard["listings"].as_array().into_iter().flatten() {
            let digest = (number, text(&listing["digest"]));
            digests.insert(text(&listing["id"]), digest);
        }
    }
    Ok(Held { shards, digests })
}

async fn amenities(door: &Door, listing: &str) -> Result<Vec<String>, CallError> {
    let client = door.client(Session::new())?;
    let body = client.listing_at(listing, "eventual").await?.body;
    let amenities = body["amenities"].as_array().into_iter().flatten();
    Ok(amenities.map(text).collect())
}

/// Units of a listing, and all its bookings as a quorum has them.
async fn bookings(
    door: &Door,
    listing: &str,
) -> Result<(u32, Vec<(FinalBooking, FinalDue)>), CallError> {
    let client = door.client(Session::new())?;
    let view = client.listing(listing).await?.body;
    let units = view["units"]
        .as_u64()
        .and_then(|units| u32::try_from(units).ok());
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.bookings_of(listing, cursor.as_deref()).await?.body;
        let bookings = page["data"].as_array().into_iter().flatten();
        found.extend(bookings.map(|booking| (booking_of(door, listing, booking), due(booking))));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok((units.unwrap_or(1), found)),
        }
    }
}

fn booking_of(door: &Door, listing: &str, booking: &Value) -> FinalBooking {
    FinalBooking {
        region: door.region.clone(),
        listing: listing.to_owned(),
        booking: text(&booking["booking_id"]),
        check_in: text(&booking["check_in"]),
        check_out: text(&booking["check_out"]),
        state: text(&booking["state"]),
    }
}

fn due(booking: &Value) -> FinalDue {
    FinalDue {
        booking: text(&booking["booking_id"]),
        price: booking["price"]["amount"].as_u64().unwrap_or_default(),
        // One that was never taken has nothing to give back.
        refund: (booking["state"] == "cancelled" && booking["payment"]["captured"] != 0)
            .then(|| booking["payment"]["refund"].as_u64())
            .flatten(),
    }
}
