//! Targets, over a store that speaks as S3 does: what a folder keeps, a bucket keeps.

#[path = "../../../tests/scenarios/backup/bucket.rs"]
mod bucket;

use std::num::NonZeroU64;
use std::path::PathBuf;

use jiff::Timestamp;
use meridian_regions::{FormatLevel, ListingId, NodeId, UnixNanos};
use tempfile::TempDir;

use super::desk::Pace;
use super::target::Sent;
use super::{FileRecord, Manifest, Part, Plan, S3Settings, Target, Work, listing_in, raised};
use crate::solo::TOPOLOGY;
use bucket::{BUCKET, Bucket};

/// More than two parts, and no whole number of them.
const LARGE_BYTES: usize = (18 << 20) + 1;

struct World {
    bucket: Bucket,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self {
            bucket: Bucket::start().await,
            folder: TempDir::new().expect("a folder"),
        }
    }

    fn settings(&self, change: impl Fn(String) -> String) -> S3Settings {
        let path = self.folder.path().join("s3");
        std::fs::write(&path, change(self.bucket.settings_file())).expect("written");
        S3Settings::default().with_file(&path).expect("settings")
    }

    async fn open(&self, prefix: &str) -> Target {
        let url = format!("s3://{BUCKET}/{prefix}");
        let opened = Target::open(&url, &self.settings(|same| same)).await;
        opened.expect("it answers")
    }

    async fn refusal(&self, url: &str, settings: &S3Settings) -> String {
        let refused = Target::open(url, settings).await;
        format!("{:#}", refused.expect_err("it refuses"))
    }

    async fn file(&self, name: &str, bytes: Vec<u8>) -> (PathBuf, FileRecord) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        let (hash, bytes) = Target::hash(&path, &mut pace()).await.expect("readable");
        let record = FileRecord {
            database: "listings".to_owned(),
            name: name.to_owned(),
            bytes,
            hash,
        };
        (path, record)
    }
}

fn pace() -> Pace {
    Pace::new(NonZeroU64::MAX)
}

fn manifest() -> Manifest {
    let now = Timestamp::now();
    Manifest {
        id: Manifest::name_at(now),
        cluster: "shop".to_owned(),
        began_at: now,
        ended_at: now,
        map: String::new(),
        parts: Vec::new(),
        missing: Vec::new(),
        lacks: Vec::new(),
    }
}

#[tokio::test]
async fn bucket_keeps_small_and_large_files_and_gives_back_every_byte_or_nothing() {
    let world = World::new().await;
    let target = world.open("eu/daily").await;
    let large: Vec<u8> = (0..251).cycle().take(LARGE_BYTES).collect();
    for (name, bytes) in [("CURRENT", b"MANIFEST-1\n".to_vec()), ("000007.sst", large)] {
        let (path, record) = world.file(name, bytes.clone()).await;
        let sent = target.send(&path, &record, &mut pace()).await;
        assert_eq!(sent.expect("sent"), Sent::New, "{name}");
        let sent = target.send(&path, &record, &mut pace()).await;
        assert_eq!(sent.expect("sent"), Sent::Known, "{name}");
        let back = world.folder.path().join(format!("{name}.back"));
        let fetched = target.fetch(&record, Some(&back)).await;
        fetched.expect("whole");
        assert_eq!(std::fs::read(back).expect("readable"), bytes, "{name}");
        let object = format!("eu/daily/objects/{}/{}", &record.hash[..2], record.hash);
        world.bucket.flip(&object);
        let fetched = target.fetch(&record, None).await;
        assert!(
            fetched
                .expect_err("damaged")
                .to_string()
                .contains("damaged")
        );
    }
    assert_eq!(
        world.bucket.uploads(),
        [1, 0],
        "the large one alone in parts"
    );
}

/// Whatever opens its databases would misread them.
#[tokio::test]
async fn backup_of_a_later_level_is_refused_before_anything_is_fetched() {
    let world = World::new().await;
    let target = world.open("later").await;
    let later = FormatLevel::new(FormatLevel::REHEARSED.get() + 1).expect("not zero");
    let mut manifest = manifest();
    manifest.map = raised(TOPOLOGY, later).expect("a map");
    manifest.parts.push(Part {
        node: NodeId::new(1).expect("not zero"),
        files: Vec::new(),
        files_sent: 0,
        bytes_sent: 0,
    });
    let listing = ListingId::generate(UnixNanos::from_millis(1), 1, "eu-west".parse().expect("id"));
    let taken = listing_in(&target, &manifest, &listing, |_| ()).await;
    let plan = Plan {
        manifest,
        forward: None,
        cluster: "another".parse().expect("a name"),
        into: world.folder.path().join("restored"),
    };
    let refusals = [
        plan.check().expect_err("the cluster"),
        taken.expect_err("the listing"),
    ];
    for refused in refusals {
        let said = format!("{refused:#}");
        assert!(said.contains("use a release that speaks level 4"), "{said}");
    }
}

