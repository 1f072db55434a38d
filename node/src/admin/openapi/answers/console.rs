//! What the console shows, and what nodes of test clusters say.

use serde_json::{Value, json};

use super::{by_name, nodes, number, one_of, truth, whole};
use crate::api::openapi::schemas::{count, list, maybe, object, of, text};
use crate::api::openapi::texts::{Instant, Listing, NodeNumber, NodeState, Region};

pub(super) fn all() -> Value {
    let point = object(
        "A point, and at which hit from now on it kills; 0 is never.",
        json!({"name": text(), "hits_left": count()}),
    );
    let by = || {
        object(
            "Who tells it.",
            json!({"node": NodeNumber::schema(), "region": Region::schema()}),
        )
    };
    json!({
        "Failpoint": point,
        "Failpoints": object("Every point.", json!({"failpoints": list(of("Failpoint"))})),
        "Clock": object("What the clock shows, and how wrong that is.", json!({
            "shows": Instant::schema(), "offset_ms": whole(), "rate_ppm": whole(),
        })),
        "Snapshot": object("The cluster at a moment, as one node sees it.", json!({
            "at": Instant::schema(), "at_ms": count(), "cluster": text(), "by": by(),
            "scope": one_of(&["node", "cluster"]), "banner": banner(), "regions": list(of("Region")),
            "groups": groups(), "series": series(), "events": list(of("Event")),
            "nodes": list(of("NodeInFigures")),
        })),
        "SnapshotPart": object("A part of it: `data` is what stands there under its name.", json!({
            "at": Instant::schema(), "by": by(), "data": {},
        })),
        "NodeInFigures": node(),
        "ListingInRegions": listing(),
    })
}

fn banner() -> Value {
    object(
        "How the cluster is, in a sentence.",
        json!({
            "level": one_of(&["well", "watch", "act"]), "word": text(), "headline": text(),
            "facts": list(text()),
        }),
    )
}

fn groups() -> Value {
    let leads = object(
        "What a region leads.",
        json!({
            "region": Region::schema(), "led": count(), "at_home": count(), "misplaced": count(),
            "by_home": by_name(count()),
        }),
    );
    let misplaced = object(
        "A group that another region should lead.",
        json!({
            "listing_id": Listing::schema(), "home": maybe(Region::schema()),
            "led_by": NodeNumber::schema(), "led_in": Region::schema(),
        }),
    );
    object(
        "Groups awake.",
        json!({"by_leader": list(leads), "misplaced": list(misplaced)}),
    )
}

fn series() -> Value {
    let counts = || list(count());
    object(
        "What became of requests, the oldest bar first.",
        json!({
            "bucket_seconds": count(), "ends_at": count(), "booked": counts(), "held": counts(),
            "cancelled": counts(), "taken": counts(), "unanswered": counts(),
        }),
    )
}

fn node() -> Value {
    let figures = object(
        "By the names that its own API gives them.",
        json!({
            "version": text(), "listings": count(), "documents_hot": count(), "groups_awake": count(),
            "groups_led": count(), "payments_open": count(), "payments_stuck": count(),
            "writes_queued": count(), "staleness_ms": maybe(count()), "entries_logged": count(),
            "entries_applied": count(), "quarantined": count(), "log_bytes": count(),
        }),
    );
    let link = object(
        "How it stands to another.",
        json!({
            "node": count(), "region": text(), "connected": truth(), "reachable": truth(),
            "rtt_ms": maybe(number()), "rtt_deviation_ms": maybe(number()), "phi": maybe(number()),
            "lag_ms": maybe(count()), "bytes_sent": count(), "entries_sent": count(), "last_error": maybe(text()),
        }),
    );
    object(
        "A node; null is what it has not told.",
        json!({
            "node": NodeNumber::schema(), "region": Region::schema(), "zone": text(),
            "state": NodeState::schema(), "figures": maybe(figures), "links": maybe(list(link)),
        }),
    )
}

fn listing() -> Value {
    let standing = object(
        "What can be compared.",
        json!({
            "serves": truth(), "home": maybe(Region::schema()), "goal_revision": count(),
            "etag": maybe(text()), "deleted": truth(), "changes": count(),
            "heads": list(text()), "role": maybe(text()), "term": maybe(count()),
            "leader": maybe(count()), "voters": nodes(), "last_log_index": maybe(count()),
            "applied_index": maybe(count()), "revision": maybe(count()),
        }),
    );
    let stands = object(
        "How it stands on a node.",
        json!({"node": NodeNumber::schema(), "region": Region::schema(), "standing": maybe(standing)}),
    );
    let document = object(
        "Its document.",
        json!({
            "told_by": NodeNumber::schema(), "title": text(), "changes_total": count(),
            "changes": list(of("Change")), "conflicts": list(of("Conflict")),
        }),
    );
    let ledger = object(
        "Its ledger. Reservations are as bookings are, with their numbers; blocks stand among them.",
        json!({
            "told_by": NodeNumber::schema(), "log_index": count(), "revision": count(),
            "time": Instant::schema(), "reservations_total": count(),
            "reservations": list(json!({"type": "object"})),
        }),
    );
    object(
        "A listing in every region.",
        json!({
            "at": Instant::schema(), "listing_id": Listing::schema(), "home": maybe(Region::schema()),
            "nodes": list(stands), "document": maybe(document), "ledger": maybe(ledger),
        }),
    )
}
