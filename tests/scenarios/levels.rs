//! Every level of consistency, of single listings and of searches, across a cut and a heal.

use meridian_chaos::until;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use crate::harness::{PATIENCE, Scenario, draft, key, stay, text};

/// What a read was answered: its status, the level achieved, and its body.
struct Read {
    status: u16,
    level: String,
    staleness_ms: Option<u64>,
    body: Value,
}

async fn read(request: RequestBuilder) -> Read {
    let answer: Response = request.send().await.expect("sent");
    let header = |name: &str| {
        let value = answer.headers().get(name)?;
        Some(value.to_str().expect("text").to_owned())
    };
    Read {
        status: answer.status().as_u16(),
        level: header("meridian-consistency").unwrap_or_default(),
        staleness_ms: header("meridian-staleness-ms").and_then(|text| text.parse().ok()),
        body: answer.json().await.expect("JSON"),
    }
}

fn finds(found: &Read, listing: &str) -> bool {
    let data = found.body["data"].as_array().expect("a list");
    data.iter().any(|one| one["id"] == listing)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_level_keeps_its_word_across_a_cut_and_a_heal() {
    let scenario = Scenario::start().await;
    let known = scenario.listing(1).await;
    let (http, far) = (
        reqwest::Client::new(),
        scenario.cluster.node_in("ap-southeast"),
    );
    let url = format!("http://{}/v1/listings", far.expect("a node").api);
    let one = format!("{url}/{known}");
    let leveled = |url: &str, level: &str| http.get(url).header("Meridian-Consistency", level);
    for url in [&one, &url] {
        let fresh = read(leveled(url, "bounded; max-staleness-ms=5000")).await;
        assert_eq!((fresh.status, fresh.level.as_str()), (200, "bounded"));
        assert!(fresh.staleness_ms.expect("measured") <= 5_000);
    }

    scenario.cluster.wan().isolate("ap-southeast");
    let writer = scenario.client(1);
    let made = writer.create_listing(draft("Made elsewhere")).await;
    let made = text(&made.expect("created").body["id"]);
    let token = writer.session().token().expect("it has written");
    let with_token = |url: &str| http.get(url).header("Meridian-Session", &token);

    // Eventual: what is here, and no word that it is more.
    for url in [&one, &url] {
        let stale = read(leveled(url, "eventual")).await;
        assert_eq!((stale.status, stale.level.as_str()), (200, "eventual"));
    }
    assert!(!finds(&read(leveled(&url, "eventual")).await, &made));
    // Bounded: answered with less, which is said, and how stale it is.
    for url in [&one, &url] {
        let stale = until(PATIENCE, "the bound is exceeded", async || {
            let stale = read(leveled(url, "bounded; max-staleness-ms=1000")).await;
            assert_eq!(stale.status, 200);
            (stale.level == "eventual").then_some(stale)
        });
        let staleness_ms = stale.await.expect("exceeded").staleness_ms;
        assert!(staleness_ms.expect("measured") > 1_000);
    }
    // Session: never with less.
    for url in [format!("{url}/{made}"), url.clone()] {
        let behind = read(with_token(&url)).await;
        assert_eq!(
            (behind.status, &behind.body["code"]),
            (503, &"session-behind".into())
        );
    }

    scenario.cluster.wan().heal();
    for url in [format!("{url}/{made}"), url.clone()] {
        let seen = until(PATIENCE, "the session's writes", async || {
            let seen = read(with_token(&url)).await;
            (seen.status != 503).then_some(seen)
        });
        let seen = seen.await.expect("healed");
        assert_eq!((seen.status, seen.level.as_str()), (200, "session"));
        assert!(seen.body["id"] == made.as_str() || finds(&seen, &made));
    }
    let fresh = until(PATIENCE, "within the bound again", async || {
        let fresh = read(leveled(&url, "bounded; max-staleness-ms=1000")).await;
        (fresh.level == "bounded").then_some(fresh)
    });
    assert!(finds(&fresh.await.expect("healed"), &made));
    scenario.stop().await;
}

/// By a quorum or not at all, and the quorum goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn linearizable_reads_keep_their_word_across_a_cut_and_a_heal() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let far = scenario.cluster.node_in("ap-southeast");
    let (api, night) = (far.expect("a node").api, stay(40));
    let (from, to) = (&night.check_in, &night.check_out);
    let nights =
        format!("http://{api}/v1/listings/{listing}/availability?from={from}&to={to}&fresh=true");
    let ask = async || read(reqwest::Client::new().get(&nights)).await;
    let said = ask().await;
    assert_eq!((said.status, said.level.as_str()), (200, "linearizable"));
    assert_eq!(said.body["nights"][0]["free"], 1);

    scenario.cluster.wan().isolate("ap-southeast");
    let held = scenario.client(1).hold(&listing, &night, &key()).await;
    held.expect("two of three regions are a quorum");
    let said = ask().await;
    let (status, code) = (said.status, &said.body["code"]);
    assert_eq!((status, code), (503, &"no-quorum".into()));

    scenario.cluster.wan().heal();
    let said = until(PATIENCE, "a quorum", async || {
        let said = ask().await;
        (said.status != 503).then_some(said)
    });
    let said = said.await.expect("healed");
    assert_eq!((said.status, said.level.as_str()), (200, "linearizable"));
    let free = &said.body["nights"][0]["free"];
    assert_eq!(free, 0, "it was held while this region was cut off");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn index_of_another_version_is_built_anew_after_a_kill_and_no_listing_waits_for_it() {
    let mut scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    scenario.cluster.kill(1).await.expect("killed");
    // What this version has is missing, too.
    let index = scenario.folder_of(1).join("data/search");
    std::fs::rename(index.join("2"), index.join("1")).expect("an index");
    scenario.cluster.restart(1).await.expect("it starts again");
    let api = scenario.cluster.node_in("us-east").expect("a node").api;
    let found = until(PATIENCE, "it is found", async || {
        let url = format!("http://{api}/v1/listings/{listing}");
        let read = reqwest::get(url).await.expect("it listens");
        assert_eq!(read.status(), 200, "reads need no index");
        let url = format!("http://{api}/v1/listings?q=loft");
        let answer = reqwest::get(url).await.expect("it listens");
        let status = answer.status();
        assert!([200, 503].contains(&status.as_u16()), "{status}");
        let found: Value = answer.json().await.expect("JSON");
        let is_said = status == 503 || found["missing"].is_u64();
        assert!(is_said, "what it lacks is said: {found}");
        (found["data"][0]["id"] == listing.as_str()).then_some(())
    });
    found.await.expect("built anew");
    assert!(!index.join("1").exists(), "nobody can read it any more");
    scenario.stop().await;
}
