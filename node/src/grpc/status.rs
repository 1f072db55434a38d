//! Problems of REST as statuses of gRPC, and headers as metadata.

use axum::body::Bytes;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tonic::metadata::{BinaryMetadataValue, MetadataKey, MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// Trailer with the whole problem, JSON.
const PROBLEM: &str = "meridian-problem-bin";
/// Longest problem in a trailer: clients take 8 KiB of headers, all in all.
const PROBLEM_BYTES_MAX: usize = 4_096;

/// A refusal. Its message begins with the problem's code.
pub(super) fn of(status: StatusCode, headers: &HeaderMap, problem: Bytes) -> Status {
    let read: Value = serde_json::from_slice(&problem).unwrap_or_default();
    let slug = read["code"].as_str().unwrap_or("internal");
    let detail = read["detail"].as_str().unwrap_or("no detail");
    let mut answer = Status::new(code(status, slug), format!("{slug}: {detail}"));
    let told = [
        RETRY_AFTER.as_str(),
        "meridian-session",
        "meridian-served-by",
        "ratelimit",
        "ratelimit-policy",
        WWW_AUTHENTICATE.as_str(),
        "x-request-id",
    ];
    *answer.metadata_mut() = metadata(headers, &told);
    if problem.len() <= PROBLEM_BYTES_MAX {
        let whole = BinaryMetadataValue::from_bytes(&problem);
        answer.metadata_mut().insert_bin(PROBLEM, whole);
    }
    answer
}

/// The code that says the same. What happened is unknown only where the problem says so.
fn code(status: StatusCode, slug: &str) -> Code {
    match (status, slug) {
        (_, "idempotency-in-flight") => Code::Aborted,
        (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, _)
        | (StatusCode::PAYLOAD_TOO_LARGE, _) => Code::InvalidArgument,
        (StatusCode::UNAUTHORIZED, _) => Code::Unauthenticated,
        (StatusCode::FORBIDDEN, _) => Code::PermissionDenied,
        (StatusCode::NOT_FOUND, _) => Code::NotFound,
        (StatusCode::PAYMENT_REQUIRED | StatusCode::CONFLICT | StatusCode::GONE, _)
        | (StatusCode::PRECONDITION_FAILED | StatusCode::MISDIRECTED_REQUEST, _) => {
            Code::FailedPrecondition
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => Code::ResourceExhausted,
        (StatusCode::SERVICE_UNAVAILABLE, _) => Code::Unavailable,
        (StatusCode::GATEWAY_TIMEOUT, _) => Code::DeadlineExceeded,
        _ => Code::Internal,
    }
}

/// Headers of these names as metadata.
pub(super) fn metadata(headers: &HeaderMap, names: &[&str]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for name in names {
        let value = headers.get(*name).map(|value| value.as_bytes());
        let value = value.and_then(|bytes| MetadataValue::try_from(bytes).ok());
        let key = MetadataKey::from_bytes(name.as_bytes()).ok();
        if let (Some(key), Some(value)) = (key, value) {
            metadata.insert(key, value);
        }
    }
    metadata
}
