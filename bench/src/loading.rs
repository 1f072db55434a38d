//! How long a listing takes to load that has been edited a hundred thousand times.
//!
//! It is edited at its home, by the settings that nodes have by themselves: by all clients first, as
//! fast as they can, the last of it by one, fifty times a second. Four times in these, wherever its
//! history stands between two new beginnings, every node is killed and started again, so that
//! nothing of a listing is in memory; then the first read of it at each node is timed, beside the
//! first read of one that was never edited, and beside the second.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use meridian_chaos::WanPlan;

use crate::cli::say;
use crate::cluster::{Cluster, gauge};
use crate::drive::Round;
use crate::edits::{edit, edit_slowly};
use crate::latency::median;
use crate::reader::Reader;
use crate::report::{Finding, Goal};
use crate::run::Site;

/// What the goal is stated for.
const EDITS: u64 = 100_000;
/// Restarts on the way, after so many edits each.
const LOOKS: u64 = 4;
const EDITS_EACH: u64 = 1_500;
/// Fifty a second: more than any host makes, and any channel that he sells by.
const EDIT_EVERY: Duration = Duration::from_millis(20);
const GOAL_MS: f64 = 5.0;
/// Reads for which a document was rendered because nothing of it was in memory.
const LOADS: &str = "meridian_listing_reads{found=\"load\"}";

/// First reads at one node, in milliseconds.
struct Loaded {
    edited: f64,
    untouched: f64,
    again: f64,
}

/// The listings, by what becomes of them; all are at home at the first node.
struct Listings {
    edited: String,
    untouched: String,
    /// The first read of all: it finds what is made at a node's first request.
    other: String,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let edits = site.arguments.edits.min(EDITS);
    let least = LOOKS * EDITS_EACH;
    ensure!(edits > least, "name more than {least} edits with --edits");
    let mut cluster = Cluster::start(site, "loading", WanPlan::loopback(), &[]).await?;
    let measured = load(site, &mut cluster, edits).await;
    cluster.stop().await?;
    let finding = measured?;
    say(&finding.line());
    Ok(vec![finding])
}

async fn load(site: &Site<'_>, cluster: &mut Cluster, edits: u64) -> anyhow::Result<Finding> {
    let homes = cluster.endpoints.len();
    let made = cluster.make_listings(2 * homes + 1).await?;
    let listings = Listings {
        edited: made[0].clone(),
        untouched: made[homes].clone(),
        other: made[2 * homes].clone(),
    };
    let (done, mut all, mut rounds, mut begun_anew) = (Cell::new(0), Vec::new(), Vec::new(), 0.0);
    let mut fast = 0.0;
    let edited = std::slice::from_ref(&listings.edited);
    for look in 0..=LOOKS {
        let clients = cluster.clients(site.arguments.clients)?;
        let until = edits - (LOOKS - look) * EDITS_EACH;
        rounds.push(if look == 0 {
            edit(&clients, (cluster, edited), (&done, until)).await
        } else {
            let client = clients.first().context("at least one client")?;
            edit_slowly(client, (cluster, edited), (&done, until), EDIT_EVERY).await
        });
        drop(clients);
        cluster.converged().await?;
        begun_anew += cluster.begun_anew().await;
        for id in cluster.local.ids() {
            cluster.local.kill(id).await?;
        }
        for id in cluster.local.ids() {
            cluster.local.restart(id).await?;
        }
        cluster.local.wait_connected().await?;
        // Turn and turn about: the one that is read first pays for what it wakes up.
        let loaded = look_at(cluster, &listings, look % 2 == 0).await?;
        say(&line(done.get(), &loaded));
        if look == 0 {
            fast = median(loaded.iter().map(|loaded| loaded.edited));
        } else {
            all.extend(loaded);
        }
    }
    let longest = all.iter().map(|loaded| loaded.edited).fold(0.0, f64::max);
    let of = |value: fn(&Loaded) -> f64| median(all.iter().map(value));
    let mut finding = Finding::new("loading", format!("{edits} edits of one listing"))
        .value("p50_ms", of(|loaded| loaded.edited))
        .value("max_ms", longest)
        .value("untouched_p50_ms", of(|loaded| loaded.untouched))
        .value("again_p50_ms", of(|loaded| loaded.again))
        .value("edited_fast_p50_ms", fast)
        .value("begun_anew", begun_anew)
        .goal(Goal::at_most("max_ms", GOAL_MS, longest));
    if let Some(failures) = Round::failures("edits", &rounds) {
        finding = finding.note(failures);
    }
    Ok(finding)
}

/// The first reads at every node that has just been started.
async fn look_at(
    cluster: &Cluster,
    listings: &Listings,
    untouched_first: bool,
) -> anyhow::Result<Vec<Loaded>> {
    let mut all = Vec::new();
    for (node, endpoint) in cluster.local.nodes().zip(&cluster.endpoints) {
        let admin = format!("http://{}", node.admin);
        let mut reader = Reader::connect(endpoint, 1).await?.remove(0);
        read(&mut reader, &listings.other).await?;
        let before = gauge(&admin, LOADS).await.context("no count of loads")?;
        let (edited, untouched);
        if untouched_first {
            untouched = read(&mut reader, &listings.untouched).await?;
            edited = read(&mut reader, &listings.edited).await?;
        } else {
            edited = read(&mut reader, &listings.edited).await?;
            untouched = read(&mut reader, &listings.untouched).await?;
        }
        let again = read(&mut reader, &listings.edited).await?;
        let loads = gauge(&admin, LOADS).await.context("no count of loads")? - before;
        ensure!(
            (loads - 2.0).abs() < 0.5,
            "{loads} of 2 first reads have loaded a listing"
        );
        all.push(Loaded {
            edited,
            untouched,
            again,
        });
    }
    Ok(all)
}

/// Milliseconds until the whole answer is there.
async fn read(reader: &mut Reader, listing: &str) -> anyhow::Result<f64> {
    let started = Instant::now();
    reader.get(&format!("/v1/listings/{listing}")).await?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

fn line(edits: u64, loaded: &[Loaded]) -> String {
    let of = |value: fn(&Loaded) -> f64| {
        let each = loaded.iter().map(|loaded| format!("{:.2}", value(loaded)));
        each.collect::<Vec<_>>().join(", ")
    };
    format!(
        "  {edits:>9} edits: loaded in {} ms; one without edits in {} ms",
        of(|loaded| loaded.edited),
        of(|loaded| loaded.untouched)
    )
}
