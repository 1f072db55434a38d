//! Who asks, where the one that is asked and the one that answers are two nodes.

use axum::body::{Body, Bytes};
use axum::http::Request;
use meridian_chaos::until;
use meridian_regions::ListingId;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::caller::booking;
use super::{PATIENCE, Region};
use crate::auth::{Caller, Role, Roles, Who, new_key, written};
use crate::config::AuthSection;
use crate::relay::Asked;

/// A region of nodes that know the same keys.
struct Guarded {
    region: Region,
    keys: Vec<(&'static str, String)>,
    _folder: TempDir,
}

impl Guarded {
    async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("keys.toml");
        let people = [
            ("ann", Role::Guest),
            ("ben", Role::Guest),
            ("hal", Role::Host),
            ("hope", Role::Host),
        ];
        let (mut keys, mut text) = (Vec::new(), String::new());
        for (name, role) in people {
            let (key, record) = new_key(name, &[role], None).expect("a name");
            keys.push((name, key));
            text.push_str(&written(record));
        }
        std::fs::write(&path, text).expect("written");
        let region = Region::start_with(|config| {
            config.auth = Some(AuthSection {
                api_keys_file: path.clone(),
                ..AuthSection::default()
            });
        })
        .await;
        Self {
            region,
            keys,
            _folder: folder,
        }
    }

    async fn ask(
        &self,
        (node, who): (usize, Option<&str>),
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.region.urls[node - 1]);
        let fresh = format!("{:032x}", rand::random::<u128>());
        let mut request = self.region.http.request(method, url);
        request = request.header("Idempotency-Key", fresh);
        if let Some(name) = who {
            let key = self.keys.iter().find(|(known, _)| *known == name);
            let key = &key.expect("one of the people").1;
            request = request.header("Authorization", format!("ApiKey {key}"));
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// A listing of hal's, held by node 1.
    async fn listing(&self) -> ListingId {
        let draft = json!({
            "title": "Loft",
            "location": {"lat": 59.91, "lon": 10.75},
            "capacity": 4,
            "nightly_price": {"amount": 12_900, "currency": "EUR"},
            "survival": "zone",
        });
        let made = self.ask((1, Some("hal")), Method::POST, "/v1/listings", Some(draft));
        let (status, made) = made.await;
        assert_eq!((status, &made["owner"]), (201, &json!("hal")), "{made}");
        made["id"].as_str().expect("an id").parse().expect("an id")
    }

    /// What node 1 answers to a change of a listing that node 2 passes on for somebody.
    async fn passed_on(&self, listing: &ListingId, who: Option<Who>) -> u16 {
        let request = Request::patch(format!("/v1/listings/{listing}"));
        let (mut parts, _) = request.body(Body::empty()).expect("a request").into_parts();
        if let Some(who) = who {
            parts.extensions.insert(who);
        }
        let body = Bytes::from_static(b"{\"title\": \"Attic\"}");
        let asked = Asked::of(&parts, body, 7);
        let relay = &self.region.nodes[1].node.relay;
        let answer = relay.ask(Some(listing.shard()), asked).await;
        answer.expect("node 1 is there").status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_travels_with_a_request_and_is_judged_where_the_listing_is() {
    let guarded = Guarded::start().await;
    let listing = guarded.listing().await;
    let path = format!("/v1/listings/{listing}");
    let patch = || Some(json!({"title": "Attic"}));
    for (who, expected) in [
        (None, 401),
        (Some("ann"), 403),
        (Some("hope"), 403),
        (Some("hal"), 200),
    ] {
        let (status, told) = guarded.ask((2, who), Method::PATCH, &path, patch()).await;
        assert_eq!(status, expected, "{who:?}: {told}");
    }
    let book = booking(&listing, 20);
    let booked = guarded.ask((3, Some("ann")), Method::POST, "/v1/bookings", Some(book));
    let (status, booked) = booked.await;
    assert_eq!(status, 201, "{booked}");
    let path = format!(
        "/v1/bookings/{}",
        booked["booking_id"].as_str().expect("an id")
    );
    for (who, expected) in [("ann", 200), ("ben", 403), ("hal", 200), ("hope", 403)] {
        let (status, told) = guarded.ask((2, Some(who)), Method::GET, &path, None).await;
        assert_eq!(status, expected, "{who}: {told}");
    }
    // Every node tells a guest of it, once it has come there.
    for node in 1..=3 {
        let told = until(PATIENCE, "it is told", async || {
            let asked = guarded.ask((node, Some("ann")), Method::GET, "/v1/me/bookings", None);
            let (_, told) = asked.await;
            (told["data"][0]["state"] == "confirmed").then_some(told)
        })
        .await
        .expect("in time");
        assert_eq!(
            told["data"][0]["booking_id"], booked["booking_id"],
            "{told}"
        );
        assert_eq!(
            (&told["data"][1], &told["waiting_for"]),
            (&Value::Null, &json!([]))
        );
    }
    guarded.region.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_asks_for_no_credentials_vouches_for_nobody() {
    let guarded = Guarded::start().await;
    let listing = guarded.listing().await;
    let known = |name, role| {
        let caller = Caller::new(name, Roles::of([role])).expect("a name");
        Some(Who::Known(caller))
    };
    assert_eq!(guarded.passed_on(&listing, None).await, 401);
    assert_eq!(guarded.passed_on(&listing, Some(Who::Anybody)).await, 401);
    assert_eq!(guarded.passed_on(&listing, Some(Who::Nobody)).await, 401);
    assert_eq!(
        guarded.passed_on(&listing, known("hope", Role::Host)).await,
        403
    );
    assert_eq!(
        guarded.passed_on(&listing, known("hal", Role::Guest)).await,
        403
    );
    assert_eq!(
        guarded.passed_on(&listing, known("hal", Role::Host)).await,
        200
    );
    guarded.region.stop().await;
}
