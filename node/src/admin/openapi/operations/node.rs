//! One node: whether it is well, what it was told, what it writes, and its backups.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admin::openapi::{DOCUMENT, PAGE, STYLE};
use crate::admin::{backups, import, log_filter};
use crate::api::openapi::operation::Operation;
use crate::api::openapi::paths::Described;
use crate::api::openapi::schemas::{object, text};
use crate::api::problem::Slug;

const HEALTH: &str = "Health";
const NODE: &str = "Node";
const DESCRIPTION: &str = "Description";
const LOG_FILTER: &str = "/admin/v1/log-filter";
const BACKUPS: &str = "/admin/v1/backups";
const CERTIFICATES: &str = "/admin/v1/certificates";
const PLAIN: &str = "text/plain";

pub(super) fn all() -> Vec<Described> {
    let mut all = health();
    all.extend(looks());
    all.extend(acts());
    all.extend(descriptions());
    all
}

fn plain() -> Option<(&'static str, Value)> {
    Some((PLAIN, text()))
}

fn health() -> Vec<Described> {
    let live = Operation::new(HEALTH, "readLiveness", "Ask whether the process answers")
        .answers_as(StatusCode::OK, "It does.", plain());
    let checks = json!({"type": "object", "additionalProperties": {"type": "boolean"}});
    let verbose = object(
        "Which checks hold.",
        json!({"ready": {"type": "boolean"}, "checks": checks}),
    );
    let content = vec![("application/json", verbose), (PLAIN, text())];
    let ready = Operation::new(
        HEALTH,
        "readReadiness",
        "Ask whether clients are to be sent here",
    )
    .flag("verbose", "Says which checks hold, as JSON.")
    .answers_in(StatusCode::OK, "They are.", content.clone())
    .answers_in(StatusCode::SERVICE_UNAVAILABLE, "They are not.", content);
    let metrics = Operation::new(HEALTH, "readMetrics", "Read the metrics").answers_as(
        StatusCode::OK,
        "Prometheus' text format 0.0.4.",
        plain(),
    );
    vec![
        (Method::GET, "/livez", live),
        (Method::GET, "/readyz", ready),
        (Method::GET, "/metrics", metrics),
    ]
}

fn looks() -> Vec<Described> {
    let status = Operation::new(
        NODE,
        "readStatus",
        "Read what can still be lost, what is wrong, and how the node is",
    )
    .answers(StatusCode::OK, "The verdict first.", "Status");
    let config = Operation::new(NODE, "readConfig", "Read what the node was told").answers(
        StatusCode::OK,
        "Without secrets.",
        "Config",
    );
    let tail = Operation::new(NODE, "readLogTail", "Read the latest lines of the log").answers_as(
        StatusCode::OK,
        "Lines, the oldest first.",
        plain(),
    );
    let filter = Operation::new(NODE, "readLogFilter", "Read which lines go to the log").answers(
        StatusCode::OK,
        "The filter that stands.",
        "LogFilter",
    );
    let backups = Operation::new(NODE, "readBackups", "Read how the node's backups stand").answers(
        StatusCode::OK,
        "Its part of the latest one.",
        "Backups",
    );
    let certificates = Operation::new(
        NODE,
        "readCertificates",
        "Read which certificates are in force",
    )
    .answers(
        StatusCode::OK,
        "Those of the node, and of its links.",
        "Certificates",
    );
    vec![
        (Method::GET, "/admin/v1/status", status),
        (Method::GET, "/admin/v1/config", config),
        (Method::GET, "/admin/v1/log-tail", tail),
        (Method::GET, LOG_FILTER, filter),
        (Method::GET, BACKUPS, backups),
        (Method::GET, CERTIFICATES, certificates),
    ]
}

fn acts() -> Vec<Described> {
    let change = Operation::new(NODE, "changeLogFilter", "Write other lines for a while")
        .body::<log_filter::Wish>()
        .answers(StatusCode::OK, "The filter that stands.", "LogFilter");
    let put_back = Operation::new(NODE, "putBackLogFilter", "Write the configured lines again")
        .answers(StatusCode::OK, "The filter that stands.", "LogFilter");
    let begin = Operation::new(NODE, "beginBackup", "Send the node's part of a backup")
        .body::<backups::Wish>()
        .answers(
            StatusCode::ACCEPTED,
            "It is under way: read it by `GET`.",
            "BackupBegun",
        )
        .answers(
            StatusCode::OK,
            "It was told by `complete` that the backup is.",
            "BackupKnown",
        );
    let reload = Operation::new(
        NODE,
        "reloadCertificates",
        "Look at the files of certificates now",
    )
    .answers(
        StatusCode::OK,
        "What is in force now, and what was refused.",
        "Certificates",
    );
    let import = Operation::new(NODE, "importListings", "Make listings of rows")
        .body::<import::Rows>()
        .or(&[Slug::OutcomeUnknown])
        .answers(
            StatusCode::OK,
            "What has come of them; every taken row is durable.",
            "Imported",
        );
    vec![
        (Method::PUT, LOG_FILTER, change),
        (Method::DELETE, LOG_FILTER, put_back),
        (Method::POST, BACKUPS, begin),
        (Method::POST, "/admin/v1/certificates/reload", reload),
        (Method::POST, "/admin/v1/import", import),
    ]
}

fn descriptions() -> Vec<Described> {
    let read = |id, summary, media, schema| {
        Operation::new(DESCRIPTION, id, summary).answers_as(
            StatusCode::OK,
            "It.",
            Some((media, schema)),
        )
    };
    let document = read(
        "readOperatorDescription",
        "Read this description",
        "application/json",
        json!({"type": "object"}),
    );
    let page = read(
        "readOperatorDescriptionAsPage",
        "Read this description as a page",
        "text/html",
        text(),
    );
    let style = read(
        "readStyleOfOperatorPage",
        "Read how that page looks",
        "text/css",
        text(),
    );
    vec![
        (Method::GET, DOCUMENT, document),
        (Method::GET, PAGE, page),
        (Method::GET, STYLE, style),
    ]
}
