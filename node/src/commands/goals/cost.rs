//! What a change of all listings of a region would take. Nothing is done.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::bail;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::attempt::Attempt;
use super::progress::Progress;
use super::run::{AT_ONCE, Pace};
use super::tally::{Came, Tally};
use super::text;
use super::views::Seen;
use super::wanted::Wanted;

/// Asks about listing by listing, as long as there is time for it, and says what all of those come
/// to.
pub(super) async fn tell(
    seen: Seen,
    (wanted, pace): (&Wanted, Pace),
    (is_json, progress): (bool, &mut Progress),
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (yet, already) = (seen.found.yet.len(), seen.found.already);
    let mut refused = Tally::of(seen.not_asked, seen.found.apart);
    let attempt = Attempt {
        wanted,
        pace,
        dry_run: true,
    };
    let (admins, attempt) = (&seen.admins, &attempt);
    let asked = seen.found.yet.into_iter().map(|target| async move {
        let answer = attempt.ask(&admins[target.view], &target, pace.first_try);
        (answer.await, target.listing)
    });
    let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut cost = Cost::default();
    let mut ticks = pace.ticks();
    let until = Instant::now() + pace.first_tries;
    progress.begin(yet);
    loop {
        tokio::select! {
            biased;
            one = asked.next() => {
                let Some((answer, listing)) = one else { break };
                match &answer {
                    Ok(answer) => cost.note(answer),
                    Err(_) => refused.note(listing, Came::of(&answer)),
                }
                progress.one();
            }
            () = sleep_until(until) => {
                refused.not_begun = yet as u64 - cost.asked() - refused.left();
                break;
            }
            _ = ticks.tick() => progress.tick(&format!("{} of {yet} asked about", cost.asked())),
        }
    }
    progress.end();
    if is_json {
        let mut told = cost.to_json();
        told["listings"] = json!(yet);
        told["already"] = json!(already);
        told["refused"] = refused.to_json();
        writeln!(out, "{told:#}")?;
    } else {
        writeln!(out, "{yet} listings to change, {already} already so")?;
        let refusals = refused.lines().into_iter().skip(1);
        for line in cost.lines().into_iter().chain(refusals) {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "nothing was done: leave out --dry-run to do it")?;
    }
    match refused.left() {
        0 => Ok(()),
        left => bail!("{left} of them would be refused, or did not say"),
    }
}

/// What it would take, as far as the listings were asked.
#[derive(Debug, Default)]
struct Cost {
    moving: u64,
    stay: u64,
    come: u64,
    bytes: u64,
    /// Listings of which the node that was asked has the ledger.
    measured: u64,
    /// For each region, how many stop without it now and then.
    stops: BTreeMap<String, [u64; 2]>,
}

impl Cost {
    fn note(&mut self, answer: &Value) {
        let come = answer["come"].as_array().map_or(0, Vec::len) as u64;
        let leave = answer["leave"].as_array().map_or(0, Vec::len);
        if come == 0 && leave == 0 {
            self.stay += 1;
        } else {
            self.moving += 1;
        }
        self.come += come;
        if let Some(bytes) = answer["ledger_bytes"].as_u64() {
            self.bytes += bytes * come;
            self.measured += 1;
        }
        for (at, side) in ["before", "after"].into_iter().enumerate() {
            let regions = answer[side]["stops_without"].as_array();
            let regions: BTreeSet<&str> = regions.into_iter().flatten().map(text).collect();
            for region in regions {
                self.stops.entry(region.to_owned()).or_default()[at] += 1;
            }
        }
    }

    /// Bytes for all, where those that were not measured are like those that were; `None` if
    /// nothing was measured.
    fn estimate(&self) -> Option<u64> {
        let asked = self.asked();
        let whole = u128::from(self.bytes) * u128::from(asked);
        let estimate = whole.checked_div(u128::from(self.measured))?;
        Some(u64::try_from(estimate).unwrap_or(u64::MAX))
    }

    fn asked(&self) -> u64 {
        self.moving + self.stay
    }

    fn lines(&self) -> Vec<String> {
        let (asked, measured) = (self.asked(), self.measured);
        let bytes = self.estimate().map_or_else(
            || "bytes unknown: the node that was asked has none of the ledgers".to_owned(),
            |bytes| format!("about {bytes} bytes, by the ledgers of {measured} of {asked}"),
        );
        let mut lines = vec![format!(
            "voters of {} would move, of {} stay: {} voters learn a ledger, {bytes}",
            self.moving, self.stay, self.come
        )];
        for (region, [now, then]) in &self.stops {
            lines.push(format!(
                "  while {region} is lost, bookings of {now} of these stop; after this, of {then}"
            ));
        }
        lines
    }

    fn to_json(&self) -> Value {
        let stops = self.stops.iter();
        let stops =
            stops.map(|(region, [now, then])| (region.clone(), json!({"now": now, "then": then})));
        json!({
            "moving": self.moving,
            "staying": self.stay,
            "voters_coming": self.come,
            "bytes_estimated": self.estimate(),
            "ledgers_measured": self.measured,
            "if_lost": stops.collect::<serde_json::Map<_, _>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Cost;

    #[test]
    fn cost_says_that_it_is_an_estimate_and_of_how_many() {
        let mut cost = Cost::default();
        let answer = |bytes: Option<u64>| {
            json!({
                "come": [4, 5], "leave": [2, 3], "ledger_bytes": bytes,
                "before": {"stops_without": []}, "after": {"stops_without": ["us-east"]},
            })
        };
        cost.note(&answer(None));
        assert_eq!(cost.to_json()["bytes_estimated"], Value::Null);
        cost.note(&answer(Some(100)));
        let told = cost.lines();
        assert!(told[0].contains("of 2 would move"), "{told:?}");
        assert!(
            told[0].contains("about 400 bytes, by the ledgers of 1 of 2"),
            "{told:?}"
        );
        assert_eq!(
            told[1],
            "  while us-east is lost, bookings of 0 of these stop; after this, of 2"
        );
    }
}
