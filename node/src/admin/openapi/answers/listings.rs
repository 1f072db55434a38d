//! What a node says of listings, their groups, replication and payments.

use serde_json::{Value, json};

use super::{nodes, one_of, place, truth};
use crate::api::openapi::schemas::{count, list, maybe, object, of, page, text};
use crate::api::openapi::texts::{
    Booking, Change, Instant, Listing, NodeNumber, Region, ShardNumber, Survival, when,
};

pub(super) fn all() -> Value {
    let mut all = json!({
        "Explained": explained(),
        "GroupPlace": object("Where a group stands.", json!({
            "listing_id": Listing::schema(), "home_region": Region::schema(),
            "survival": Survival::schema(), "goal_revision": count(), "voters": nodes(),
            "leader": maybe(NodeNumber::schema()), "state": state(), "misplaced": maybe(text()),
        })),
        "Groups": page("A page; it may be short before the end.", "GroupPlace", json!({})),
        "Group": object("A group, as this node has it.", json!({
            "listing_id": Listing::schema(), "state": state(), "role": text(), "term": count(),
            "leader": maybe(NodeNumber::schema()), "last_log_index": maybe(count()),
            "applied_index": maybe(count()), "voters": nodes(), "misplaced": maybe(text()),
        })),
        "GroupLog": group_log(),
        "GroupLedger": object("A ledger; `bytes` are in base64.", json!({
            "listing_id": Listing::schema(), "applied_index": count(), "revision": count(), "bytes": text(),
        })),
        "Goal": goal(),
        "Led": object("Who leads.", json!({
            "listing_id": Listing::schema(), "leader": NodeNumber::schema(), "term": count(),
        })),
    });
    for more in [replication(), payments()] {
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
    }
    all
}

fn state() -> Value {
    one_of(&["awake", "asleep", "elsewhere", "lost", "unused"])
}

fn group_log() -> Value {
    let entry = object(
        "An entry; the payload of a command is in base64.",
        json!({
            "index": count(), "term": count(), "payload": text(),
            "kind": one_of(&["nothing", "command", "voters", "move-epoch", "goal"]),
        }),
    );
    object(
        "Entries, one behind the other.",
        json!({
            "listing_id": Listing::schema(), "applied_index": maybe(count()),
            "entries": list(entry), "next": count(),
        }),
    )
}

fn goal() -> Value {
    let aimed = || {
        object(
            "Who votes, and without which regions its bookings stop.",
            json!({
                "home_region": Region::schema(), "survival": Survival::schema(), "revision": count(),
                "voters": nodes(), "stops_without": list(Region::schema()),
            }),
        )
    };
    object(
        "A listing's goal before and after.",
        json!({
            "listing_id": Listing::schema(), "dry_run": truth(), "ledger_bytes": maybe(count()),
            "before": aimed(), "after": aimed(), "leave": nodes(), "come": nodes(),
        }),
    )
}

fn explained() -> Value {
    let value = object(
        "Who has written a value.",
        json!({
            "actor": maybe(NodeNumber::schema()), "region": place(), "time": Instant::schema(), "shown": truth(),
        }),
    );
    let conflict = object(
        "A field with more than one value.",
        json!({"field": text(), "rule": text(), "values": list(value)}),
    );
    let change = object(
        "A change.",
        json!({
            "hash": Change::schema(), "actor": maybe(NodeNumber::schema()), "region": place(),
            "time": Instant::schema(), "kind": text(),
        }),
    );
    let document = object(
        "The document here.",
        json!({
            "heads": maybe(text()), "deleted": truth(), "conflicts": list(conflict), "changes": list(change),
        }),
    );
    let said = json!({
        "document": text(), "replicas": text(), "voters": text(), "leader": text(), "group": text(),
        "bookings": text(), "burial": maybe(text()),
    });
    let burial = object(
        "What becomes of a listing that was deleted, by the word of the node that has it buried.",
        json!({
            "state": text(), "told_by": NodeNumber::schema(), "behind": nodes(), "unheard": nodes(),
        }),
    );
    let group = object(
        "Its group.",
        json!({
            "state": state(), "role": maybe(text()), "term": maybe(count()),
            "leader": maybe(NodeNumber::schema()), "voters": nodes(), "misplaced": maybe(text()),
            "applied_index": maybe(count()),
        }),
    );
    object(
        "Everything that is known of a listing.",
        json!({
            "listing_id": Listing::schema(), "seen_by": NodeNumber::schema(),
            "home_region": Region::schema(), "survival": Survival::schema(), "goal_revision": count(),
            "created_by": NodeNumber::schema(), "said": object("One sentence on each.", said),
            "document": document, "burial": maybe(burial), "replicas": list(replica()), "group": group, "bookings": bookings(),
        }),
    )
}

