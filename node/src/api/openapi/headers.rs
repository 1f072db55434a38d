//! Headers of requests and answers, as components of the document.

use serde_json::{Value, json};

use crate::api::body::KEY_BYTES_MAX;

/// One entity tag, weak or strong.
const TAG: &str = r#"(W/)?"[!#-~]*""#;
/// Longest session token, in bytes of text.
const TOKEN_CHARS_MAX: usize = meridian_replication_core::limits::SESSION_TOKEN_BYTES_MAX;

/// What an idempotency key looks like: HTTP takes spaces from the ends of a header.
pub(super) fn key() -> Value {
    let inner = KEY_BYTES_MAX - 2;
    json!({
        "type": "string",
        "pattern": format!("^[!-~]([ -~]{{0,{inner}}}[!-~])?$"),
        "minLength": 1,
        "maxLength": KEY_BYTES_MAX,
    })
}

fn asked(name: &str, required: bool, what: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "required": required, "description": what, "schema": schema})
}

/// Headers of requests.
pub(super) fn of_requests() -> Value {
    let text = json!({"type": "string"});
    let level = "^(eventual|session|linearizable|bounded; ?max-staleness-ms=(0|[1-9][0-9]{0,17}))$";
    let level = json!({"type": "string", "pattern": level});
    let token = json!({"type": "string", "minLength": 2, "maxLength": TOKEN_CHARS_MAX, "pattern": "^[A-Za-z0-9_-]+$"});
    let tags =
        json!({"type": "string", "minLength": 1, "pattern": format!(r"^(\*|{TAG}(, ?{TAG})*)$")});
    let entries = [
        asked(
            "Idempotency-Key",
            true,
            "Makes the request safe to repeat: the same key and body have the first answer again, through any region, for at least 24 hours.",
            &key(),
        ),
        asked(
            "Meridian-Session",
            false,
            "The token of an earlier answer: what that answer had seen is seen.",
            &token,
        ),
        asked(
            "Meridian-Consistency",
            false,
            "How fresh a read is to be.",
            &level,
        ),
        asked(
            "If-Match",
            false,
            "Done only to what has this entity tag.",
            &tags,
        ),
        asked(
            "If-None-Match",
            false,
            "Answered with 304 if it has this entity tag.",
            &text,
        ),
        asked(
            "Last-Event-ID",
            false,
            "The id of the last event that was seen.",
            &text,
        ),
    ];
    // A name of its own where the header is not to be left out.
    let chosen = asked(
        "If-Match",
        true,
        "The entity tag of the conflicts that were shown, or `*`.",
        &tags,
    );
    let named = entries.into_iter().map(|entry| {
        let name = entry["name"].as_str().unwrap_or_default().to_owned();
        (name, entry)
    });
    let mut named: serde_json::Map<String, Value> = named.collect();
    named.insert("Seen".to_owned(), chosen);
    Value::Object(named)
}

fn told(required: bool, what: &str, schema: &Value) -> Value {
    json!({"required": required, "description": what, "schema": schema})
}

/// Headers of answers.
pub(super) fn of_answers() -> Value {
    let text = json!({"type": "string"});
    let count = json!({"type": "integer", "minimum": 0});
    let level =
        json!({"type": "string", "enum": ["eventual", "session", "bounded", "linearizable"]});
    json!({
        "Meridian-Session": told(true, "What this answer has seen, to be sent with the next request.", &text),
        "Meridian-Served-By": told(true, "`<region>/<node>` that answered.", &text),
        "X-Request-Id": told(true, "The request's id, as the log of the node has it.", &text),
        "Meridian-Consistency": told(true, "How fresh the answer is.", &level),
        "Meridian-Staleness-Ms": told(false, "How far this region may be behind the others, in milliseconds.", &count),
        "ETag": told(true, "Stands for what was read.", &text),
        "Location": told(true, "Where it is found.", &text),
        "Link": told(false, "The next page, `rel=\"next\"`.", &text),
        "Cache-Control": told(true, "Whether it may be kept.", &text),
        "Idempotent-Replayed": told(false, "`true` on an answer that was given before.", &json!({"type": "string", "enum": ["true"]})),
        "Retry-After": told(false, "Seconds until the same request may be sent again.", &count),
        "WWW-Authenticate": told(true, "Which credentials are taken.", &text),
    })
}
