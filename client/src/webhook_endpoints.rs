//! Managing webhook endpoints. What receivers need is in [`crate::webhook`].

use http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::course::Repeat;
use crate::error::CallError;

const PATH: &str = "/v1/webhook-endpoints";

/// What is delivered to an endpoint once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayFrom {
    /// What was given up.
    Parked,
    /// Everything that is kept.
    Oldest,
    /// What a region has told behind a cursor of `GET /v1/events`.
    Cursor(String),
}

impl Client {
    /// `POST /v1/webhook-endpoints`: events of these types, or of all if there are none, are
    /// posted to `url` from now on. The body's `secret` is shown this once. Not repeated when its
    /// answer is lost: it would make two.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn add_webhook(&self, url: &str, types: &[String]) -> Result<Answer, CallError> {
        let body = json!({"url": url, "types": types});
        self.send(Call::new(Method::POST, PATH).body(body)).await
    }

    /// `GET /v1/webhook-endpoints`: all of them.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn webhooks(&self) -> Result<Answer, CallError> {
        self.send(Call::get(PATH)).await
    }

    /// `GET /v1/webhook-endpoints/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn webhook(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::get(format!("{PATH}/{id}"))).await
    }

    /// `PATCH /v1/webhook-endpoints/{id}`: of `url`, `types` and `enabled`, what is to be
    /// different. Not repeated when its answer is lost: it would undo what somebody else has
    /// changed since.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn change_webhook(&self, id: &str, patch: Value) -> Result<Answer, CallError> {
        let call = Call::new(Method::PATCH, format!("{PATH}/{id}"));
        self.send(call.body(patch)).await
    }

    /// `DELETE /v1/webhook-endpoints/{id}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn remove_webhook(&self, id: &str) -> Result<Answer, CallError> {
        let mut call = Call::new(Method::DELETE, format!("{PATH}/{id}"));
        call.repeat = Repeat::Idempotent;
        self.send(call).await
    }

    /// `POST /v1/webhook-endpoints/{id}/test`: posts one event that has not happened; the body's
    /// `delivered` says whether it was taken.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn test_webhook(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::new(Method::POST, format!("{PATH}/{id}/test")))
            .await
    }

    /// `GET /v1/webhook-endpoints/{id}/deliveries`: parked ones first, then those that are tried
    /// again, then the latest.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn webhook_deliveries(&self, id: &str) -> Result<Answer, CallError> {
        self.send(Call::get(format!("{PATH}/{id}/deliveries")))
            .await
    }

    /// `POST /v1/webhook-endpoints/{id}/replay`. Twice is not the same as once, so that it is not
    /// repeated when its answer is lost.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn replay_webhook(&self, id: &str, from: ReplayFrom) -> Result<Answer, CallError> {
        let body = match from {
            ReplayFrom::Parked => json!({"from": "parked"}),
            ReplayFrom::Oldest => json!({"from": "oldest"}),
            ReplayFrom::Cursor(cursor) => json!({"from": "cursor", "cursor": cursor}),
        };
        let call = Call::new(Method::POST, format!("{PATH}/{id}/replay"));
        self.send(call.body(body)).await
    }
}
