//! Changes of the map at a node that is the whole cluster.

use std::sync::Arc;

use meridian_client::AdminClient;
use serde_json::{Value, json};

use crate::admin;
use crate::solo::Solo;

async fn stage(admin: &AdminClient, region: &str) {
    let region = json!({"id": region, "latitude": 0.0, "longitude": 0.0});
    let change = json!({"change": "add-region", "region": region});
    admin.stage_layout(&change).await.expect("it waits");
}

/// Puts what waits in force; answers the code of what refused it.
async fn applied(admin: &AdminClient, epoch: u64) -> Result<Value, String> {
    let applied = admin.apply_layout(epoch).await;
    applied.map_err(|error| error.code().expect("with a code").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_was_done_is_not_called_undone_when_it_is_repeated_though_overtaken_since() {
    let solo = Solo::start();
    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    let admin = AdminClient::new(url).expect("a client");
    admin.found_layout().await.expect("founded");
    let unknown = || Err("outcome-unknown".to_owned());
    stage(&admin, "us-east").await;
    let early = applied(&admin, 3).await;
    assert_eq!(
        early,
        Err("precondition-failed".to_owned()),
        "never planned"
    );
    applied(&admin, 2).await.expect("in force");
    assert_eq!(applied(&admin, 2).await, unknown(), "its answer was lost");
    stage(&admin, "ap-southeast").await;
    applied(&admin, 3).await.expect("in force");
    assert_eq!(applied(&admin, 2).await, unknown(), "overtaken as well");
    // What waits by now is not meant.
    stage(&admin, "sa-east").await;
    assert_eq!(applied(&admin, 2).await, unknown());
    let layout = admin.layout().await.expect("shown");
    assert_eq!(
        (
            &layout["map"]["epoch"],
            layout["staged"].as_array().map(Vec::len)
        ),
        (&json!(3), Some(1))
    );
    admin.revert_layout().await.expect("nothing waits");
    let nothing = applied(&admin, 4).await;
    assert_eq!(
        nothing,
        Err("validation".to_owned()),
        "there is no change to apply"
    );
    drop(admin);
    solo.stop().await;
}
