//! What answers look like, as components of the document. Their truth is what the running
//! server is compared with (`tests/scenarios/openapi.rs`).
//!
//! Objects are open: a later version may say more.

use serde_json::{Map, Value, json};

use super::listings;
use super::texts::{
    Block, Booking, Change, CivilDate, CurrencyCode, Endpoint, EventType, Hold, Instant, Listing,
    Region, when,
};

/// Every component, by its name.
pub(crate) fn all() -> Value {
    let parts = [
        common(),
        listings::answers(),
        nights(),
        events(),
        guests(),
        regions(),
    ];
    let parts = parts.into_iter().filter_map(|part| match part {
        Value::Object(part) => Some(part),
        _ => None,
    });
    Value::Object(parts.flatten().collect())
}

/// An object of these properties, of which `?` at the end of a name says that it may be absent.
pub(crate) fn object(what: &str, properties: Value) -> Value {
    let Value::Object(properties) = properties else {
        return properties;
    };
    let mut required = Vec::new();
    let mut named = Map::new();
    for (name, schema) in properties {
        let name = match name.strip_suffix('?') {
            Some(name) => name.to_owned(),
            None => {
                required.push(name.clone());
                name
            }
        };
        named.insert(name, schema);
    }
    json!({"type": "object", "description": what, "required": required, "properties": named})
}

/// An object that takes no other properties.
pub(crate) fn closed(what: &str, properties: Value) -> Value {
    let mut object = object(what, properties);
    object["additionalProperties"] = json!(false);
    object
}

