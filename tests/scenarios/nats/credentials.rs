//! Credentials that are rotated while nodes run.

use meridian_chaos::WanPlan;
use tempfile::TempDir;

use super::accounts::Accounts;
use super::server::Server;
use super::{STREAM, all_in_the_stream, book_all};
use crate::harness::{LINK_DIVISOR, Scenario};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_were_rotated_are_what_the_next_connection_shows() {
    if !Server::is_there() {
        return;
    }
    let accounts = Accounts::new();
    let [onlooker, old, new] = [(); 3].map(|()| accounts.user());
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("stream.creds");
    std::fs::write(&file, &old.credentials).expect("a writable folder");
    let everybody = accounts.configuration(&[]);
    let mut server = Server::guarded(&everybody, &onlooker.credentials).await;
    assert!(server.connect_by(None).await.is_err(), "it is guarded");

    let settings = [
        format!("nats.url={}", server.url()),
        format!("nats.stream={STREAM}"),
        format!("nats.credentials_file={}", file.display()),
        "events.attempt_deadline_ms=2000".to_owned(),
    ];
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let scenario = Scenario::start_with(plan, settings.into()).await;
    let mut listings = Vec::new();
    for home in 1..=3 {
        listings.push(scenario.listing_at_home(home).await);
    }
    book_all(&scenario, &listings, 30).await;
    all_in_the_stream(&scenario, &server, &listings).await;

    // Everybody is connected with what is revoked now.
    std::fs::write(&file, &new.credentials).expect("a writable folder");
    server.kill().await;
    server.configure(&accounts.configuration(&[&old]));
    server.run().await;
    let refused = server.connect_by(Some(&old.credentials)).await;
    assert!(refused.is_err(), "it is revoked");
    book_all(&scenario, &listings, 40).await;
    all_in_the_stream(&scenario, &server, &listings).await;
    scenario.stop().await;
}
