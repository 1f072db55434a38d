//! The console of a node of its own: what it gives, with what headers, and to how many.

mod figures;
mod page;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use meridian_regions::ListingId;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::clock;
use crate::solo::Solo;

/// Ample time for anything that should happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ends every element that a text could stand in, and begins a script.
const EVIL: &str =
    "</script></title></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;";

/// A node, and a browser of its two ports.
struct Visitor {
    solo: Solo,
    api: String,
    admin: String,
    http: Client,
}

impl Visitor {
    async fn start() -> Self {
        let solo = Solo::start();
        let api = solo.serve(crate::api::router(Arc::clone(&solo.node))).await;
        let admin = solo
            .serve(crate::admin::router(Arc::clone(&solo.node)))
            .await;
        let http = Client::builder().no_proxy().build().expect("a client");
        Self {
            solo,
            api,
            admin,
            http,
        }
    }

    /// What the admin port answers.
    async fn visit(&self, path: &str) -> Response {
        let asked = self.http.get(format!("{}{path}", self.admin));
        asked.send().await.expect("sent")
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.visit(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("JSON")
    }

    /// A listing that this node alone has.
    async fn listing(&self, title: &str) -> ListingId {
        self.solo.listing(title, 59.91).await.listing
    }

    /// Asks for a night under a key; answers the status.
    async fn book(&self, listing: &ListingId, key: &str) -> u16 {
        let check_in = clock::date_utc(clock::now());
        let check_in = check_in.tomorrow().expect("a date");
        let stay = json!({
            "listing_id": listing,
            "check_in": check_in,
            "check_out": check_in.tomorrow().expect("a date"),
            "guests": 2,
            "payment_method": "card_ok",
        });
        let asked = self.http.post(format!("{}/v1/bookings", self.api));
        let asked = asked.header("Idempotency-Key", key).json(&stay);
        asked.send().await.expect("sent").status().as_u16()
    }

    async fn stop(self) {
        drop(self.http);
        self.solo.stop().await;
    }
}
