//! Sessions: what a token demands, and when it is met.

use std::time::Duration;

use meridian_regions::{Hlc, UnixNanos};
use meridian_replication_core::SessionToken;
use tempfile::TempDir;

use super::setup::{member, node, open};

#[tokio::test(flavor = "multi_thread")]
async fn session_of_an_unknown_region_waits_and_says_that_it_is_behind() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let mut token = SessionToken::new();
    let seen = Hlc::from_unix_nanos(UnixNanos::from_millis(1));
    token.merge(&member(3).region, seen).expect("room");
    let patience = Duration::from_millis(50);
    assert!(replica.wait_for(&token, patience).await.is_err());
    replica.inner().progress.watermark(node(3), seen);
    replica.wait_for(&token, patience).await.expect("covered");
}