fn replica() -> Value {
    let group = object(
        "Its group there.",
        json!({
            "role": text(), "term": count(), "leader": maybe(NodeNumber::schema()),
            "last_log_index": maybe(count()), "applied_index": maybe(count()), "voters": nodes(),
        }),
    );
    object(
        "How it stands on a node.",
        json!({
            "node": NodeNumber::schema(), "region": Region::schema(), "holds": truth(), "reached": truth(),
            "error": maybe(text()), "heads": maybe(text()), "deleted": maybe(truth()),
            "lag_ms": maybe(count()), "group": maybe(group),
        }),
    )
}

fn bookings() -> Value {
    let reservation = object(
        "What takes nights.",
        json!({
            "number": count(), "state": one_of(&["held", "pending_payment", "confirmed", "blocked", "ended"]),
            "from": when(), "to": when(), "fencing_token": count(),
            "expires_at": maybe(Instant::schema()), "payment": maybe(text()),
        }),
    );
    let payment = object(
        "A payment that wants a step.",
        json!({"number": count(), "wants": text(), "since": Instant::schema()}),
    );
    let step = object(
        "A step, and when.",
        json!({"at": Instant::schema(), "number": count(), "step": text()}),
    );
    object(
        "What stands in its ledger; only a voter has more than `said`.",
        json!({
            "said": text(), "revision?": count(), "as_of?": maybe(Instant::schema()),
            "closed_at?": maybe(Instant::schema()), "standing?": count(),
            "reservations?": list(reservation), "payments?": list(payment), "latest_steps?": list(step),
        }),
    )
}

fn replication() -> Value {
    let lag = object(
        "How far this node is behind another.",
        json!({"origin": NodeNumber::schema(), "region": Region::schema(), "lag_ms": maybe(count())}),
    );
    let log = object(
        "What is kept for others.",
        json!({"entries": count(), "bytes": count(), "bytes_max": count(), "trimmed": count()}),
    );
    let follower = object(
        "What another node has of it.",
        json!({
            "node": NodeNumber::schema(), "region": Region::schema(), "lacks": maybe(count()),
            "left_behind": truth(), "advice": maybe(text()),
        }),
    );
    let way = object(
        "From whom it comes back.",
        json!({
            "peer": NodeNumber::schema(), "lacks": maybe(count()), "last_error": maybe(text()), "advice": text(),
        }),
    );
    let shards = object(
        "Numbers of shards.",
        json!({"held": list(ShardNumber::schema()), "served": list(ShardNumber::schema())}),
    );
    let digest = |more: Value| {
        let mut digest = json!({"digest": text()});
        if let (Value::Object(digest), Value::Object(more)) = (&mut digest, more) {
            digest.extend(more);
        }
        list(object("A digest.", digest))
    };
    json!({
        "Replication": object("How replication is.", json!({
            "lag": list(lag), "staleness_ms": maybe(count()), "entries_logged": count(),
            "entries_applied": count(), "quarantined": count(), "log": log,
            "followers": list(follower), "catching_up": list(way), "shards": shards,
            "placed_otherwise": nodes(),
        })),
        "Digests": object("By shard.", json!({
            "shards": digest(json!({"shard": ShardNumber::schema(), "listings": count()})),
        })),
        "ShardDigests": object("By listing.", json!({
            "listings": digest(json!({"id": Listing::schema()})),
        })),
        "Repair": object("A round. `shard` null is all of them.", json!({
            "round": count(), "shard": maybe(ShardNumber::schema()),
            "asked_by": one_of(&["schedule", "operator", "return", "left-behind"]),
            "state": one_of(&["waiting", "running", "done", "incomplete"]),
            "peers_done": count(), "peers": count(), "shards_done": count(), "shards": count(),
            "ranges_compared": count(), "bytes": count(), "differing": count(), "mended": count(),
            "refused": count(), "last_error": maybe(text()), "ended_at": maybe(Instant::schema()),
        })),
        "Repairs": object("Rounds that wait, run, or have ended lately.", json!({
            "repairs": list(of("Repair")), "every_minutes": count(), "last_done_at": maybe(Instant::schema()),
        })),
    })
}

fn payments() -> Value {
    let step = |more: Value| {
        let mut step = json!({
            "booking_id": Booking::schema(), "listing_id": Listing::schema(), "number": count(),
            "step": text(), "since": Instant::schema(), "age_seconds": count(),
        });
        if let (Value::Object(step), Value::Object(more)) = (&mut step, more) {
            step.extend(more);
        }
        object("A payment, and the step that it wants.", step)
    };
    let driven = step(json!({
        "owner": NodeNumber::schema(), "amount": of("Money"), "tries": count(), "stuck": truth(),
        "last_error": maybe(text()),
    }));
    json!({
        "PaymentStep": step(json!({})),
        "Payments": object("Those that this node drives, or waits to drive again.", json!({
            "sagas": list(driven),
        })),
        "GivenUp": object("Nobody drives it any more.", json!({
            "booking_id": Booking::schema(), "payment": {"const": "given_up"},
        })),
    })
}
