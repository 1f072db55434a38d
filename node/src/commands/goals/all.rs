//! All listings of a region, changed by one command that may be run again.

use std::io::Write;

use anyhow::{Context, bail, ensure};
use meridian_client::AdminClient;
use serde_json::json;

use super::progress::Progress;
use super::run::{Pace, Run};
use super::stop::{Haste, Stop};
use super::tally::Tally;
use super::wanted::{HalfWay, Wanted};
use super::{cost, text};
use crate::commands::Done;
use crate::demo::program;

pub(super) async fn run(
    admin: &AdminClient,
    (wanted, pace): (&Wanted, Pace),
    (dry_run, is_json): (bool, bool),
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    if let Some(home) = &wanted.home {
        ensure!(*home != wanted.of, "they are at home in {home} already");
    }
    ensure_known(admin, wanted).await?;
    let progress = Progress::on_stderr();
    if dry_run {
        // Ctrl-C ends it there and then: it does nothing.
        let mut run = Run::new((admin, wanted), pace, Stop::never(), progress);
        let Some(seen) = run.look().await? else {
            return Ok(Done::Interrupted);
        };
        let (is_whole, apart) = (seen.not_asked.is_empty(), seen.found.apart.len());
        cost::tell(seen, (wanted, pace), (is_json, &mut run.progress), out).await?;
        ensure_said(apart, wanted)?;
        return Ok(if is_whole { Done::Well } else { Done::Degraded });
    }
    let mut run = Run::new((admin, wanted), pace, Stop::listen()?, progress);
    let read = run.go().await;
    tell(&run, is_json, out)?;
    // What has been done by then was told first.
    read?;
    outcome(run.stop.haste(), &run.tally, wanted)
}

/// A region that is mistyped has no listings, and nothing to be done would be taken for done.
async fn ensure_known(admin: &AdminClient, wanted: &Wanted) -> anyhow::Result<()> {
    let layout = admin.layout().await.context("the map of the cluster")?;
    let regions = layout["map"]["regions"].as_array().into_iter().flatten();
    let known: Vec<&str> = regions.map(|region| text(&region["id"])).collect();
    for region in [Some(&wanted.of), wanted.home.as_ref()]
        .into_iter()
        .flatten()
    {
        ensure!(
            known.contains(&region.as_str()),
            "{region} is no region of this cluster: {}",
            known.join(", ")
        );
    }
    Ok(())
}

fn tell(run: &Run<'_>, is_json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let is_interrupted = run.stop.haste() != Haste::None;
    if is_json {
        let mut told = run.tally.to_json();
        told["interrupted"] = json!(is_interrupted);
        writeln!(out, "{told:#}")?;
        return Ok(());
    }
    for line in run.tally.lines() {
        writeln!(out, "{line}")?;
    }
    if !is_interrupted && run.tally.not_begun > 0 {
        writeln!(out, "the time for first tries was over: --within sets it")?;
    }
    if is_interrupted {
        let (program, command) = (program::as_typed(), run.wanted.command());
        writeln!(out, "interrupted; this goes on with it, at the same node:")?;
        writeln!(out, "  {program} {command}")?;
    }
    Ok(())
}

fn outcome(haste: Haste, tally: &Tally, wanted: &Wanted) -> anyhow::Result<Done> {
    match (haste, tally.left()) {
        (Haste::Orderly | Haste::Now, _) => Ok(Done::Interrupted),
        (Haste::None, 0) => {
            ensure_said(tally.apart.len(), wanted)?;
            let is_whole = tally.not_asked.is_empty();
            Ok(if is_whole { Done::Well } else { Done::Degraded })
        }
        (Haste::None, left) => {
            bail!("{left} are not as asked, or may not be: run it again, and it goes on")
        }
    }
}

/// A script that goes on may take the region away: where the voters of some still are there for all
/// that is known, it does not go on before somebody has said that these are not meant.
fn ensure_said(apart: usize, wanted: &Wanted) -> anyhow::Result<()> {
    ensure!(
        apart == 0 || wanted.half_way != HalfWay::Unsaid,
        "{apart} have this home already and voters elsewhere, perhaps in {of}, and were left alone: \
         `--half-way finish` moves these as well, `--half-way leave` says that they are not meant",
        of = wanted.of
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Done, HalfWay, Haste, Tally, Wanted};
    use crate::commands::goals::tally::Came;

    fn outcome_of(haste: Haste, tally: &Tally, half_way: HalfWay) -> anyhow::Result<Done> {
        let wanted = Wanted {
            of: "eu-west".to_owned(),
            home: Some("us-east".to_owned()),
            survival: None,
            half_way,
        };
        super::outcome(haste, tally, &wanted)
    }

    fn outcome(haste: Haste, tally: &Tally) -> anyhow::Result<Done> {
        outcome_of(haste, tally, HalfWay::Unsaid)
    }

    #[test]
    fn what_was_left_alone_fails_a_script_until_somebody_says_that_it_is_not_meant() {
        let tally = Tally::of(BTreeMap::new(), vec!["lst_x".to_owned()]);
        let failed = outcome(Haste::None, &tally).expect_err("nobody has said");
        let why = failed.to_string();
        assert!(why.contains("1 have this home already"), "{why}");
        assert!(why.contains("--half-way leave"), "{why}");
        let left = outcome_of(Haste::None, &tally, HalfWay::Leave);
        assert_eq!(left.expect("as asked"), Done::Well);
        let stopped = outcome(Haste::Orderly, &tally).expect("as wanted");
        assert_eq!(stopped, Done::Interrupted);
    }

    #[test]
    fn exit_status_says_what_is_left() {
        let mut tally = Tally::default();
        assert_eq!(outcome(Haste::None, &tally).expect("well"), Done::Well);
        let why = "no endpoint".to_owned();
        tally.not_asked.insert("ap-southeast".to_owned(), why);
        let unseen = outcome(Haste::None, &tally).expect("nothing is left that is known");
        assert_eq!(unseen, Done::Degraded);
        tally.note("lst_a".to_owned(), Came::Unknown("late".to_owned()));
        assert!(outcome(Haste::None, &tally).is_err(), "one is left");
        let stopped = outcome(Haste::Orderly, &tally).expect("as wanted");
        assert_eq!(stopped, Done::Interrupted);
    }
}
