//! `meridian restore`: what it costs, and then the data folders of a new cluster.

use std::io::Write;

use anyhow::ensure;
use meridian_consensus::{Forwarded, Unread};
use meridian_regions::ListingId;
use meridian_replication::Awaited;

use super::{bar, chosen, opened};
use crate::backup::{Forward, Manifest, Plan, Restored, Target, restore};
use crate::cli::{BackupArgs, RestoreArgs};

/// Listings named whose changes wait: more than anybody reads.
const NAMED_MAX: usize = 100;

pub(crate) async fn restore_cluster(
    arguments: RestoreArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let target = opened(&arguments.source.target.from).await?;
    let manifest = chosen(&target, &arguments.source).await?;
    let forward = forward(&target, &manifest, &arguments.source).await?;
    let plan = Plan {
        manifest,
        forward,
        cluster: arguments.cluster,
        into: arguments.into,
    };
    plan.check()?;
    warn(&plan, &arguments.source, out)?;
    ensure!(
        arguments.yes,
        "nothing was done: repeat this with --yes if that is what you want"
    );
    let progress = bar(plan.files().map(|file| file.bytes).sum());
    let restored = restore(&target, &plan, |file| progress.inc(file.bytes)).await?;
    progress.finish_and_clear();
    tell(&plan, &restored, out)
}

/// The later backup that tells what came up to the moment that is asked for.
async fn forward(
    target: &Target,
    base: &Manifest,
    source: &BackupArgs,
) -> anyhow::Result<Option<Forward>> {
    let Some(at) = source.at else {
        return Ok(None);
    };
    let mut later = Vec::new();
    for id in target.backups().await? {
        if id > base.id {
            later.push(target.manifest(&id).await?);
        }
    }
    Ok(Forward::of(base, later, at))
}

fn tell(plan: &Plan, restored: &Restored, out: &mut impl Write) -> anyhow::Result<()> {
    let (levelled, into) = (&restored.levelled, plan.into.display());
    writeln!(
        out,
        "restored into {into}: {} listings with bookings, {} of them brought to the same state \
         on all nodes.",
        levelled.groups - levelled.control,
        levelled.differed,
    )?;
    if let Some(forward) = &plan.forward {
        tell_forward(forward, restored, out)?;
    }
    writeln!(
        out,
        "Next: certificates of cluster {} for every node, each node's folder {into}/node-… as its \
         data_dir, {into}/topology.toml as its topology; start all nodes, together",
        plan.cluster,
    )?;
    if levelled.control > 0 {
        writeln!(
            out,
            "The old cluster kept its map itself: have the new one do so by `meridian init`"
        )?;
    }
    name(
        &levelled.doubtful,
        levelled.doubtful_total,
        out,
        |listing| {
            format!(
                "look at {listing}: most of its voters are not in the backup, or cannot be read, so \
             that a booking of it may be missing"
            )
        },
    )
}

/// Says how far the backup was taken forward, and what was not.
fn tell_forward(
    forward: &Forward,
    restored: &Restored,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Forwarded {
        groups,
        entries,
        short,
        short_total,
        ..
    } = &restored.levelled.forward;
    let replayed = &restored.replayed;
    let (at, later) = (forward.at, &forward.manifest.id);
    writeln!(
        out,
        "taken forward to {at} by backup {later}: {entries} entries of {groups} listings' bookings, \
         {} changes of listings at all nodes together",
        replayed.changes
    )?;
    if replayed.short > 0 {
        writeln!(
            out,
            "{} logs of changes in backup {later} do not reach back to the earlier backup: what \
             they would have told of listings is as of that one",
            replayed.short
        )?;
    }
    tell_awaited(forward, &restored.awaited, out)?;
    name(short, *short_total, out, |listing| {
        format!(
            "the bookings of {listing} are as of the earlier backup: the log in backup {later} does \
             not reach back to it, or cannot be read"
        )
    })?;
    tell_unread(forward, &restored.levelled.forward, out)
}

/// Says of which listings the later backup may not tell everything, and whose copy is damaged.
fn tell_unread(forward: &Forward, told: &Forwarded, out: &mut impl Write) -> anyhow::Result<()> {
    let (at, later) = (forward.at, &forward.manifest.id);
    name(&told.unread, told.unread_total, out, |unread| {
        let Unread { listing, damaged } = unread;
        let damaged: Vec<String> = damaged.iter().map(ToString::to_string).collect();
        let why = match damaged.as_slice() {
            [] => format!("most of its voters are not in backup {later}"),
            [one] => format!("the copy of node {one} in backup {later} is damaged"),
            some => format!(
                "the copies of nodes {} in backup {later} are damaged",
                some.join(", ")
            ),
        };
        format!(
            "look at {listing}: its bookings may have been taken forward to {at} in part only, \
             because {why}"
        )
    })
}

/// Says of which listings changes wait for what was cut off.
fn tell_awaited(forward: &Forward, awaited: &Awaited, out: &mut impl Write) -> anyhow::Result<()> {
    if awaited.is_empty() {
        return Ok(());
    }
    let (at, later) = (forward.at, &forward.manifest.id);
    let at_least = if awaited.is_full() { "at least " } else { "" };
    writeln!(
        out,
        "of {at_least}{} listings some changes up to {at} are not seen, and will not be: they stand \
         on others that were cut off before backup {later}. To have them, with what came after \
         {at}, take these listings from that backup once the cluster runs: \
         `meridian restore-listing --backup {later}` (runbook `Restoring a cluster`)",
        awaited.len(),
    )?;
    let named: Vec<ListingId> = awaited.listings().take(NAMED_MAX).cloned().collect();
    name(&named, awaited.len() as u64, out, |listing| {
        format!("changes of {listing} wait for what backup {later} does not tell")
    })
}

