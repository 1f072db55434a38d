//! An archive of what every node says, made while one of them is dead.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::command_line::{meridian, said};
use crate::harness::Scenario;

/// The files of a bundle.
fn unpacked(path: &std::path::Path) -> BTreeMap<String, String> {
    let file = File::open(path).expect("it was written");
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    let entries = archive.entries().expect("a tar");
    let files = entries.map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        let path = entry.path().expect("a path");
        (path.display().to_string(), text)
    });
    files.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bundle_has_what_can_be_had_and_says_what_could_not() {
    let mut scenario = Scenario::start().await;
    scenario.listing(1).await;
    scenario.cluster.kill(3).await.expect("it dies");
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let admin = format!("http://{}", node.admin);
    let out = node.folder.join("bundle.tar.gz");
    let path = out.to_string_lossy().into_owned();
    let arguments = ["debug", "bundle", "--out", &path, "--admin", &admin].map(str::to_owned);
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        (meridian(&arguments), meridian(&arguments))
    };
    let (made, again) = tokio::task::spawn_blocking(run).await.expect("it runs");
    assert!(made.status.success(), "{}", said(&made));
    assert!(
        said(&made).contains("not had: node 3: status.json"),
        "{}",
        said(&made)
    );
    assert_eq!(again.status.code(), Some(1), "nothing is written over");

    let files = unpacked(&out);
    for node in [1, 2] {
        for name in [
            "status.json",
            "groups.json",
            "config.json",
            "metrics.txt",
            "log.txt",
        ] {
            let name = format!("node-{node}/{name}");
            let text = files
                .get(&name)
                .unwrap_or_else(|| panic!("{name}: {files:?}"));
            assert!(!text.is_empty(), "{name}");
        }
    }
    assert!(files["node-1/log.txt"].contains("\"started\""));
    assert!(files["node-2/config.json"].contains("\"topology\""));
    assert!(files["missing.txt"].contains("node 3"));
    assert!(
        !files["node-1/config.json"].contains(".key"),
        "where keys stand is left out"
    );
    scenario.stop().await;
}

#[test]
fn top_without_a_terminal_says_what_to_use_instead() {
    let output = meridian(&["top"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("meridian status"),
        "{}",
        said(&output)
    );
}
