//! What a node says of the cluster.

use serde_json::{Value, json};

use super::{by_name, nodes, number, one_of, truth};
use crate::api::openapi::schemas::{count, list, maybe, object, of, text};
use crate::api::openapi::texts::{Instant, Listing, MapChange, NodeNumber, NodeState, Region};

pub(super) fn all() -> Value {
    json!({
        "Nodes": object("Every node.", json!({
            "cluster": text(), "epoch": count(), "chaos": truth(),
            "seen_by": NodeNumber::schema(), "data": list(member()),
        })),
        "RegionsStanding": object("Every region.", json!({
            "seen_by": NodeNumber::schema(), "data": list(region()),
        })),
        "Drain": wish("node", NodeNumber::schema()),
        "Drains": object("Nodes that are freed.", json!({
            "drains": list(of("Drain")), "moves_under_way": count(),
        })),
        "Rebalance": wish("region", maybe(Region::schema())),
        "Rebalances": object("Groups that go to where they would be placed now.", json!({
            "rebalances": list(of("Rebalance")), "moves_under_way": count(),
        })),
        "Topology": topology(),
        "Map": object("The cluster's map. One that goes by files has no `genesis`.", json!({
            "genesis?": text(), "map": of("Topology"), "staged?": list(MapChange::schema()),
            "revision?": count(), "running_epoch": count(), "stale?": text(),
        })),
        "Plan": plan(),
        "Upgrade": upgrade(),
    })
}

fn member() -> Value {
    object(
        "A node, as this one sees it; of one that was removed less is told.",
        json!({
            "node": NodeNumber::schema(), "region": Region::schema(), "zone": maybe(text()),
            "state": NodeState::schema(),
            "standing": one_of(&["this", "up", "silent", "unheard", "removed"]),
            "last_error?": maybe(text()), "rtt_ms?": maybe(number()), "phi?": maybe(number()),
            "lag_ms?": maybe(count()), "lacks?": maybe(count()), "left_behind?": truth(),
            "shards_held?": count(), "votes_on?": maybe(count()),
            "api": maybe(text()), "admin": maybe(text()),
        }),
    )
}

fn region() -> Value {
    object(
        "A region, as this node sees it.",
        json!({
            "id": Region::schema(), "latitude": number(), "longitude": number(),
            "health": one_of(&["healthy", "degraded", "unreachable", "empty"]),
            "nodes_total": count(), "nodes_up": count(), "lag_ms": maybe(count()), "rtt_ms": maybe(number()),
        }),
    )
}

/// What groups are moved for.
fn wish(of_what: &str, schema: Value) -> Value {
    let mut wish = json!({
        "began_at": Instant::schema(), "moved": count(), "left": count(), "walking": truth(),
        "done_at": maybe(Instant::schema()), "last_error": maybe(text()),
    });
    wish[of_what] = schema;
    object("How that goes.", wish)
}

fn topology() -> Value {
    let region = object(
        "A region, and where it lies.",
        json!({"id": Region::schema(), "latitude": number(), "longitude": number()}),
    );
    let node = object(
        "A node, and how it is reached.",
        json!({
            "id": NodeNumber::schema(), "region": Region::schema(), "zone": text(), "peer": text(),
            "api": text(), "admin": text(), "state": NodeState::schema(),
        }),
    );
    object(
        "A map of the cluster.",
        json!({
            "cluster": text(), "epoch": count(), "region_voters": {"type": "integer", "enum": [3, 5]},
            "format_level?": count(), "regions": list(region), "nodes": list(node),
        }),
    )
}

fn plan() -> Value {
    let stops = object(
        "Listings whose bookings stop while the region is lost.",
        json!({
            "now": count(), "then": count(),
            "first_now": maybe(Listing::schema()), "first_then": maybe(Listing::schema()),
        }),
    );
    let moves = object(
        "A listing that moves.",
        json!({"listing_id": Listing::schema(), "home_region": Region::schema(), "from": nodes(), "to": nodes()}),
    );
    let plan = object(
        "What it costs. Behind a listing, by `moves_after`, the listings that move and nothing else.",
        json!({
            "epoch": count(), "listings?": count(), "moving?": count(), "lost?": count(),
            "unplaceable?": count(), "unplaceable_why?": maybe(text()), "if_lost?": by_name(stops),
            "moves": list(moves), "moves_next": maybe(Listing::schema()), "ledgers_sent?": count(),
            "ledger_bytes_estimated?": maybe(count()), "ledgers_measured?": count(),
            "documents_sent?": count(), "document_bytes_estimated?": maybe(count()),
        }),
    );
    object(
        "What the changes that wait will cost.",
        json!({
            "plan": plan, "changes": list(MapChange::schema()), "revision": count(),
            "now?": of("Topology"), "then?": of("Topology"),
        }),
    )
}

fn upgrade() -> Value {
    let speaker = object(
        "A node, and what it speaks.",
        json!({
            "node": NodeNumber::schema(), "region": Region::schema(), "state": NodeState::schema(),
            "heard": truth(), "error": maybe(text()), "release?": text(), "oldest?": count(),
            "latest?": count(), "active?": count(),
        }),
    );
    let finalize = object(
        "The next level.",
        json!({
            "level": maybe(count()), "blocked_by": list(text()), "automatic_after_seconds": maybe(count()),
        }),
    );
    let restart = object(
        "Whether a node may be started again now.",
        json!({"safe": truth(), "blocked_by": list(text())}),
    );
    object(
        "What every node speaks, as this one has heard it.",
        json!({
            "cluster": text(), "epoch": count(), "running_epoch": count(), "keeps_its_map": truth(),
            "seen_by": NodeNumber::schema(), "active": count(), "nodes": list(speaker),
            "finalize": finalize, "restart": restart, "busy": list(text()),
        }),
    )
}
