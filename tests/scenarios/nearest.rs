//! Which region is nearest: by place, by address, and by what was measured lately.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use meridian_chaos::{WanPlan, until};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, binary};
use crate::mmdb;

const LISBON: (f64, f64) = (38.72, -9.14);
const MELBOURNE: (f64, f64) = (-37.81, 144.96);
/// Addresses of nobody (RFC 5737).
const IN_THE_NORTH: &str = "192.0.2.17";
const IN_THE_SOUTH: &str = "198.51.100.23";
const NOWHERE: &str = "203.0.113.5";

/// Puts another database in place at once, as updaters do.
fn write_database(path: &Path, north: (f64, f64), south: (f64, f64)) {
    let networks = [
        ("192.0.2.0", 24, Some(north)),
        ("198.51.100.0", 24, Some(south)),
    ];
    let beside = path.with_extension("new");
    std::fs::write(&beside, mmdb::database(&networks)).expect("a writable folder");
    std::fs::rename(&beside, path).expect("the same folder");
}

/// What a node answers a proxy that speaks for a client.
async fn nearest(scenario: &Scenario, client: Option<&str>, query: &str) -> Value {
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let url = format!("http://{}/v1/regions/nearest{query}", node.api);
    let mut request = reqwest::Client::new().get(url);
    if let Some(client) = client {
        request = request.header("X-Forwarded-For", client);
    }
    let answer = request.send().await.expect("sent");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.json().await.expect("JSON")
}

fn told(answer: &Value) -> (&str, &str) {
    let first = answer["data"][0]["id"].as_str();
    let basis = answer["basis"].as_str();
    (basis.expect("a basis"), first.expect("a region"))
}

#[tokio::test(flavor = "multi_thread")]
async fn region_is_found_by_address_through_a_proxy_and_the_address_is_logged_nowhere() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("city.mmdb");
    write_database(&path, LISBON, MELBOURNE);
    let settings = vec![
        format!("geoip.database={}", path.display()),
        "geoip.reload_seconds=1".to_owned(),
        "listen.trusted_proxies=[\"127.0.0.1\"]".to_owned(),
        "log.filter=info,meridian_node=trace".to_owned(),
    ];
    let scenario = Scenario::start_with(WanPlan::scaled_down(LINK_DIVISOR), settings).await;
    for (client, query, expected) in [
        (Some(IN_THE_NORTH), "", ("geoip", "eu-west")),
        (Some(IN_THE_SOUTH), "", ("geoip", "ap-southeast")),
        (Some(NOWHERE), "", ("round-trip", "us-east")),
        (None, "", ("round-trip", "us-east")),
        (
            Some(IN_THE_NORTH),
            "?lat=-37.8&lon=145",
            ("coordinates", "ap-southeast"),
        ),
    ] {
        let answer = nearest(&scenario, client, query).await;
        assert_eq!(told(&answer), expected, "{client:?} {query}");
    }
    write_database(&path, MELBOURNE, LISBON);
    until(PATIENCE, "the other database", async || {
        let answer = nearest(&scenario, Some(IN_THE_NORTH), "").await;
        (told(&answer) == ("geoip", "ap-southeast")).then_some(())
    })
    .await
    .expect("it is taken over");
    let log = scenario.log(1);
    assert!(log.contains("uses another geoip.database"));
    for address in [IN_THE_NORTH, IN_THE_SOUTH, NOWHERE] {
        assert!(!log.contains(address), "{address} was logged");
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_link_that_becomes_longer_or_silent_is_known_and_shown() {
    let mut scenario = Scenario::start().await;
    let longer = Duration::from_millis(60);
    scenario.cluster.wan().stretch("us-east", "eu-west", longer);
    let admin = scenario.cluster.admin(1).expect("a node");
    let peer = async |node: u64| {
        let status = admin.status().await.ok()?;
        let peers = status["peers"].as_array()?;
        peers.iter().find(|peer| peer["node"] == node).cloned()
    };
    let measured = until(PATIENCE, "the longer way", async || {
        peer(2)
            .await
            .filter(|peer| peer["rtt_ms"].as_f64() > Some(55.0))
    });
    let measured = measured.await.expect("measured though nobody uses it");
    assert!(measured["rtt_deviation_ms"].is_f64(), "{measured}");
    assert!(measured["phi"].is_f64(), "{measured}");
    let metrics = format!(
        "http://{}/metrics",
        scenario.cluster.node_in("us-east").expect("a node").admin
    );
    let metrics = reqwest::get(&metrics)
        .await
        .expect("sent")
        .text()
        .await
        .expect("text");
    for name in ["rtt_seconds", "rtt_deviation_seconds", "phi"] {
        let series = format!("meridian_peer_{name}{{node=\"2\",region=\"eu-west\"}}");
        assert!(metrics.contains(&series), "{series}: {metrics}");
    }

    scenario.cluster.kill(2).await.expect("it ran");
    until(PATIENCE, "the dead region is last", async || {
        let answer = nearest(&scenario, None, "").await;
        let last = answer["data"].as_array()?.last()?.clone();
        (last["id"] == "eu-west" && last["health"] == "unreachable").then_some(())
    })
    .await
    .expect("it is suspected");
    let reached = peer(2).await.expect("a peer of the topology");
    assert_eq!(reached["reachable"], false, "{reached}");
    scenario.cluster.restart(2).await.expect("it starts again");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_goes_on_to_the_next_seed_and_shows_regions() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("eu-west").expect("a node");
    // Nobody listens on it: the port is the discard service's.
    let (dead, alive) = ("http://127.0.0.1:9", format!("http://{}", node.api));
    let listing = scenario.listing(2).await;
    let both = format!("{dead}, {alive}");
    let ways: [(&[&str], Option<&str>); 4] = [
        (&["--seed", dead, "--seed", &alive], None),
        (&["--seed", &both], None),
        (&["--api", dead, "--url", &alive], None),
        (&[], Some(&both)),
    ];
    for (flags, variable) in ways {
        for command in [&["regions"][..], &["listing", "get", &listing]] {
            let mut meridian = Command::new(binary());
            meridian.args(command).args(flags);
            if let Some(seeds) = variable {
                meridian.env("MERIDIAN_API", seeds);
            }
            let output = meridian.output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{flags:?}: {output:?}");
            let expected = if command.len() == 1 {
                "ap-southeast"
            } else {
                "Loft"
            };
            assert!(said.contains(expected), "{said}");
        }
    }
    let nobody = Command::new(binary())
        .args(["regions", "--seed", dead])
        .output();
    let nobody = nobody.expect("it runs");
    assert_eq!(nobody.status.code(), Some(1));
    let told = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(told.contains("no endpoint can be reached"), "{told}");
    scenario.stop().await;
}
