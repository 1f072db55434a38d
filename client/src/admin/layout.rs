//! The cluster's map, by the operator API.

use serde::Serialize;
use serde_json::{Value, json};

use super::AdminClient;
use crate::CallError;

impl AdminClient {
    /// `GET /admin/v1/layout`: the cluster's map, and the changes that wait.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn layout(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/layout").await
    }

    /// `POST /admin/v1/layout/found`: the cluster keeps its map itself from now on. May be
    /// repeated.
    ///
    /// # Errors
    /// [`CallError`]: among others, which node has not agreed.
    pub async fn found_layout(&self) -> Result<Value, CallError> {
        self.post("/admin/v1/layout/found", &json!({})).await
    }

    /// `POST /admin/v1/layout/staged`: one more change waits.
    ///
    /// # Errors
    /// [`CallError`]: among others, why the map cannot be changed so.
    pub async fn stage_layout(&self, change: &impl Serialize) -> Result<Value, CallError> {
        self.post("/admin/v1/layout/staged", &json!({"change": change}))
            .await
    }

    /// `DELETE /admin/v1/layout/staged`: nothing waits any more.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn revert_layout(&self) -> Result<(), CallError> {
        self.delete("/admin/v1/layout/staged").await
    }

    /// `GET /admin/v1/layout/plan`: what the changes that wait will cost, and the first of the
    /// listings that move.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn plan_layout(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/layout/plan").await
    }

    /// The listings that move by it and stand behind one: `moves_next` of the page before.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn plan_layout_after(&self, listing: &str) -> Result<Value, CallError> {
        self.get(&format!("/admin/v1/layout/plan?moves_after={listing}"))
            .await
    }

    /// `POST /admin/v1/layout/apply`: the changes that wait are in force, as the map of an
    /// epoch that a plan has named.
    ///
    /// # Errors
    /// [`CallError`]: among others, that others have changed the map since; `outcome-unknown` where
    /// a map of that epoch stands already, which may have come of the same call before.
    pub async fn apply_layout(&self, epoch: u64) -> Result<Value, CallError> {
        self.post("/admin/v1/layout/apply", &json!({"epoch": epoch}))
            .await
    }

    /// The same, and of the changes those alone that stand under a revision that a plan has named.
    ///
    /// # Errors
    /// [`CallError`]: among others, `precondition-failed` where others wait by now.
    pub async fn apply_layout_of(&self, epoch: u64, revision: u64) -> Result<Value, CallError> {
        let applied = json!({"epoch": epoch, "revision": revision});
        self.post("/admin/v1/layout/apply", &applied).await
    }
}
