//! A node that is a whole cluster, and a client of its API.

use std::sync::Arc;

use jiff::ToSpan;
use meridian_consensus::Source;
use meridian_consensus_core::{Close, Command, Ledger, Op, Outcome};
use meridian_regions::{Genesis, ListingId};
use meridian_replication_core::ListingDraft;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::booking::Errand;
use crate::clock;
use crate::config::Config;
use crate::request_id::RequestId;
use crate::solo::Solo;

/// What a request was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    /// Null where there is none.
    pub(super) body: Value,
}

/// See the module.
pub(super) struct Caller {
    pub(super) solo: Solo,
    url: String,
    http: Client,
}

impl Caller {
    pub(super) async fn start() -> Self {
        Self::start_with(|_config| ()).await
    }

    /// The same, with other settings.
    pub(super) async fn start_with(settings: impl FnOnce(&mut Config)) -> Self {
        let solo = Solo::start_with(settings);
        let url = solo.serve(crate::api::router(Arc::clone(&solo.node))).await;
        let http = Client::builder().no_proxy().build().expect("a client");
        Self { solo, url, http }
    }

    /// A request that is still to be sent.
    pub(super) fn asking(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A request to another port of this machine.
    pub(super) fn asking_at(&self, url: &str, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{url}{path}"))
    }

    /// Where the API listens.
    pub(super) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Sends a request; every one has a key of its own, unless it is named.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Answer {
        let fresh = format!("{:032x}", rand::random::<u128>());
        let mut request = self.asking(method, path);
        request = request.header("Idempotency-Key", key.unwrap_or(&fresh));
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, None).await
    }

    /// Deletes what has this entity tag.
    pub(super) async fn delete_matching(&self, path: &str, tag: &str) -> Answer {
        let request = self.asking(Method::DELETE, path);
        read(request.header("If-Match", tag)).await
    }

    /// Chooses among what is in conflict under this entity tag.
    pub(super) async fn choose(&self, listing: &ListingId, body: Value, tag: &str) -> Answer {
        let url = format!("{}/v1/listings/{listing}/conflicts", self.url);
        read(self.http.post(url).header("If-Match", tag).json(&body)).await
    }

    /// The ledger of a listing, through its group.
    pub(super) async fn ledger(&self, listing: &ListingId) -> Arc<Ledger> {
        let genesis = self.founded(listing);
        let request = RequestId::from_text("test");
        let read = self.solo.node.bookings.read(errand(&genesis, &request));
        read.await.expect("a quorum")
    }

    /// Closes the ledger of a listing, as its deletion begins.
    pub(super) async fn close(&self, listing: &ListingId) {
        let genesis = self.founded(listing);
        let request = RequestId::from_text("test");
        let close = Command::new(Op::Close(Close {}), None);
        let closed = self
            .solo
            .node
            .bookings
            .propose(errand(&genesis, &request), close);
        let closed = closed.await.expect("a quorum");
        assert!(matches!(closed.outcome(), Outcome::Closed(_)));
    }

    fn founded(&self, listing: &ListingId) -> Genesis {
        let genesis = self.solo.node.replica.genesis(listing);
        genesis.expect("readable").expect("founded")
    }

    /// A listing with these fields beside the required ones. Not by the API, whose
    /// listings survive more than a node.
    pub(super) async fn listing(&self, fields: Value) -> ListingId {
        let mut draft = json!({
            "title": "Loft",
            "location": {"lat": 59.91, "lon": 10.75},
            "capacity": 4,
            "nightly_price": {"amount": 12_900, "currency": "EUR"},
        });
        if let (Value::Object(draft), Value::Object(fields)) = (&mut draft, fields) {
            draft.extend(fields);
        }
        let draft = ListingDraft::from_json(draft).and_then(|draft| draft.validate());
        let genesis = self.solo.genesis();
        let id = genesis.listing.clone();
        let replica = &self.solo.node.replica;
        let made = replica.create(&id, &draft.expect("valid"), genesis).await;
        made.expect("created");
        id
    }

    pub(super) async fn stop(self) {
        drop(self.http);
        self.solo.stop().await;
    }
}

fn errand<'a>(genesis: &'a Genesis, request: &'a RequestId) -> Errand<'a> {
    Errand {
        genesis,
        request,
        source: Source::Background,
        deadline: Instant::now() + Duration::from_secs(30),
    }
}

async fn read(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("sent");
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after");
    let retry_after = retry_after.map(|wait| wait.to_str().expect("text").to_owned());
    let bytes = answer.bytes().await.expect("a body");
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Answer {
        status,
        retry_after,
        body,
    }
}

/// One night, `days` from now, for two.
pub(super) fn night(days: i64) -> Value {
    let check_in = clock::date_utc(clock::now()).saturating_add(days.days());
    let check_out = check_in.saturating_add(1.day());
    json!({"check_in": check_in, "check_out": check_out, "guests": 2})
}

/// The same, to be booked at once.
pub(super) fn booking(listing: &ListingId, days: i64) -> Value {
    let mut body = night(days);
    body["listing_id"] = json!(listing);
    body["payment_method"] = json!("card_ok");
    body
}
