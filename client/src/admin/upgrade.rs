//! Upgrades, by the operator API.

use serde_json::{Value, json};

use super::AdminClient;
use crate::CallError;

impl AdminClient {
    /// `GET /admin/v1/upgrade`: what every node speaks, and what keeps the next level of formats
    /// from being turned on.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn upgrade(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/upgrade").await
    }

    /// `POST /admin/v1/upgrade/finalize`: a level is written from now on, by a map of the epoch
    /// that was seen. May be repeated.
    ///
    /// # Errors
    /// [`CallError`]: among others, which node does not speak it.
    pub async fn finalize_upgrade(&self, epoch: u64, level: u64) -> Result<Value, CallError> {
        let seen = json!({"epoch": epoch, "level": level});
        self.post("/admin/v1/upgrade/finalize", &seen).await
    }
}