pub(crate) fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// A reference to another component.
pub(crate) fn of(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

pub(crate) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// The same, or null.
pub(crate) fn maybe(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// A page of something.
pub(crate) fn page(what: &str, of_what: &str, more: Value) -> Value {
    let mut properties = json!({"data": list(of(of_what)), "next_cursor": maybe(text())});
    if let (Value::Object(properties), Value::Object(more)) = (&mut properties, more) {
        properties.extend(more);
    }
    object(what, properties)
}

fn common() -> Value {
    let field = object(
        "A field that is wrong.",
        json!({"pointer": text(), "detail": text()}),
    );
    json!({
        "Problem": object("An error, as RFC 9457 has it. `code` says which; more fields may say more of it.", json!({
            "type": {"type": "string", "pattern": "^/problems/[a-z-]+$"},
            "title": text(),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text(),
            "instance": text(),
            "code": {"type": "string", "pattern": "^[a-z-]+$"},
            "request_id": text(),
            "retryable": {"type": "boolean"},
            "region": text(),
            "errors?": list(field),
        })),
        "Money": object("An amount in minor units.", json!({"amount": count(), "currency": CurrencyCode::schema()})),
    })
}

/// What a reservation is of, and more.
fn with(more: Value) -> Value {
    let mut all = json!({
        "listing_id": Listing::schema(),
        "hold_id": Hold::schema(),
        "check_in": when(),
        "check_out": when(),
        "guests": count(),
        "price": of("Money"),
        "quote": text(),
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

fn nights() -> Value {
    let free = |begins: &str, schema: Value| {
        let mut slot = json!({"free": count()});
        slot[begins] = schema;
        list(object("A slot, and how many units are free.", slot))
    };
    let states = json!({"type": "string", "enum": ["held", "pending_payment", "confirmed", "cancelled", "expired"]});
    let step = object(
        "A step, and when.",
        json!({"step": text(), "at": Instant::schema()}),
    );
    let payment = object(
        "The money, in minor units.",
        json!({
            "state": text(), "captured": count(), "refund": count(), "refunded": count(), "since": Instant::schema(),
        }),
    );
    json!({
        "Availability": object("Slot by slot: `nights` or `hours`, by what the listing is let.", json!({
            "listing_id": Listing::schema(),
            "as_of": Instant::schema(),
            "revision": count(),
            "quote": text(),
            "nights?": free("date", CivilDate::schema()),
            "hours?": free("from", Instant::schema()),
        })),
        "Held": object("What is kept, and until when.", with(json!({
            "expires_at": Instant::schema(), "fencing_token": count(),
        }))),
        "Confirmed": object("What is sold.", with(json!({
            "booking_id": Booking::schema(),
            "state": {"const": "confirmed"},
            "fencing_token": count(),
        }))),
        "Pending": object("What is being paid for: read the booking at `Location`.", with(json!({
            "booking_id": Booking::schema(),
            "state": {"const": "pending_payment"},
        }))),
        "Cancelled": object("What was given back.", json!({
            "booking_id": Booking::schema(),
            "listing_id": Listing::schema(),
            "state": {"const": "cancelled"},
            "refund": maybe(of("Money")),
        })),
        "Booking": object("A booking, and how it came to stand so.", with(json!({
            "booking_id": Booking::schema(),
            "state": states,
            "fencing_token": count(),
            "steps": list(step),
            "listing_etag?": text(),
            "expires_at?": Instant::schema(),
            "payment?": payment,
            "reason?": text(),
        }))),
        "Bookings": page("A page of bookings.", "Booking", json!({"waiting_for?": list(count())})),
        "Blocked": object("What is closed.", json!({
            "block_id": Block::schema(), "listing_id": Listing::schema(),
            "from": maybe(when()), "until": maybe(when()),
        })),
        "Outcome": object("What became of a request.", json!({
            "outcome": {"type": "string", "enum": ["committed", "rejected", "unknown"]},
            "answer?": {},
            "problem?": of("Problem"),
            "until?": Instant::schema(),
            "waiting_for?": list(count()),
        })),
    })
}

fn events() -> Value {
    let types = EventType::schema()["enum"].as_array().cloned();
    let mut types = types.unwrap_or_default();
    types.push(json!("events.missed"));
    let delivery = object(
        "What has become of an event.",
        json!({
            "state": {"type": "string", "enum": ["parked", "retrying", "delivered"]},
            "region": Region::schema(),
            "event_id": text(),
            "type": text(),
            "listing_id": Listing::schema(),
            "attempts": count(),
            "error?": text(),
            "at?": Instant::schema(),
            "next_attempt_at?": Instant::schema(),
        }),
    );
    let region = object(
        "How far a region has come.",
        json!({
            "region": Region::schema(), "cursor": text(), "delivered": count(),
            "parked": count(), "gaps": count(), "replayed": count(),
        }),
    );
    json!({
        "Event": object("A CloudEvent 1.0.", json!({
            "specversion": {"const": "1.0"},
            "id": text(),
            "source": text(),
            "type": {"type": "string", "enum": types},
            "subject?": text(),
            "time?": Instant::schema(),
            "sequence?": {"type": "string", "pattern": "^[0-9]{20}$"},
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object"},
        })),
        "Events": object("Events, and from where to go on.", json!({
            "data": list(of("Event")), "next_cursor": text(),
            "has_more": {"type": "boolean"}, "waiting_for": list(count()),
        })),
        "WebhookEndpoint": object("Where events are delivered.", json!({
            "id": Endpoint::schema(),
            "url": text(),
            "types": list(EventType::schema()),
            "enabled": {"type": "boolean"},
            "created_at": Instant::schema(),
            "secret?": text(),
            "copies?": count(),
        })),
        "WebhookEndpoints": object("All of them.", json!({"data": list(of("WebhookEndpoint"))})),
        "Tested": object("What came of an event that has not happened.", json!({
            "delivered": {"type": "boolean"}, "event_id": text(),
            "status": maybe(count()), "error": maybe(text()), "duration_ms": count(),
        })),
        "Replay": object("What is delivered again.", json!({
            "replay": count(), "from": {"type": "string", "enum": ["parked", "cursor", "oldest"]},
        })),
        "Deliveries": object("Parked ones first, then those that fail, then the latest.", json!({
            "data": list(delivery), "regions": list(region),
        })),
    })
}

fn guests() -> Value {
    json!({
        "Preferences": object("What a guest has stated.", json!({
            "near?": {"type": "object"},
            "nightly_price?": of("Money"),
            "amenities": list(text()),
            "room_type?": text(),
            "guests?": count(),
            "stay?": object("When.", json!({"check_in": CivilDate::schema(), "check_out": CivilDate::schema()})),
            "past_stays": list(Listing::schema()),
            "updated_at": Instant::schema(),
            "copies?": count(),
        })),
    })
}

fn regions() -> Value {
    let number = json!({"type": "number"});
    json!({
        "Region": object("A region, as this node sees it.", json!({
            "id": Region::schema(),
            "latitude": number,
            "longitude": number,
            "health": {"type": "string", "enum": ["healthy", "degraded", "unreachable"]},
            "nodes_total": count(),
            "nodes_reachable": count(),
            "rtt_ms": maybe(number.clone()),
            "rtt_deviation_ms": maybe(number.clone()),
            "phi": maybe(number.clone()),
            "endpoints": list(text()),
            "distance_km?": number,
        })),
        "Regions": object("Every region.", json!({"served_by": Region::schema(), "data": list(of("Region"))})),
        "Nearest": object("Every region, nearest first, and by what that is said.", json!({
            "basis": {"type": "string", "enum": ["coordinates", "geoip", "round-trip"]},
            "data": list(of("Region")),
        })),
        "Change": object("A change of a listing.", json!({
            "hash": Change::schema(),
            "parents": list(Change::schema()),
            "actor": maybe(count()),
            "region": maybe(Region::schema()),
            "time": Instant::schema(),
            "message": maybe(text()),
        })),
    })
}