fn name<T>(
    listings: &[T],
    total: u64,
    out: &mut impl Write,
    what: impl Fn(&T) -> String,
) -> anyhow::Result<()> {
    for listing in listings {
        writeln!(out, "{}", what(listing))?;
    }
    let unnamed = total - listings.len() as u64;
    if unnamed > 0 {
        writeln!(out, "and {unnamed} more that are not named here")?;
    }
    Ok(())
}

/// Says what a restore costs.
fn warn(plan: &Plan, source: &BackupArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let Manifest {
        id,
        cluster,
        began_at,
        ended_at,
        parts,
        ..
    } = &plan.manifest;
    writeln!(
        out,
        "backup {id} of cluster {cluster}, {} nodes, {} bytes.",
        parts.len(),
        plan.manifest.bytes()
    )?;
    let lack = plan.manifest.lack();
    if !lack.is_empty() {
        writeln!(
            out,
            "NOT IN IT: {lack}, which were down. They begin without records, and are given what the \
             others have. {}",
            plan.manifest.lacks.join("; ")
        )?;
    }
    match (&plan.forward, source.at) {
        (Some(forward), _) => writeln!(
            out,
            "It is taken forward to {} by the logs in backup {}: everything that was proposed by \
             then, by the clocks of the nodes, and nothing later, as far as these logs reach back; \
             what they do not is named.",
            forward.at, forward.manifest.id
        )?,
        (None, at) => {
            writeln!(
                out,
                "It has everything that was acknowledged before {began_at}, and nothing from after \
                 {ended_at}."
            )?;
            if at.is_some() {
                writeln!(
                    out,
                    "No later backup tells what came between that and the time asked for."
                )?;
            }
        }
    }
    writeln!(
        out,
        "LOST by a restore: every change of a listing and every booking acknowledged since. \
         Nights sold since are free again, and guests who were told that they have them do not: \
         the payment provider's book says who has paid (runbook `Restoring a cluster`).\n\
         The new cluster is {}: no node and no certificate of {cluster} gets into it.",
        plan.cluster,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use meridian_consensus::{Forwarded, Unread};
    use meridian_regions::{ListingId, NodeId, UnixNanos};
    use meridian_replication::Awaited;

    use super::{tell_awaited, tell_unread};
    use crate::backup::{Forward, Manifest};

    fn forward() -> Forward {
        let at = Timestamp::UNIX_EPOCH;
        let manifest = Manifest {
            id: "the-later-one".to_owned(),
            cluster: "shop".to_owned(),
            began_at: at,
            ended_at: at,
            map: String::new(),
            parts: Vec::new(),
            missing: Vec::new(),
            lacks: Vec::new(),
        };
        Forward { manifest, at }
    }

    fn told(awaited: &Awaited) -> String {
        let mut out = Vec::new();
        let told = tell_awaited(&forward(), awaited, &mut out);
        told.expect("a buffer takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn listings_whose_later_copies_cannot_be_read_are_named_with_whose_they_are() {
        let home = "eu-west".parse().expect("a region");
        let listing = ListingId::generate(UnixNanos::from_millis(1), 1, home);
        for (damaged, words) in [
            (
                &[2, 3][..],
                "the copies of nodes 2, 3 in backup the-later-one are damaged",
            ),
            (
                &[2],
                "the copy of node 2 in backup the-later-one is damaged",
            ),
            (&[], "most of its voters are not in backup the-later-one"),
        ] {
            let damaged = damaged.iter().copied().filter_map(NodeId::new).collect();
            let listing = listing.clone();
            let told = Forwarded {
                unread: vec![Unread { listing, damaged }],
                unread_total: 3,
                ..Forwarded::default()
            };
            let mut out = Vec::new();
            tell_unread(&forward(), &told, &mut out).expect("a buffer takes everything");
            let said = String::from_utf8(out).expect("text");
            assert!(said.contains(words), "{said}");
            assert!(said.contains("in part only"), "{said}");
            assert!(
                said.ends_with("and 2 more that are not named here\n"),
                "{said}"
            );
        }
    }

    #[test]
    fn listings_whose_changes_wait_are_counted_and_named_with_what_to_do() {
        let mut awaited = Awaited::default();
        assert_eq!(told(&awaited), "", "there is nothing to do");
        let change = "ab".repeat(32).parse().expect("a change");
        for number in 1..=120 {
            let home = "eu-west".parse().expect("a region");
            let id = ListingId::generate(UnixNanos::from_millis(number), number.into(), home);
            awaited.note(&id, [change].into());
        }
        let said = told(&awaited);
        assert!(said.starts_with("of 120 listings some changes"), "{said}");
        assert!(
            said.contains("`meridian restore-listing --backup the-later-one`"),
            "{said}"
        );
        let first = awaited.listings().next().expect("120").to_string();
        assert!(said.contains(&format!("changes of {first} wait")), "{said}");
        assert!(
            said.ends_with("and 20 more that are not named here\n"),
            "{said}"
        );
    }
}
