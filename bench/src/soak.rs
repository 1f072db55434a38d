//! A million edits of the same listings, and whether memory and disk grow with them.
//!
//! Each listing is edited at its home alone, so that nothing is in conflict: a document in
//! conflict does not begin anew (ADR 38), and what is looked for is what edits leave behind. Three
//! real nodes apply every edit.

use std::cell::Cell;
use std::time::Instant;

use anyhow::ensure;
use meridian_chaos::WanPlan;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::drive::Round;
use crate::edits::edit;
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::usage::folder_bytes;

/// A million edits are four thousand of each.
const LISTINGS: usize = 256;
/// Listings grow and begin anew together, since they are edited in turn: so early that the second
/// half has some ten such waves, and no slope of one of them.
const RENEWS_PAST: &str = "listings.changes_before_renewal=128";
/// Looks at memory and disk, evenly spread over the edits, several in each wave; the second half
/// counts.
const LOOKS: u64 = 200;
/// One of so many is printed.
const PRINTED_EVERY: u64 = 10;
/// What an edit may leave in memory: twenty bytes are a tenth of a change.
const GOAL_BYTES_PER_EDIT: f64 = 20.0;
const MIB: f64 = 1_048_576.0;

/// What is there after so many edits, of all nodes together.
#[derive(Debug, Clone, Copy)]
struct Look {
    edits: f64,
    seconds: f64,
    memory: f64,
    disk: f64,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "soak", WanPlan::loopback(), &[RENEWS_PAST]).await?;
    let measured = soak(site, &cluster).await;
    cluster.stop().await?;
    let finding = measured?;
    say(&finding.line());
    Ok(vec![finding])
}

async fn soak(site: &Site<'_>, cluster: &Cluster) -> anyhow::Result<Finding> {
    let edits = site.arguments.edits;
    ensure!(edits >= LOOKS, "name at least {LOOKS} edits with --edits");
    let listings = cluster.make_listings(LISTINGS).await?;
    let clients = cluster.clients(site.arguments.clients)?;
    let started = Instant::now();
    let (mut looks, mut rounds) = (vec![look(cluster, 0, started)?], Vec::new());
    let done = Cell::new(0);
    for stretch in 1..=LOOKS {
        let until = edits * stretch / LOOKS;
        rounds.push(edit(&clients, (cluster, &listings), (&done, until)).await);
        let looked = look(cluster, done.get(), started)?;
        if stretch % PRINTED_EVERY == 0 {
            say(&looked.line());
        }
        looks.push(looked);
    }
    cluster.converged().await?;
    let second_half = &looks[looks.len() / 2..];
    let memory = slope(second_half, |look| look.memory);
    let disk = slope(second_half, |look| look.disk);
    let last = second_half.last().map_or(0.0, |look| look.seconds);
    let mut finding = Finding::new("soak", format!("{edits} edits"))
        .value("per_second", edits_f64(edits) / last.max(1e-9))
        .value(
            "memory_mib",
            second_half
                .iter()
                .map(|look| look.memory)
                .fold(0.0, f64::max)
                / MIB,
        )
        .value("memory_bytes_per_edit", memory)
        .value(
            "disk_mib",
            second_half.iter().map(|look| look.disk).fold(0.0, f64::max) / MIB,
        )
        .value("disk_bytes_per_edit", disk)
        .value("begun_anew", cluster.begun_anew().await)
        .goal(Goal::at_most(
            "memory_bytes_per_edit",
            GOAL_BYTES_PER_EDIT,
            memory,
        ));
    if let Some(failures) = Round::failures("edits", &rounds) {
        finding = finding.note(failures);
    }
    Ok(finding)
}

fn look(cluster: &Cluster, edits: u64, started: Instant) -> anyhow::Result<Look> {
    let mut disk = 0;
    for node in cluster.local.nodes() {
        disk += folder_bytes(&node.data())?;
    }
    let memory: u64 = cluster.local.memory_bytes().values().sum();
    Ok(Look {
        edits: edits_f64(edits),
        seconds: started.elapsed().as_secs_f64(),
        memory: edits_f64(memory),
        disk: edits_f64(disk),
    })
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^52 of anything")]
const fn edits_f64(count: u64) -> f64 {
    count as f64
}

impl Look {
    fn line(&self) -> String {
        format!(
            "  {:>9.0} edits, {:>6.1} s: memory {:.1} MiB, disk {:.1} MiB",
            self.edits,
            self.seconds,
            self.memory / MIB,
            self.disk / MIB
        )
    }
}

/// By how much something grows with each edit: the line that is nearest to all looks.
fn slope(looks: &[Look], of: impl Fn(&Look) -> f64) -> f64 {
    let count = edits_f64(looks.len() as u64).max(1.0);
    let mean = |of: &dyn Fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / count;
    let (edits, value) = (mean(&|look| look.edits), mean(&of));
    let together = mean(&|look| (look.edits - edits) * (of(look) - value));
    let spread = mean(&|look| (look.edits - edits).powi(2));
    if spread > 0.0 { together / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{Look, slope};

    fn looks(memory: impl Fn(f64) -> f64) -> Vec<Look> {
        let edits = (0..20).map(|turn| f64::from(turn) * 1_000.0);
        edits
            .map(|edits| Look {
                edits,
                seconds: 0.0,
                memory: memory(edits),
                disk: 0.0,
            })
            .collect()
    }

    #[test]
    fn slope_is_what_each_edit_leaves_and_nothing_where_it_only_goes_up_and_down() {
        let grown = slope(&looks(|edits| 1e6 + 300.0 * edits), |look| look.memory);
        assert!((grown - 300.0).abs() < 1e-6, "{grown}");
        let (low, high) = (1e6, 2e6);
        let waves = looks(|edits| if edits % 2_000.0 == 0.0 { low } else { high });
        assert!(slope(&waves, |look| look.memory).abs() < 20.0);
        assert!(slope(&[], |look| look.memory).abs() < 1e-9);
    }
}
