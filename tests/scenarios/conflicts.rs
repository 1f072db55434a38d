//! Two sides of a cut that write the same: what each host sees, and how one ends it.

use meridian_chaos::until;
use meridian_client::{Answer, CallError};
use serde_json::{Value, json};

use crate::command_line::{meridian, said};
use crate::harness::{PATIENCE, Scenario, key, stay, text};

#[tokio::test(flavor = "multi_thread")]
async fn price_of_two_sides_of_a_cut_is_one_conflict_and_one_choice_ends_it() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    scenario.cluster.wan().isolate("ap-southeast");
    for (node, amount) in [(3, 20_000), (1, 15_000)] {
        let price = json!({"nightly_price": {"amount": amount}});
        let client = scenario.client(node);
        let patched = client.patch_listing(&listing, price, None).await;
        patched.expect("accepted");
    }
    scenario.cluster.wan().heal();
    scenario.converged().await;

    let shown = conflicts_everywhere(&scenario, &listing).await;
    let conflict = &shown.body["data"][0];
    assert_eq!(conflict["field"], "/nightly_price");
    assert_eq!(conflict["rule"], "last-writer");
    let values = conflict["values"].as_array().expect("a list");
    let time = |one: &Value| text(&one["time"]).parse::<jiff::Timestamp>();
    assert!(time(&values[0]).expect("an instant") <= time(&values[1]).expect("an instant"));
    let amounts = |one: &Value| one["value"]["amount"].as_u64().expect("a number");
    let mut both: Vec<u64> = values.iter().map(amounts).collect();
    assert_eq!(price_everywhere(&scenario, &listing).await, both[1]);
    both.sort_unstable();
    assert_eq!(both, [15_000, 20_000]);

    // The host is in the third region, and takes the one that is not shown.
    let (chosen, tag) = (&values[0], shown.etag.expect("a tag"));
    let api = scenario.cluster.node_in("eu-west").expect("a node").api;
    let resolved = meridian(&[
        "listing",
        "resolve",
        &listing,
        "/nightly_price",
        &text(&chosen["hash"]),
        "--seen",
        tag.trim_matches('"'),
        "--api",
        &format!("http://{api}"),
    ]);
    assert!(resolved.status.success(), "{}", said(&resolved));
    scenario.converged().await;
    let left = conflicts_everywhere(&scenario, &listing).await;
    assert_eq!(left.body["data"], json!([]));
    let price = price_everywhere(&scenario, &listing).await;
    assert_eq!(price, amounts(chosen));

    // Who has not heard of it and takes the other is told so.
    let (hash, late) = (text(&values[1]["hash"]), scenario.client(3));
    let refused = late.resolve_conflict(&listing, "/nightly_price", &hash, &tag);
    assert_eq!(code(refused.await), "precondition-failed");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_that_meets_an_edit_waits_for_the_host_and_is_let_or_gone_then() {
    let scenario = Scenario::start().await;
    let (kept, gone) = (scenario.listing(1).await, scenario.listing(1).await);
    scenario.cluster.wan().isolate("ap-southeast");
    for listing in [&kept, &gone] {
        let title = json!({"title": "Edited meanwhile"});
        let far = scenario.client(3);
        let edited = far.patch_listing(listing, title, None).await;
        edited.expect("accepted");
        let client = scenario.client(1);
        until(PATIENCE, "a deletion", async || {
            client.delete_listing(listing).await.ok()
        })
        .await
        .expect("a quorum");
        assert_eq!(code(client.listing(listing).await), "not-found");
    }
    scenario.cluster.wan().heal();
    scenario.converged().await;

    let mut choices = Vec::new();
    for listing in [&kept, &gone] {
        scenario.everywhere(listing).await;
        let shown = conflicts_everywhere(&scenario, listing).await;
        let conflict = &shown.body["data"][0];
        assert_eq!(conflict["field"], "/deleted");
        let values = conflict["values"].as_array().expect("a list");
        let told = values.iter().map(|one| (&one["value"], &one["region"]));
        let (deletion, edit) = (json!("us-east"), json!("ap-southeast"));
        let expected = [(&json!(true), &deletion), (&json!(false), &edit)];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        // Shown, and not let.
        assert_eq!(code(hold(&scenario, 2, listing).await), "not-found");
        let hash = |index: usize| text(&values[index]["hash"]);
        choices.push((hash(0), hash(1), shown.etag.expect("a tag")));
    }

    let (_, edit, tag) = &choices[0];
    choose(&scenario, 2, &kept, edit, tag).await;
    let (deletion, _, tag) = &choices[1];
    choose(&scenario, 3, &gone, deletion, tag).await;
    scenario.converged().await;
    for node in scenario.cluster.ids() {
        let client = scenario.client(node);
        let stays = client.listing(&kept).await.expect("served");
        assert_eq!(stays.body["title"], "Edited meanwhile");
        assert_eq!(code(client.listing(&gone).await), "not-found");
    }
    let left = conflicts_everywhere(&scenario, &kept).await;
    assert_eq!(left.body["data"], json!([]));
    let held = hold(&scenario, 3, &kept).await.expect("let again");
    assert_eq!(held.status, 201);
    scenario.stop().await;
}

/// What every node says is in conflict: the same.
async fn conflicts_everywhere(scenario: &Scenario, listing: &str) -> Answer {
    let mut answers = Vec::new();
    for node in scenario.cluster.ids() {
        let answer = scenario.client(node).conflicts(listing).await;
        answers.push(answer.expect("served"));
    }
    let first = answers.remove(0);
    for other in answers {
        assert_eq!((&other.body, &other.etag), (&first.body, &first.etag));
    }
    first
}

/// What every node says the price is: the same.
async fn price_everywhere(scenario: &Scenario, listing: &str) -> u64 {
    let mut prices = Vec::new();
    for node in scenario.cluster.ids() {
        let answer = scenario.client(node).listing(listing).await;
        let price = &answer.expect("served").body["nightly_price"]["amount"];
        prices.push(price.as_u64().expect("a number"));
    }
    prices.dedup();
    assert_eq!(prices.len(), 1, "{prices:?}");
    prices[0]
}

/// Decides about a deletion, and again where no quorum could say what came of it.
async fn choose(scenario: &Scenario, node: u64, listing: &str, hash: &str, tag: &str) {
    let client = scenario.client(node);
    let chosen = until(PATIENCE, "a decision", async || {
        let chosen = client
            .resolve_conflict(listing, "/deleted", hash, tag)
            .await;
        known(chosen)
    });
    let chosen = chosen.await.expect("a quorum").expect("accepted");
    assert_eq!(chosen.body["data"], json!([]));
}

/// Holds a night, as soon as its group answers.
async fn hold(scenario: &Scenario, node: u64, listing: &str) -> Result<Answer, CallError> {
    let (client, key) = (scenario.client(node), key());
    let held = until(PATIENCE, "a hold", async || {
        known(client.hold(listing, &stay(5), &key).await)
    });
    held.await.expect("a quorum")
}

/// An answer, unless asking again may have another.
fn known(answer: Result<Answer, CallError>) -> Option<Result<Answer, CallError>> {
    match answer {
        Err(error) if error.is_retryable() => None,
        known => Some(known),
    }
}

/// The code of a refusal.
fn code(answer: Result<Answer, CallError>) -> String {
    match answer {
        Err(CallError::Problem(problem)) => problem.code,
        other => panic!("no problem: {other:?}"),
    }
}