#[tokio::test]
async fn requests_that_a_store_refuses_for_a_while_are_made_again() {
    let world = World::new().await;
    let target = world.open("").await;
    let (path, record) = world.file("000008.sst", vec![7; LARGE_BYTES]).await;
    world.bucket.refuse(3);
    let sent = target.send(&path, &record, &mut pace()).await;
    assert_eq!(sent.expect("sent"), Sent::New);
    assert_eq!(world.bucket.refused(), 3);
    target.fetch(&record, None).await.expect("whole");
}

#[tokio::test]
async fn backups_of_a_bucket_are_listed_once_written_and_pruned_with_what_only_they_need() {
    let world = World::new().await;
    let target = world.open("shop").await;
    assert_eq!(
        target.backups().await.expect("listed"),
        Vec::<String>::new()
    );
    let (manifest, objects) = (manifest(), 13);
    target.write_manifest(&manifest).await.expect("written");
    // As where an answer was lost.
    target.write_manifest(&manifest).await.expect("the same");
    let mut other = manifest.clone();
    other.cluster = "other".to_owned();
    let refused = target.write_manifest(&other).await;
    refused.expect_err("a backup is never written over");
    let listed = target.backups().await.expect("listed");
    assert_eq!(listed, std::slice::from_ref(&manifest.id));
    assert_eq!(target.manifest(&manifest.id).await.expect("read"), manifest);

    let mut kept = None;
    for number in 0..objects {
        let (path, record) = world.file("one.sst", vec![number; 100]).await;
        target
            .send(&path, &record, &mut pace())
            .await
            .expect("sent");
        kept = Some(record.hash);
    }
    let beside = world.open("shop-of-others").await;
    let (path, record) = world.file("one.sst", vec![200; 100]).await;
    beside
        .send(&path, &record, &mut pace())
        .await
        .expect("sent");
    let kept = kept.expect("many");
    let removed = target.remove_objects(|hash| hash == kept).await;
    assert_eq!(removed.expect("removed"), (12, 1_200));
    beside.fetch(&record, None).await.expect("another's stays");
    target.remove_manifest(&manifest.id).await.expect("removed");
    assert_eq!(
        target.backups().await.expect("listed"),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn backup_and_prune_of_a_bucket_do_not_meet() {
    let world = World::new().await;
    let target = world.open("shop").await;
    let backup = target.occupy(Work::Backup, "one").await.expect("free");
    let refused = target.occupy(Work::Prune, "two").await;
    let refused = refused.err().expect("a backup is under way");
    assert!(refused.to_string().contains("wait until"), "{refused}");
    backup.free().await.expect("freed");
    let prune = target.occupy(Work::Prune, "two").await.expect("free");
    prune.free().await.expect("freed");
    assert_eq!(world.bucket.objects().len(), 0, "no mark stays");
}

#[tokio::test]
async fn what_keeps_a_bucket_from_being_used_is_told_at_once_with_what_was_asked() {
    let world = World::new().await;
    let url = format!("s3://{BUCKET}/eu");
    let settings = world.settings(|lines| lines.replace("of-tests-alone", "wrong"));
    let refused = world.refusal(&url, &settings).await;
    assert!(refused.contains("SignatureDoesNotMatch"), "{refused}");
    assert!(refused.contains("access key tests"), "{refused}");
    assert!(!refused.contains("wrong"), "{refused}");
    let settings = world.settings(|same| same);
    let refused = world.refusal("s3://other/eu", &settings).await;
    assert!(refused.contains("NoSuchBucket"), "{refused}");
    // A store is spoken to in the clear only where that was asked for.
    let settings = world.settings(|lines| lines.replace("HTTP=true", "HTTP=false"));
    let refused = world.refusal(&url, &settings).await;
    assert!(refused.contains("http://127.0.0.1"), "{refused}");
    assert_eq!(world.bucket.objects().len(), 0);
}
