//! Loses a region under a client's feet, and shows that its session goes on. It needs no
//! cluster: it has one in memory, as the tests of a program would.
//!
//! `cargo run --workspace --example failover`

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::error::Error;
use std::time::Duration;

use meridian_client::fake::FakeCluster;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = FakeCluster::new(["eu-west", "us-east"]);
    cluster.set_round_trip("us-east", Duration::from_millis(80));
    let client = cluster.builder().deadline(Duration::from_secs(2)).build()?;
    client.discover().await?;
    let made = client.create_listing(json!({"title": "Loft"})).await?;
    let listing = made.body["id"].as_str().ok_or("a listing without an id")?;
    println!("made in {}", made.served_by.unwrap_or_default());

    // The other region has not seen the change when the first one goes.
    cluster.hold_back("us-east");
    client
        .patch_listing(listing, json!({"title": "Attic"}), None)
        .await?;
    cluster.cut("eu-west");
    match client.listing(listing).await {
        Err(error) if error.is_retryable() => {
            println!("rather an error than the old title: {error}")
        }
        told => return Err(format!("it went back in time: {told:?}").into()),
    }
    cluster.catch_up("us-east");
    let read = client.listing(listing).await?;
    println!(
        "{} read in {}",
        read.body["title"],
        read.served_by.unwrap_or_default()
    );
    Ok(())
}
