//! Which backups a prune leaves.

use jiff::Timestamp;
use tempfile::TempDir;

use super::{opened, prune};
use crate::backup::Manifest;
use crate::cli::{PruneArgs, TargetArgs};

/// A backup that began so many seconds after 1970.
fn backup(seconds: i64, lacks: &[&str]) -> Manifest {
    let at = Timestamp::from_second(seconds).expect("a time");
    Manifest {
        id: Manifest::name_at(at),
        cluster: "shop".to_owned(),
        began_at: at,
        ended_at: at,
        map: String::new(),
        parts: Vec::new(),
        missing: Vec::new(),
        lacks: lacks.iter().map(ToString::to_string).collect(),
    }
}

#[tokio::test]
async fn backups_that_lack_something_push_out_none_that_is_whole() {
    let folder = TempDir::new().expect("a folder");
    let from = folder.path().to_str().expect("a path of text").to_owned();
    let target = opened(&from).await.expect("a folder");
    let whole = |seconds| backup(seconds, &[]);
    let short = |seconds| backup(seconds, &["a node was down"]);
    let made = [whole(1), whole(2), short(3), whole(4), short(5), short(6)];
    for manifest in &made {
        target.write_manifest(manifest).await.expect("written");
    }
    let keep = |keep| PruneArgs {
        target: TargetArgs { from: from.clone() },
        keep,
    };
    for (number, stay) in [(9, 0), (2, 1), (1, 3), (1, 3)] {
        prune(&keep(number), &mut Vec::new()).await.expect("pruned");
        let left = target.backups().await.expect("listed");
        let expected: Vec<_> = made[stay..].iter().map(|one| one.id.clone()).collect();
        assert_eq!(left, expected, "--keep {number}");
    }
}
