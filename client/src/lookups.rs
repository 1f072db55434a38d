//! Looking up what has happened: to a request, and to a listing.

use reqwest::Method;

use crate::client::{Answer, Client};
use crate::error::CallError;
use crate::send::Call;

impl Client {
    /// `GET /v1/outcomes/{key}`: what became of a request to `listing` with that key,
    /// after [`CallError::Unknown`] and without repeating it. The body's `outcome` is
    /// `committed`, `rejected` or `unknown`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn outcome(&self, key: &str, listing: &str) -> Result<Answer, CallError> {
        let path = format!("/v1/outcomes/{key}?listing_id={listing}");
        self.send(Call::new(Method::GET, path)).await
    }

    /// `GET /v1/listings/{id}/history`, one page.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn history(&self, id: &str, cursor: Option<&str>) -> Result<Answer, CallError> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/listings/{id}/history?limit=100{cursor}");
        self.send(Call::new(Method::GET, path)).await
    }
}
