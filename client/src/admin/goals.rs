//! Where a listing is at home, and what its bookings survive.

use serde::Serialize;
use serde_json::{Value, json};

use super::AdminClient;
use crate::CallError;

/// What is asked of a listing's goal; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct GoalChange<'a> {
    /// Where it is to be at home.
    pub home_region: Option<&'a str>,
    /// What its bookings are to survive: `region` or `zone`.
    pub survival: Option<&'a str>,
    /// Revision of the goal that was seen; `None` for the one that the node knows. Earlier
    /// releases refuse a request that names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Whether nothing is to be done, only said what would be.
    pub dry_run: bool,
}

impl AdminClient {
    /// `POST /admin/v1/groups/{id}/goal`: has a listing be at home elsewhere, or survive
    /// something else, and its voters move; what is `None` stays. May be repeated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn set_goal(
        &self,
        listing: &str,
        home_region: Option<&str>,
        survival: Option<&str>,
        dry_run: bool,
    ) -> Result<Value, CallError> {
        let change = GoalChange {
            home_region,
            survival,
            dry_run,
            revision: None,
        };
        self.change_goal(listing, change).await
    }

    /// The same, upon a goal that was seen: `precondition-failed` if another one stands in its place
    /// by now, `outcome-unknown` if that stands upon one that may have come of the same call.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn change_goal(
        &self,
        listing: &str,
        change: GoalChange<'_>,
    ) -> Result<Value, CallError> {
        self.post(&format!("/admin/v1/groups/{listing}/goal"), &json!(change))
            .await
    }
}
