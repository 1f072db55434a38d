//! The drill again, with a bucket instead of a folder.

use meridian_chaos::WanPlan;
use tempfile::TempDir;

use super::bucket::{BUCKET, Bucket};
use super::{Drill, RESTORED, numbers, run_in, well_in};
use crate::command_line::said;
use crate::harness::{LINK_DIVISOR, Scenario};

#[tokio::test(flavor = "multi_thread")]
async fn cluster_is_restored_out_of_a_bucket() {
    let bucket = Bucket::start().await;
    let folder = TempDir::new().expect("a folder");
    let settings = folder.path().join("s3");
    std::fs::write(&settings, bucket.settings_file()).expect("written");
    let to = format!("s3://{BUCKET}/shop/daily");
    let allowed = vec![
        format!("backup.to=[\"s3://{BUCKET}/shop\"]"),
        format!("backup.s3_settings={}", settings.display()),
    ];
    let scenario = Scenario::start_with(WanPlan::scaled_down(LINK_DIVISOR), allowed).await;
    let mut drill = Drill::of(scenario).await;
    let environment = bucket.settings();
    let admin = drill.admin();
    drill.book(10).await;
    drill.name_listings("First").await;
    let create = ["backup", "create", "--to", &to, "--admin", &admin];
    well_in(&environment, &create).await;
    // A second one sends what is new, and the store may be slow for a while.
    drill.book(11).await;
    drill.name_listings("Second").await;
    bucket.refuse(3);
    let [_, files, bytes, sent, bytes_sent] = numbers(&well_in(&environment, &create).await);
    assert!(sent < files && bytes_sent < bytes, "{sent} of {files}");
    assert_eq!(bucket.refused(), 3);
    assert_eq!(bucket.uploads()[1], 0, "nothing is left half sent");
    let elsewhere = format!("s3://{BUCKET}/of-others");
    let create = ["backup", "create", "--to", &elsewhere, "--admin", &admin];
    let refused = run_in(&environment, &create).await;
    assert!(said(&refused).contains("backup.to"), "{}", said(&refused));

    drill.destroy().await;
    let from = ["backup", "verify", "--from", &to];
    let refused = run_in(&Vec::new(), &[&from[..], &["--backup", "x"]].concat()).await;
    assert!(
        !refused.status.success(),
        "who has no credentials reads nothing"
    );
    well_in(&environment, &from).await;
    let objects = bucket.objects();
    let damaged = objects
        .iter()
        .filter(|(name, _)| name.contains("/objects/"));
    let (damaged, _) = damaged
        .max_by_key(|(_, bytes)| bytes.len())
        .expect("objects");
    bucket.flip(damaged);
    let found = run_in(&environment, &from).await;
    assert!(said(&found).contains("damaged"), "{}", said(&found));
    bucket.flip(damaged);

    let into = folder.path().join("restored");
    let target = into.display().to_string();
    let restore = ["restore", "--from", &to, "--into", &target];
    let restore = [&restore[..], &["--cluster", RESTORED, "--yes"]].concat();
    well_in(&environment, &restore).await;
    drill.begins_anew_from(&into).await;
    let prune = ["backup", "prune", "--from", &to, "--keep", "1"];
    let pruned = well_in(&environment, &prune).await;
    assert!(pruned.contains("removed backup"), "{pruned}");
    well_in(&environment, &from).await;
    drill.scenario.stop().await;
}
