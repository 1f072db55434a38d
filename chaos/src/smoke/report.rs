//! What a smoke run found, for people and for machines.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Smoke;
use super::judge::Judged;
use super::measure::Measured;
use crate::check::Verdict;
use crate::history::Outcome;

/// Median and 99th percentile, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// How many were measured.
    pub count: u64,
}

/// What clients of one region saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionReport {
    /// The region.
    pub region: String,
    /// Emulated round trip to the nearest other region: what a quorum costs.
    pub quorum_round_trip_ms: f64,
    /// Listing writes, acknowledged in the region.
    pub listing_write: Latency,
    /// Listing reads, served in the region.
    pub local_read: Latency,
    /// Bookings of a listing at home, payment included: two entries of its log.
    pub booking: Latency,
    /// Resident memory of its node, in MiB; `None` where this system does not tell.
    pub memory_mib: Option<f64>,
}

/// What a smoke run found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SmokeReport {
    /// Broken promises.
    pub verdict: Verdict,
    /// Region by region.
    pub regions: Vec<RegionReport>,
    /// Listings loaded.
    pub listings: usize,
    /// Attempts to book: sold, refused, unknown.
    pub bookings_sold: usize,
    /// Refused ones by code.
    pub bookings_refused: BTreeMap<String, usize>,
    /// Those whose outcome the client does not know.
    pub bookings_unknown: usize,
    /// Nights that clients of all regions raced for.
    pub races: usize,
    /// Those of them whose winner was not told in time, and stands in the ledger.
    pub winners_untold: usize,
    /// Edits that the cut-off region acknowledged.
    pub edited_while_cut: usize,
    /// Seconds until the cut-off region answered `no-quorum`.
    pub no_quorum_after_s: Option<f64>,
    /// Seconds from healing to equal documents everywhere.
    pub converged_in_s: Option<f64>,
    /// Seconds of the whole run.
    pub took_s: f64,
}

pub(super) struct Findings {
    pub(super) judged: Judged,
    pub(super) converged_in: Option<Duration>,
    pub(super) no_quorum_after: Option<Duration>,
    pub(super) edited_while_cut: usize,
    pub(super) took: Duration,
}

pub(super) fn assemble(
    smoke: &Smoke<'_>,
    measured: Vec<Measured>,
    findings: Findings,
) -> SmokeReport {
    let memory = smoke.cluster.memory_bytes();
    let regions = measured.into_iter().map(|region| {
        let node = smoke.cluster.node_in(region.region).map(|node| node.id);
        let bytes = node.and_then(|node| memory.get(&node)).copied();
        #[expect(clippy::cast_precision_loss, reason = "mebibytes for people")]
        let memory_mib = bytes.map(|bytes| bytes as f64 / f64::from(1 << 20));
        let quorum = smoke.cluster.plan().nearest_round_trip(region.region);
        RegionReport {
            region: region.region.to_owned(),
            quorum_round_trip_ms: quorum.as_secs_f64() * 1e3,
            listing_write: latency(&region.write),
            local_read: latency(&region.read),
            booking: latency(&region.booking),
            memory_mib,
        }
    });
    let mut report = SmokeReport {
        verdict: findings.judged.verdict,
        regions: regions.collect(),
        listings: smoke.options.listings.values().map(Vec::len).sum(),
        bookings_sold: 0,
        bookings_refused: BTreeMap::new(),
        bookings_unknown: 0,
        races: findings.judged.races,
        winners_untold: findings.judged.winners_untold,
        edited_while_cut: findings.edited_while_cut,
        no_quorum_after_s: findings.no_quorum_after.map(|after| after.as_secs_f64()),
        converged_in_s: findings.converged_in.map(|after| after.as_secs_f64()),
        took_s: findings.took.as_secs_f64(),
    };
    for sale in smoke.history.sales() {
        match sale.outcome {
            Outcome::Sold(_) => report.bookings_sold += 1,
            Outcome::Refused(code) => *report.bookings_refused.entry(code).or_default() += 1,
            Outcome::Unknown => report.bookings_unknown += 1,
        }
    }
    report
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most a minute of microseconds"
    )]
    let millis = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Latency {
        p50_ms: millis(0.5),
        p99_ms: millis(0.99),
        count: histogram.len(),
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1} / {:.1}", self.p50_ms, self.p99_ms);
        formatter.pad(&text)
    }
}

impl fmt::Display for SmokeReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} listings in {} regions, {:.0} s; latencies in ms, p50 / p99",
            self.listings,
            self.regions.len(),
            self.took_s
        )?;
        writeln!(
            formatter,
            "{:<14} {:>11} {:>14} {:>14} {:>16} {:>10}",
            "region", "quorum RTT", "listing write", "local read", "booking", "memory"
        )?;
        for region in &self.regions {
            let memory = region
                .memory_mib
                .map_or_else(|| "unknown".to_owned(), |mib| format!("{mib:.0} MiB"));
            writeln!(
                formatter,
                "{:<14} {:>8.0} ms {:>14} {:>14} {:>16} {memory:>10}",
                region.region,
                region.quorum_round_trip_ms,
                region.listing_write,
                region.local_read,
                region.booking,
            )?;
        }
        let refused: Vec<String> = self
            .bookings_refused
            .iter()
            .map(|(code, count)| format!("{count} {code}"))
            .collect();
        writeln!(
            formatter,
            "bookings: {} sold, {} unknown, refused: {}",
            self.bookings_sold,
            self.bookings_unknown,
            if refused.is_empty() {
                "none".to_owned()
            } else {
                refused.join(", ")
            }
        )?;
        writeln!(
            formatter,
            "races: {} nights, {} winners untold",
            self.races, self.winners_untold
        )?;
        writeln!(
            formatter,
            "cut off: {} listings edited there, no-quorum after {}; converged {} after healing",
            self.edited_while_cut,
            seconds(self.no_quorum_after_s),
            seconds(self.converged_in_s)
        )?;
        for violation in &self.verdict.violations {
            writeln!(
                formatter,
                "BROKEN: {}: {}",
                violation.invariant, violation.detail
            )?;
        }
        if self.verdict.holds() {
            write!(formatter, "PASS: every promise held")
        } else {
            write!(
                formatter,
                "FAIL: {} violations",
                self.verdict.violations.len()
            )
        }
    }
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds:.1} s"))
}
