//! A cluster whose processes die around each step that a renewal or a burial leaves on disk.
//!
//! The victim is this test program, run again with all three replicas in it: when one of them
//! comes to the point, all die as by `kill -9`. What was acknowledged stands in files beside the
//! databases. Then the databases are opened again, and go on to the end.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use meridian_failpoints::Failpoint;
use meridian_replication_core::Keeps;
use tempfile::TempDir;

use super::burying::rests;
use super::cluster::{Cluster, RENEWS_PAST, data_of};
use super::renewing::{count, counted, renew_all, stands};
use super::returning::until;
use super::setup::{create, listing};
use crate::Replica;
use crate::documents::open as open_document;

/// For the process that is to die: where, at which point, at its how many-th hit.
const FOLDER: &str = "MERIDIAN_VICTIM_FOLDER";
const POINT: &str = "MERIDIAN_VICTIM_POINT";
const HITS: &str = "MERIDIAN_VICTIM_HITS";
const SIGKILL: i32 = 9;
const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

/// The listing that is written to all the time, and the one that is deleted.
const WRITTEN: u64 = 1;
const DELETED: u64 = 2;
/// Counts of the listing that is deleted, before it is.
const COUNTS_BEFORE: usize = 3;

/// What dies in a life in which a long listing begins anew: at the first node that comes to the
/// point, and at another.
const RENEWING: [(Failpoint, u32); 8] = [
    (Failpoint::BeginAnewBefore, 1),
    (Failpoint::BeginAnewBefore, 2),
    (Failpoint::BeginAnewAfter, 1),
    (Failpoint::BeginAnewAfter, 3),
    (Failpoint::FormerForgetBefore, 1),
    (Failpoint::FormerForgetBefore, 3),
    (Failpoint::FormerForgetAfter, 1),
    (Failpoint::FormerForgetAfter, 2),
];
/// The same where a listing is deleted and buried.
const BURYING: [(Failpoint, u32); 14] = [
    (Failpoint::DeathSearchBefore, 2),
    (Failpoint::DeathSearchAfter, 2),
    (Failpoint::DeathBefore, 1),
    (Failpoint::DeathBefore, 2),
    (Failpoint::DeathAfter, 1),
    (Failpoint::DeathAfter, 3),
    (Failpoint::BeginAnewBefore, 1),
    (Failpoint::BeginAnewBefore, 3),
    (Failpoint::BeginAnewAfter, 1),
    (Failpoint::BeginAnewAfter, 2),
    (Failpoint::FormerForgetBefore, 2),
    (Failpoint::FormerForgetAfter, 1),
    (Failpoint::BurialNoteBefore, 1),
    (Failpoint::BurialNoteAfter, 3),
];

/// What happens in the victim's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Renewing,
    Burying,
}

/// Files of what the victim asked for and what was acknowledged: a byte for each.
struct Account {
    asked: PathBuf,
    acknowledged: PathBuf,
}

impl Account {
    fn new(folder: &Path, what: &str) -> Self {
        Self {
            asked: folder.join(format!("{what}-asked")),
            acknowledged: folder.join(format!("{what}-acknowledged")),
        }
    }

    async fn of(&self, write: impl Future<Output = ()>) {
        Self::note(&self.asked);
        write.await;
        Self::note(&self.acknowledged);
    }

    fn note(file: &Path) {
        let opened = OpenOptions::new().create(true).append(true).open(file);
        let mut opened: File = opened.expect("opened");
        opened.write_all(b".").expect("noted");
    }

    /// How many were acknowledged at least, and asked for at most.
    fn bounds(&self) -> (i64, i64) {
        let length = |file: &Path| std::fs::metadata(file).map_or(0, |about| about.len());
        let [least, most] = [&self.acknowledged, &self.asked].map(|file| length(file));
        let small = |count: u64| i64::try_from(count).expect("small");
        (small(least), small(most))
    }
}

/// The victim's life, which ends at the point. It is an error to outlive it.
async fn live(folder: &Path, life: Life) {
    let point: Failpoint = env::var(POINT).expect("set").parse().expect("a point");
    let hits = env::var(HITS).expect("set").parse().expect("a number");
    let (counts, deletions) = (
        Account::new(folder, "count"),
        Account::new(folder, "delete"),
    );
    let databases = TempDir::new_in(folder).expect("a folder");
    let cluster = Cluster::start_in(databases, &EVERYBODY, None, None);
    let replicas = &cluster.replicas;
    let written = create(&replicas[0], WRITTEN).await;
    let deleted = create(&replicas[0], DELETED).await;
    counts.of(count(&replicas[0], &written)).await;
    for _ in 0..COUNTS_BEFORE {
        count(&replicas[0], &deleted).await;
    }
    cluster.converged().await;
    point.arm(hits);
    if life == Life::Renewing {
        for _ in 0..RENEWS_PAST {
            counts.of(count(&replicas[0], &written)).await;
        }
    } else {
        let gone = async { delete(&replicas[1], DELETED).await };
        deletions.of(gone).await;
    }
    until("a death", async || {
        if life == Life::Renewing {
            for replica in replicas {
                counts.of(count(replica, &written)).await;
            }
        }
        renew_all(&cluster).await;
        false
    })
    .await;
}

