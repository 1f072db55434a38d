//! What the fake answers: results, and refusals with the slugs of the contract.

use serde_json::{Value, json};

/// An answer that is no refusal.
#[derive(Debug, Clone)]
pub(super) struct Fine {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) etag: Option<String>,
    pub(super) replayed: bool,
}

impl Fine {
    pub(super) const fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            body,
            etag: None,
            replayed: false,
        }
    }
}

/// Why something was not done.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) pointer: Option<&'static str>,
}

pub(super) type Told = Result<Fine, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            pointer: None,
        }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, "not-found", what)
    }

    /// A field of the body, or a parameter, that is not valid.
    pub(super) fn field(pointer: &'static str, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer),
            ..Self::new(422, "validation", detail)
        }
    }

    /// Seconds after which to come back.
    pub(super) const fn retry_after(&self) -> Option<u64> {
        if self.is_retryable() { Some(1) } else { None }
    }

    /// Whether a ledger keeps it with the request's key.
    pub(super) fn is_verdict(&self) -> bool {
        matches!(
            self.code,
            "slot-taken" | "hold-expired" | "payment-declined"
        )
    }

    const fn is_retryable(&self) -> bool {
        self.status == 503
    }

    pub(super) fn to_json(&self) -> Value {
        let errors: Vec<Value> = self
            .pointer
            .iter()
            .map(|pointer| json!({"pointer": pointer, "detail": self.detail}))
            .collect();
        json!({
            "type": format!("/problems/{}", self.code),
            "title": self.code,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.is_retryable(),
            "errors": errors,
        })
    }
}
