//! Finding listings.

use futures::stream::Stream;
use serde::Serialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::CallError;
use crate::pages::items;

/// What is looked for: listings of which all of this is true. Nothing set is every listing.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Find {
    /// Words, all of which it has to have: in its title, place, amenities or description.
    pub q: Option<String>,
    /// Degrees north and east from where distances are measured: `59.91,10.75`.
    pub near: Option<String>,
    /// How far from there at most, in kilometres.
    pub radius_km: Option<f64>,
    /// West, south, east and north in degrees: `10.6,59.8,10.9,60.0`.
    pub bbox: Option<String>,
    /// First night, `YYYY-MM-DD`; what is known to be taken then is left out.
    pub check_in: Option<String>,
    /// The day after the last night.
    pub check_out: Option<String>,
    /// Guests that it has to take.
    pub guests: Option<u32>,
    /// Amenities, all of which it has to have, with commas in between.
    pub amenities: Option<String>,
    /// Least price, in minor units.
    pub price_min: Option<u64>,
    /// Highest price, in minor units.
    pub price_max: Option<u64>,
    /// Currency of the price.
    pub currency: Option<String>,
    /// Kind of room.
    pub room_type: Option<String>,
    /// `relevance`, `price` or `distance`.
    pub sort: Option<String>,
    /// Listings on a page, up to 100.
    pub limit: Option<u32>,
}

impl Find {
    fn path(&self, cursor: Option<&str>) -> Result<String, CallError> {
        #[derive(Serialize)]
        struct Asked<'a> {
            #[serde(flatten)]
            find: &'a Find,
            cursor: Option<&'a str>,
        }
        let asked = Asked { find: self, cursor };
        let query = serde_urlencoded::to_string(&asked)
            .map_err(|cause| CallError::Decode(cause.to_string()))?;
        Ok(format!("/v1/listings?{query}"))
    }
}

impl Client {
    /// `GET /v1/listings`, one page, within the session: it finds what the session has
    /// written. The body's `next_cursor` is where the next page begins.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn find(&self, find: &Find, cursor: Option<&str>) -> Result<Answer, CallError> {
        self.send(Call::get(find.path(cursor)?).hedged()).await
    }

    /// Every listing that is found, in order.
    pub fn find_all<'a>(
        &'a self,
        find: &'a Find,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + 'a {
        items(move |cursor| Box::pin(async move { self.find(find, cursor.as_deref()).await }))
    }
}

#[cfg(test)]
mod tests {
    use super::Find;

    #[test]
    fn only_what_is_set_is_sent() {
        let find = Find {
            q: Some("by the sea".to_owned()),
            guests: Some(2),
            ..Find::default()
        };
        let path = find.path(Some("AbC")).expect("plain data");
        assert_eq!(path, "/v1/listings?q=by+the+sea&guests=2&cursor=AbC");
        assert_eq!(
            Find::default().path(None).expect("plain data"),
            "/v1/listings?"
        );
    }
}