async fn delete(replica: &Replica, number: u64) {
    let deleted = replica.delete(&listing(number), &Keeps::default()).await;
    deleted.expect("durable");
}

/// Has a process live until it dies at the point, and the databases that it leaves go on.
async fn trial(test: &str, life: Life, (point, hits): (Failpoint, u32)) {
    let folder = TempDir::new().expect("a folder");
    let mut victim = Command::new(env::current_exe().expect("this test"));
    victim
        .args(["--exact", &format!("tests::dying::{test}")])
        .env(FOLDER, folder.path())
        .env(POINT, point.name())
        .env(HITS, hits.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let died = tokio::task::spawn_blocking(move || victim.status());
    let died = died.await.expect("no panic").expect("it starts");
    assert_eq!(died.signal(), Some(SIGKILL), "{point} {hits}: {died}");
    let (counts, deletions) = (
        Account::new(folder.path(), "count"),
        Account::new(folder.path(), "delete"),
    );
    let cluster = Cluster::start_in(left_by_the_victim(folder.path()), &EVERYBODY, None, None);
    cluster.converged().await;
    let first = &cluster.replicas[0];
    let (least, most) = counts.bounds();
    let mut known = counted(first, &listing(WRITTEN)).await;
    assert!(
        (least..=most).contains(&known),
        "{point}: {known} of {least} to {most}"
    );
    match life {
        Life::Renewing => {
            // A long listing is noted by its next change.
            count(first, &listing(WRITTEN)).await;
            known += 1;
            go_on(&cluster, |replica| {
                let (generation, awaits_former) = stands(replica, &listing(WRITTEN));
                generation > 0 && !awaits_former
            })
            .await;
        }
        Life::Burying => {
            let read = first.read(&listing(DELETED)).await.expect("readable");
            let is_deleted = read.expect("it is there").deleted();
            assert!(
                is_deleted || deletions.bounds().0 == 0,
                "{point}: the deletion is lost"
            );
            if !is_deleted {
                delete(first, DELETED).await;
            }
            go_on(&cluster, |replica| rests(replica, &listing(DELETED))).await;
        }
    }
    cluster.converged().await;
    for replica in &cluster.replicas {
        assert_eq!(counted(replica, &listing(WRITTEN)).await, known, "{point}");
        assert_eq!(replica.stats().quarantined, 0, "{point}");
        for number in [WRITTEN, DELETED] {
            assert!(
                bytes(replica, number) == bytes(first, number),
                "{point}: {number}"
            );
        }
    }
    cluster.stop().await;
}

async fn go_on(cluster: &Cluster, is_over: impl Fn(&Replica) -> bool) {
    until("it comes to its end", async || {
        renew_all(cluster).await;
        cluster.replicas.iter().all(&is_over)
    })
    .await;
}

/// The victim's databases, in a folder that goes with the cluster.
fn left_by_the_victim(folder: &Path) -> TempDir {
    let left = std::fs::read_dir(folder).expect("readable");
    let mut left = left.map(|entry| entry.expect("readable").path());
    let left = left.find(|path| path.is_dir()).expect("its databases");
    let kept = TempDir::new_in(folder).expect("a folder");
    for id in 1..=3 {
        let moved = std::fs::rename(data_of(&left, id), data_of(kept.path(), id));
        moved.expect("moved");
    }
    kept
}

/// All that a document is made of, byte for byte, in an order that is the same everywhere (ADR 9).
fn bytes(replica: &Replica, number: u64) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
    let (inner, id) = (replica.inner(), listing(number));
    let mut stripe = inner.documents.stripe(id.shard());
    let hot = open_document(&mut stripe, &inner.store, &id).expect("readable");
    let whole = hot.expect("it is there").document.beyond(&[], usize::MAX);
    let mut changes = whole.changes;
    changes.sort();
    (whole.beginning, changes)
}

#[test]
fn every_point_of_listings_is_tried() {
    let tried = [&RENEWING[..], &BURYING].concat();
    for point in Failpoint::OF_LISTINGS {
        assert!(tried.iter().any(|(one, _)| *one == point), "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn death_around_every_step_of_a_renewal_loses_nothing_and_parts_nobody() {
    if let Some(folder) = env::var_os(FOLDER) {
        return live(Path::new(&folder), Life::Renewing).await;
    }
    let this = "death_around_every_step_of_a_renewal_loses_nothing_and_parts_nobody";
    for at in RENEWING {
        trial(this, Life::Renewing, at).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn death_around_every_step_of_a_burial_loses_nothing_and_brings_nothing_back() {
    if let Some(folder) = env::var_os(FOLDER) {
        return live(Path::new(&folder), Life::Burying).await;
    }
    let this = "death_around_every_step_of_a_burial_loses_nothing_and_brings_nothing_back";
    for at in BURYING {
        trial(this, Life::Burying, at).await;
    }
}
