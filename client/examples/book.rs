//! Books two nights through the nearest region of a running cluster, and cancels them.
//!
//! `cargo run --workspace --example book -- http://127.0.0.1:7400`; `meridian demo` runs a
//! cluster to try it on.

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::error::Error;

use meridian_client::{Client, IdempotencyKey, NewStay};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = Client::builder();
    for seed in std::env::args().skip(1) {
        builder = builder.seed(seed);
    }
    let client = builder.build()?;
    client.discover().await?;
    println!(
        "the nearest region is {}",
        client.region().unwrap_or_default()
    );

    let draft = json!({
        "title": "Loft by the river",
        "location": {"lat": 59.91, "lon": 10.75},
        "capacity": 4,
        "nightly_price": {"amount": 12_900, "currency": "EUR"},
    });
    let made = client.create_listing(draft).await?;
    let listing = made.body["id"].as_str().ok_or("a listing without an id")?;

    let stay = NewStay {
        check_in: "2030-06-01".to_owned(),
        check_out: "2030-06-03".to_owned(),
        guests: 2,
    };
    // Kept until the outcome is known: whatever happens, the same key asks again safely.
    let key = IdempotencyKey::fresh();
    let booked = match client.book(listing, &stay, "card_ok", &key).await {
        Err(error) if error.outcome_unknown() => {
            println!("nobody knows yet ({error}); asking what became of {key}");
            client.outcome(&key, Some(listing)).await?.body["answer"].clone()
        }
        told => told?.body,
    };
    println!("{booked:#}");
    if let Some(booking) = booked["booking_id"].as_str() {
        let cancelled = client.cancel(booking, &IdempotencyKey::fresh()).await?;
        println!("{:#}", cancelled.body);
    }
    Ok(())
}
