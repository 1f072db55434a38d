//! Latencies as clients see them, region by region, while nothing is broken.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use meridian_client::NewStay;
use serde_json::json;

use super::{Region, Smoke, SmokeError, call};
use crate::history::{Outcome, Sale};

/// Longest time that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Latencies of one region.
pub(super) struct Measured {
    pub(super) region: &'static str,
    pub(super) write: Histogram<u64>,
    pub(super) read: Histogram<u64>,
    pub(super) booking: Histogram<u64>,
}

/// Measures one region after the other: they share the machine's cores.
pub(super) async fn all(smoke: &Smoke<'_>) -> Result<Vec<Measured>, SmokeError> {
    let mut measured = Vec::new();
    for region in &smoke.regions {
        measured.push(one(smoke, region).await?);
    }
    Ok(measured)
}

async fn one(smoke: &Smoke<'_>, region: &Region) -> Result<Measured, SmokeError> {
    let mut measured = Measured {
        region: region.id,
        write: histogram(),
        read: histogram(),
        booking: histogram(),
    };
    let home = smoke
        .options
        .listings
        .get(region.id)
        .filter(|listings| !listings.is_empty())
        .ok_or_else(|| SmokeError::NoListings(region.id.to_owned()))?;
    for round in 0..smoke.options.measured {
        let listing = &home[round % home.len()];
        let patch = json!({"house_rules": format!("Quiet after {}", 20 + round % 4)});
        let started = Instant::now();
        let written = region.client.patch_listing(listing, patch, None).await;
        record(&mut measured.write, started.elapsed());
        written.map_err(|cause| call("writing a listing", cause))?;
        let started = Instant::now();
        let read = region.client.listing(listing).await;
        record(&mut measured.read, started.elapsed());
        read.map_err(|cause| call("reading a listing", cause))?;
    }
    // One listing at home, and one booking before the measured ones: the group's
    // first election is not what a booking costs.
    let Some((listing, (check_in, _))) = region.bookable.last().zip(smoke.options.nights.last())
    else {
        return Ok(measured);
    };
    for round in 0..=smoke.options.bookings_measured {
        let Some((check_in, check_out)) = night_after(check_in, round) else {
            break;
        };
        let stay = NewStay {
            check_in,
            check_out,
            guests: 1,
        };
        let key = format!("measure-{:032x}", rand::random::<u128>());
        let started = Instant::now();
        let answer = region.client.book(listing, &stay, "card_ok", &key).await;
        if round > 0 {
            record(&mut measured.booking, started.elapsed());
        }
        smoke.history.sale(Sale {
            listing: listing.clone(),
            check_in: stay.check_in,
            check_out: stay.check_out,
            region: region.id.to_owned(),
            outcome: Outcome::of_booking(&answer),
        });
        answer.map_err(|cause| call("booking a stay", cause))?;
    }
    Ok(measured)
}

/// The `round`-th night of the month of `first`, from the second on: the first is
/// another's.
fn night_after(first: &str, round: usize) -> Option<(String, String)> {
    let month = first.get(..8)?;
    let day = round + 2;
    (day < 28).then(|| (format!("{month}{day:02}"), format!("{month}{:02}", day + 1)))
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are in order")
}

fn record(histogram: &mut Histogram<u64>, elapsed: Duration) {
    histogram.saturating_record(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
}
