//! The listing plane: every region writes, cut off or not, and all converge.

use serde_json::json;

use crate::harness::{PATIENCE, Scenario, binary, draft, text};
use crate::real_listings::real_listings;

/// Changes that a node misses in the catch-up scenario.
const MISSED_CHANGES: usize = 10_000;
/// Rows in one import request.
const BATCH_ROWS: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn regions_converge_after_concurrent_edits_while_cut_off() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    scenario.cluster.wan().isolate("ap-southeast");
    for node in scenario.cluster.ids() {
        let client = scenario.client(node);
        let ops = json!([
            {"op": "add", "path": "/amenities", "value": format!("amenity of {node}")},
            {"op": "increment", "path": "/counters/saves", "by": node},
        ]);
        client.edit_listing(&listing, ops).await.expect("accepted");
        let title = json!({"title": format!("Named by {node}")});
        client
            .patch_listing(&listing, title, None)
            .await
            .expect("accepted");
    }
    scenario.cluster.wan().heal();
    scenario.converged().await;
    let mut views = Vec::new();
    for node in scenario.cluster.ids() {
        let answer = scenario
            .client(node)
            .listing(&listing)
            .await
            .expect("served");
        views.push((answer.body, answer.etag));
    }
    assert_eq!(views[0], views[1]);
    assert_eq!(views[1], views[2]);
    let view = &views[0].0;
    assert_eq!(view["counters"]["saves"], 6, "increments add up");
    assert_eq!(
        view["amenities"],
        json!(["amenity of 1", "amenity of 2", "amenity of 3"])
    );
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_region_keeps_serving_and_accepting_listings() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    scenario.cluster.wan().isolate("ap-southeast");
    let cut_off = scenario.client(3);
    cut_off.listing(&listing).await.expect("served");
    let created = cut_off.create_listing(draft("Made alone")).await;
    let created = text(&created.expect("accepted").body["id"]);
    cut_off
        .patch_listing(&created, json!({"capacity": 6}), None)
        .await
        .expect("accepted");
    scenario.cluster.wan().heal();
    scenario.everywhere(&created).await;
    scenario.converged().await;
    let seen = scenario.client(1).listing(&created).await.expect("served");
    assert_eq!(seen.body["capacity"], 6);
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_sees_its_own_writes_in_another_region() {
    let scenario = Scenario::start().await;
    let writer = scenario.client(1);
    for round in 0..20 {
        let made = writer
            .create_listing(draft(&format!("Round {round}")))
            .await;
        let id = text(&made.expect("created").body["id"]);
        // The same session, in the region farthest away, at once.
        let options = meridian_client::ClientOptions::new(
            scenario
                .cluster
                .node_in("ap-southeast")
                .map(|node| format!("http://{}", node.api))
                .expect("a node there"),
        );
        let reader = meridian_client::Client::new(options).expect("a client");
        let reader = reader.with_session(writer.session().clone());
        let read = reader.listing(&id).await.expect("never a false 404");
        assert_eq!(read.consistency.as_deref(), Some("session"));
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_was_away_for_ten_thousand_changes_catches_up() {
    let mut scenario = Scenario::start().await;
    scenario.cluster.kill(3).await.expect("it ran");
    let admin = scenario.cluster.admin(2).expect("a node");
    let rows: Vec<_> = (0..MISSED_CHANGES)
        .map(|number| {
            let mut draft = draft(&format!("Listing {number}"));
            draft["home_region"] = json!("eu-west");
            json!({"source": "test", "external_id": number.to_string(), "draft": draft})
        })
        .collect();
    for batch in rows.chunks(BATCH_ROWS) {
        let summary = admin.import(batch).await.expect("imported");
        assert_eq!(summary.created, batch.len() as u64);
    }
    scenario.cluster.restart(3).await.expect("it starts again");
    scenario.converged().await;
    let admin = scenario.cluster.admin(3).expect("a node");
    let status = admin.status().await.expect("answered");
    assert_eq!(status["listings"], MISSED_CHANGES);
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_listings_import_and_a_second_time_nothing_changes() {
    let Some(folder) = real_listings() else {
        return;
    };
    let scenario = Scenario::start().await;
    let import = || {
        let admin = scenario.cluster.node_in("us-east").expect("a node").admin;
        std::process::Command::new(binary())
            .args(["import", "--region", "us-east", "--admin"])
            .arg(format!("http://{admin}"))
            .arg(folder.join("asheville.csv"))
            .output()
            .expect("it runs")
    };
    for expected in [
        "3009 created, 0 updated, 0 unchanged, 0 bad rows",
        "0 created, 0 updated, 3009 unchanged, 0 bad rows",
    ] {
        let output = import();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(expected), "{said}");
    }
    scenario.converged().await;
    let listings = meridian_chaos::until(PATIENCE, "every listing in Sydney", async || {
        let admin = scenario.cluster.admin(3).ok()?;
        let status = admin.status().await.ok()?;
        (status["listings"] == 3_009).then_some(())
    });
    listings.await.expect("replicated");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_again_keeps_what_hosts_have_set_and_the_file_does_not_say() {
    let scenario = Scenario::start().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("rooms.csv");
    let rows = "id,name,latitude,longitude,price\n7,Loft,38.9,-77.1,120\n";
    std::fs::write(&file, rows).expect("written");
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let admin = format!("http://{}", node.admin);
    let import = || {
        let output = std::process::Command::new(binary())
            .args(["import", "--region", "us-east", "--admin", &admin])
            .arg(&file)
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = import();
    assert!(said.contains("1 created"), "{said}");
    let id = meridian_regions::ListingId::derived(
        "us-east".parse().expect("a region"),
        "inside-airbnb",
        "7",
    )
    .to_string();
    let client = scenario.client(1);
    let set = json!({"capacity": 5, "min_stay": 3});
    client
        .patch_listing(&id, set, None)
        .await
        .expect("accepted");
    let said = import();
    assert!(said.contains("1 unchanged"), "{said}");
    let shown = client.listing(&id).await.expect("served").body;
    assert_eq!(
        (&shown["capacity"], &shown["min_stay"]),
        (&json!(5), &json!(3))
    );
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_all_written_in_the_order_of_their_lines() {
    let scenario = Scenario::start().await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let (file, bad) = (
        folder.path().join("rooms.csv"),
        folder.path().join("bad.csv"),
    );
    let mut text = "id,name,latitude,longitude,room_type\n".to_owned();
    // The node refuses the first, the importer itself the others.
    text += &format!("1,Loft,38.9,-77.1,{}\n\n", "x".repeat(121));
    for id in 2..27 {
        text += &format!("{id},Loft,99,-77.1,room\n");
    }
    text += "27,Loft,38.9,-77.1,room\n28,Lo";
    std::fs::write(&file, text).expect("written");
    let admin = scenario.cluster.node_in("us-east").expect("a node").admin;
    let output = std::process::Command::new(binary())
        .args(["import", "--region", "us-east", "--admin"])
        .arg(format!("http://{admin}"))
        .arg("--bad-rows")
        .args([&bad, &file])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("1 created") && said.contains("27 bad rows"),
        "{said}"
    );
    assert_eq!(said.matches("  line ").count(), 20, "{said}");
    let bad = std::fs::read_to_string(bad).expect("written");
    let lines: Vec<u64> = bad
        .lines()
        .filter_map(|line| line.split(',').next()?.parse().ok())
        .collect();
    let expected: Vec<u64> = [2].into_iter().chain(4..=28).chain([30]).collect();
    assert_eq!(lines, expected, "{bad}");
    assert!(
        bad.starts_with("line,reason\n") && bad.contains("room_type"),
        "{bad}"
    );
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_behind_stays_behind_until_the_writes_have_come() {
    let scenario = Scenario::start().await;
    scenario.listing(3).await;
    scenario.cluster.wan().isolate("ap-southeast");
    let writer = scenario.client(1);
    let made = writer.create_listing(draft("Made elsewhere")).await;
    let id = text(&made.expect("created").body["id"]);
    let node = scenario.cluster.node_in("ap-southeast").expect("a node");
    let mut options = meridian_client::ClientOptions::new(format!("http://{}", node.api));
    options.retry = false;
    let reader = meridian_client::Client::new(options).expect("a client");
    let reader = reader.with_session(writer.session().clone());
    // Each answer's token is the next request's: none of them forgets.
    for _ in 0..2 {
        let refused = reader.listing(&id).await.expect_err("it is not there yet");
        assert_eq!(refused.code(), Some("session-behind"), "{refused}");
    }
    scenario.cluster.wan().heal();
    let read = meridian_chaos::until(PATIENCE, "the listing", async || {
        match reader.listing(&id).await {
            Err(behind) if behind.code() == Some("session-behind") => None,
            answered => Some(answered),
        }
    });
    read.await.expect("an answer").expect("never a false 404");
    scenario.stop().await;
}
