//! What a node says of itself.

use serde_json::{Value, json};

use super::{by_name, nodes, number, one_of, truth};
use crate::api::openapi::schemas::{count, list, maybe, object, of, text};
use crate::api::openapi::texts::{Instant, NodeNumber, Region};

pub(super) fn all() -> Value {
    let mut all = json!({
        "Config": object("What the node was told.", json!({
            "version": text(), "config": by_name(json!({})), "topology": of("Topology"),
        })),
        "LogFilter": object("Which lines go to the log.", json!({
            "filter": text(), "configured": text(), "until": maybe(Instant::schema()),
        })),
        "Imported": imported(),
        "Status": status(),
        "Verdict": verdict(),
        "Certificates": certificates(),
    });
    if let (Value::Object(all), Value::Object(backups)) = (&mut all, backups()) {
        all.extend(backups);
    }
    all
}

fn imported() -> Value {
    let error = object(
        "A field that is wrong.",
        json!({"pointer": text(), "detail": text()}),
    );
    let rejected = object(
        "A row that is no listing.",
        json!({"index": count(), "errors": list(error)}),
    );
    object(
        "What has come of rows.",
        json!({"created": count(), "updated": count(), "unchanged": count(), "rejected": list(rejected)}),
    )
}

fn backups() -> Value {
    let known = || {
        object(
            "The latest backup that is complete, as far as this node was told.",
            json!({
                "backup": maybe(text()), "to?": text(), "began_at?": Instant::schema(),
                "missing?": nodes(), "age_seconds?": count(), "age_max_seconds": count(),
                "overdue": truth(),
            }),
        )
    };
    let file = object(
        "A file of a database.",
        json!({"database": text(), "name": text(), "bytes": count(), "hash": text()}),
    );
    let part = object(
        "What the node has added.",
        json!({"node": NodeNumber::schema(), "files": list(file), "files_sent": count(), "bytes_sent": count()}),
    );
    let run = object(
        "The node's part of a backup.",
        json!({
            "backup": text(), "state": one_of(&["running", "done", "failed"]),
            "files_done?": count(), "files?": count(), "bytes_sent?": count(), "part?": part, "format_level?": count(), "cause?": text(),
        }),
    );
    json!({
        "BackupKnown": maybe(known()),
        "BackupBegun": object("It is under way.", json!({"run": run.clone()})),
        "Backups": object("How the node's backups stand.", json!({
            "run": maybe(run), "map": text(), "to": list(text()), "latest": of("BackupKnown"),
        })),
    })
}

fn certificates() -> Value {
    let certificate = object(
        "A certificate.",
        json!({
            "what": text(), "serial": text(), "until": Instant::schema(),
            "key": maybe(text()), "issuer_key": maybe(text()),
        }),
    );
    let set = object(
        "Certificates that are read together.",
        json!({
            "certificates": list(certificate), "changes": count(), "since": Instant::schema(),
            "refused": maybe(text()),
        }),
    );
    let link = object(
        "A connection that this node has dialled.",
        json!({
            "node": NodeNumber::schema(), "connected": truth(), "outdated": truth(), "retiring": count(),
            "serial": maybe(text()), "issuer_key": maybe(text()), "until": maybe(Instant::schema()),
        }),
    );
    object(
        "What is in force.",
        json!({"sets": list(set), "outdated_links": count(), "links": list(link)}),
    )
}

/// The verdict: what can still be lost, and what is wrong.
fn verdict() -> Value {
    let left = || json!({"regions": maybe(count()), "nodes": maybe(count())});
    let margin = |more: Value| {
        let mut margin = left();
        margin["state"] = one_of(&["kept", "stopped", "nothing", "unknown"]);
        margin["of"] = object("If every node were up.", left());
        if let (Value::Object(margin), Value::Object(more)) = (&mut margin, more) {
            margin.extend(more);
        }
        object("How many more may be lost, whichever they are.", margin)
    };
    let loss = |of: Value| {
        maybe(object(
            "The loss that would cost most.",
            json!({"id": of, "stops": count(), "unreadable_shards": count(), "bares": count()}),
        ))
    };
    let problem = object(
        "Something that is wrong, and what to do.",
        json!({
            "kind": text(), "severity": one_of(&["notice", "warning", "critical"]),
            "node": maybe(NodeNumber::schema()), "region": maybe(Region::schema()), "what": text(),
            "since": maybe(Instant::schema()), "or_earlier": truth(), "do": text(), "runbook": text(),
        }),
    );
    let worst = json!({"region": loss(Region::schema()), "node": loss(NodeNumber::schema())});
    object(
        "What can still be lost, and what is wrong.",
        json!({
            "level": one_of(&["fine", "notice", "warning", "critical"]),
            "summary": text(),
            "seen_by": NodeNumber::schema(),
            "reads": margin(json!({})),
            "bookings": margin(json!({
                "listings": maybe(count()), "zone_only": maybe(count()), "stopped": count(),
                "bare": count(), "counted_at": maybe(Instant::schema()),
            })),
            "data": margin(json!({"writes_older_than_ms": maybe(count())})),
            "worst": object("The worst losses.", worst),
            "problems": list(problem),
        }),
    )
}

fn status() -> Value {
    let peer = object(
        "A link to another node.",
        json!({
            "node": NodeNumber::schema(), "region": Region::schema(), "connected": truth(),
            "alive_ms": maybe(count()), "reachable": truth(), "rtt_ms": maybe(number()),
            "rtt_deviation_ms": maybe(number()), "phi": maybe(number()),
        }),
    );
    let auth = object(
        "Whether callers prove who they are.",
        json!({
            "enabled": truth(), "warning?": text(), "token_keys?": maybe(count()),
            "api_keys?": maybe(count()), "public_reads?": truth(),
        }),
    );
    let returning = object(
        "On its way back without its records.",
        json!({"left": maybe(count()), "last_error": maybe(text()), "own_log": maybe(text())}),
    );
    object(
        "The verdict, and how the node is.",
        json!({
            "verdict": of("Verdict"),
            "node": NodeNumber::schema(), "region": Region::schema(), "cluster": text(), "version": text(),
            "listings": count(), "payments_open": count(), "payments_stuck": count(),
            "groups_awake": count(), "groups_led": count(), "documents_hot": count(),
            "writes_queued": count(), "staleness_ms": maybe(count()),
            "clock": object("Microseconds since 1970.", json!({"hybrid_us": count(), "wall_us": count()})),
            "auth": auth,
            "backups": of("BackupKnown"),
            "certificates": of("Certificates"),
            "peers": list(peer),
            "returning": maybe(returning),
            "moves_under_way": count(),
            "drains": list(of("Drain")),
            "rebalances": list(of("Rebalance")),
        }),
    )
}
