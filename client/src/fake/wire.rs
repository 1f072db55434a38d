//! The wire to a cluster in memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use tokio::time::sleep;

use super::asked::token;
use super::refusal::Told;
use super::world::World;
use crate::wire::{Lost, Reply, Request, Wire};

#[derive(Debug)]
pub(super) struct FakeWire(pub(super) Arc<Mutex<World>>);

/// What becomes of a request, decided as it arrives.
struct Fate {
    result: Result<Reply, Lost>,
    round_trip: Duration,
}

impl Wire for FakeWire {
    fn exchange(&self, request: Request) -> BoxFuture<'static, Result<Reply, Lost>> {
        let fate = self.arrive(&request);
        Box::pin(async move {
            if !fate.round_trip.is_zero() {
                sleep(fate.round_trip).await;
            }
            fate.result
        })
    }
}

impl FakeWire {
    fn arrive(&self, request: &Request) -> Fate {
        let mut world = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = world.place_of(&request.url) else {
            return Fate {
                result: Err(Lost::NotSent(format!("nobody listens at {}", request.url))),
                round_trip: Duration::ZERO,
            };
        };
        let region = world.at(place);
        let round_trip = region.round_trip;
        if region.cut {
            let result = Err(Lost::NotSent(format!("{} is cut off", region.name)));
            return Fate { result, round_trip };
        }
        let is_probe = request.url.ends_with("/v1/regions");
        let name = region.name.clone();
        let mut is_lost = false;
        if !is_probe {
            region.requests += 1;
            is_lost = region.answers_to_lose > 0;
            region.answers_to_lose = region.answers_to_lose.saturating_sub(1);
        }
        let (told, seen) = world.answer(place, request);
        let result = if is_lost {
            Err(Lost::NoAnswer(format!("{name} has lost its answer")))
        } else {
            Ok(reply(told, &name, seen))
        };
        Fate { result, round_trip }
    }
}

fn reply(told: Told, region: &str, seen: u64) -> Reply {
    let mut headers = HeaderMap::new();
    let mut state = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    state("meridian-session", &token(seen));
    state("meridian-served-by", &format!("{region}/1"));
    let (status, body) = match told {
        Ok(fine) => {
            if let Some(etag) = &fine.etag {
                state("etag", etag);
            }
            if fine.replayed {
                state("idempotent-replayed", "true");
            }
            (fine.status, fine.body)
        }
        Err(refusal) => {
            if let Some(wait) = refusal.retry_after() {
                state("retry-after", &wait.to_string());
            }
            (refusal.status, refusal.to_json())
        }
    };
    let bytes = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    Reply {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: Box::pin(stream::iter([Ok(bytes)])),
    }
}
