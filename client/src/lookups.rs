//! Looking up what has happened: to a request, and to a listing.

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::CallError;

impl Client {
    /// `GET /v1/outcomes/{key}`: what became of a request with that key, after
    /// [`CallError::Unknown`] and without repeating it. The body's `outcome` is
    /// `committed`, `rejected` or `unknown`. Who names the listing spares the cluster a
    /// search.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn outcome(&self, key: &str, listing: Option<&str>) -> Result<Answer, CallError> {
        let listing = listing.map_or_else(String::new, |listing| format!("?listing_id={listing}"));
        let path = format!("/v1/outcomes/{}{listing}", segment(key));
        self.send(Call::get(path)).await
    }

    /// `GET /v1/events`, one page: of one listing, or of all that the region knows. The
    /// body's `next_cursor` is where to go on from, at any endpoint of the same region.
    ///
    /// # Errors
    /// [`CallError`]; `events-gone` and `cursor-elsewhere` say where to go on.
    pub async fn events(
        &self,
        listing: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Answer, CallError> {
        let listing = listing.map_or_else(String::new, |listing| format!("&listing_id={listing}"));
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/events?limit=100{listing}{cursor}");
        self.send(Call::get(path)).await
    }

    /// `GET /v1/listings/{id}/history`, one page.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn history(&self, id: &str, cursor: Option<&str>) -> Result<Answer, CallError> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/listings/{id}/history?limit=100{cursor}");
        self.send(Call::get(path).hedged()).await
    }
}

/// A segment of a path: a key may hold what ends one, or begins something else.
fn segment(text: &str) -> String {
    let written: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // There a plus is a space, in a path it is itself.
    written.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::segment;

    #[test]
    fn key_is_asked_for_as_it_was_sent() {
        for key in ["order#42", "a?b=c", "a/b", "50%", "a+b c", "key_1"] {
            let url = format!("http://127.0.0.1/v1/outcomes/{}?listing_id=x", segment(key));
            let url = Url::parse(&url).expect("an address");
            let sent = url.path().rsplit('/').next().expect("a segment");
            let read = sent.replace('+', "%2B");
            let read = url::form_urlencoded::parse(read.as_bytes())
                .next()
                .expect("a key");
            assert_eq!(read.0, key);
            assert_eq!(url.query(), Some("listing_id=x"));
        }
    }
}
