//! Goals of listings came with a level of formats: before it is on nobody writes one, since a node may
//! be put back to a release that reads none.

use meridian_client::CallError;
use meridian_regions::FormatLevel;
use serde_json::{Value, json};

use super::{WELL, checked, upgrade};
use crate::goals::{change, explained};
use crate::harness::{Scenario, book_surely, sold, stay};
use crate::layout::command;

/// What whoever wants another goal is told.
const SAYS: &str = "`meridian upgrade finalize` turns it on";

async fn asked(scenario: &Scenario, node: u64, listing: &str) -> Result<Value, CallError> {
    let admin = scenario.cluster.admin(node).expect("a node");
    admin.set_goal(listing, Some("eu-west"), None, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn goal_is_refused_with_what_to_do_until_its_level_is_on() {
    let scenario = Scenario::with_one_map_of(FormatLevel::FIRST, Vec::new()).await;
    let (status, said) = upgrade(&scenario, 1, "init").await;
    assert_eq!(status, Some(0), "{said}");
    let listing = scenario.listing_at_home(1).await;
    let booked = book_surely(&scenario.client(2), &listing, &stay(10)).await;
    booked.expect("nobody else wants it");

    for node in [1, 2, 3] {
        let refused = asked(&scenario, node, &listing).await;
        let refused = refused.expect_err("it is not on");
        assert_eq!(refused.code(), Some("precondition-failed"), "{refused}");
        assert!(refused.to_string().contains(SAYS), "{refused}");
    }
    let home = ["listing", "set-home", &listing, "eu-west", "--dry-run"];
    let (shown, said) = command(&scenario, 1, &home).await;
    assert!(!shown && said.contains(SAYS), "{said}");
    let seen = explained(&scenario, 1, &listing).await.expect("known");
    assert_eq!(seen["goal_revision"], json!(0));

    checked(&scenario, 2, WELL, "level 2 can be turned on").await;
    let (status, said) = upgrade(&scenario, 2, "finalize").await;
    assert_eq!(status, Some(WELL), "{said}");
    let moved = change(&scenario, 3, &listing, ("eu-west", "region")).await;
    assert_eq!(moved["after"]["revision"], 1, "{moved}");
    let booked = book_surely(&scenario.client(3), &listing, &stay(11)).await;
    booked.expect("nobody else wants it");
    assert_eq!(sold(&scenario.client(2), &listing).await.len(), 2);
    scenario.stop().await;
}
