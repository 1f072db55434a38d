//! Transfers at a node of its own, which leads everything.

use std::sync::Arc;

use meridian_client::{AdminClient, CallError};

use crate::admin;
use crate::solo::Solo;

#[tokio::test(flavor = "multi_thread")]
async fn transfer_is_refused_with_what_to_do_and_changes_nothing_for_who_leads() {
    let solo = Solo::start();
    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    let admin = AdminClient::new(url).expect("a client");
    let unknown = solo.genesis().listing.to_string();
    let unknown = admin.transfer(&unknown, 1).await;
    assert_eq!(unknown.expect_err("refused").code(), Some("not-found"));

    let listing = solo.listing("Loft", 59.91).await.listing.to_string();
    let led = admin.transfer(&listing, 1).await.expect("it leads already");
    assert_eq!(led["leader"], 1);
    let stranger = admin.transfer(&listing, 9).await;
    let Err(CallError::Problem(problem)) = stranger else {
        panic!("not refused: {stranger:?}");
    };
    assert_eq!(problem.errors[0].pointer, "/to");
    assert_eq!(problem.errors[0].detail, "no node of this cluster");
    drop(admin);
    solo.stop().await;
}
