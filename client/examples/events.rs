//! Reads on in a region's events from where the last run has stopped: each one at least
//! once, whatever crashes in between.
//!
//! `cargo run --workspace --example events -- http://127.0.0.1:7400 /var/tmp/cursor`

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::error::Error;
use std::pin::pin;

use futures::TryStreamExt;
use meridian_client::{Client, ClientOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(endpoint), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("give the URL of an API and a file for the cursor".into());
    };
    // A cursor belongs to its region: a client of one endpoint stays there.
    let client = Client::new(ClientOptions::new(endpoint))?;
    let cursor = match std::fs::read_to_string(&file) {
        Ok(cursor) => Some(cursor),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let mut pages = pin!(client.event_pages(None, cursor));
    while let Some(page) = pages.try_next().await? {
        for event in &page.events {
            println!("{event}");
        }
        // Only now: what was told and not kept is told again.
        std::fs::write(&file, page.next_cursor)?;
    }
    Ok(())
}
