//! Nodes that are drained, and regions that are put in balance, by the operator API.

use serde_json::{Value, json};

use super::AdminClient;
use crate::CallError;

impl AdminClient {
    /// `GET /admin/v1/drains`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn drains(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/drains").await
    }

    /// `POST /admin/v1/drains`: has this node free another of groups. May be repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn drain(&self, node: u64) -> Result<Value, CallError> {
        self.post("/admin/v1/drains", &json!({"node": node})).await
    }

    /// `DELETE /admin/v1/drains/{node}`. May be repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn give_up_drain(&self, node: u64) -> Result<(), CallError> {
        self.delete(&format!("/admin/v1/drains/{node}")).await
    }

    /// `GET /admin/v1/rebalances`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn rebalances(&self) -> Result<Value, CallError> {
        self.get("/admin/v1/rebalances").await
    }

    /// `POST /admin/v1/rebalances`: has this node move groups to where placement would put
    /// them now, within a region or everywhere. May be repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn rebalance(&self, region: Option<&str>) -> Result<Value, CallError> {
        self.post("/admin/v1/rebalances", &json!({"region": region}))
            .await
    }

    /// `DELETE /admin/v1/rebalances`. May be repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn give_up_rebalance(&self, region: Option<&str>) -> Result<(), CallError> {
        let query = region.map_or_else(String::new, |region| format!("?region={region}"));
        self.delete(&format!("/admin/v1/rebalances{query}")).await
    }
}
