//! Reading page after page, as a stream.
//!
//! A page is asked for when its first item is wanted, with the retries of any read. An
//! error ends the stream; for events, the cursor of the last page is where to go on from.

use futures::future::BoxFuture;
use futures::stream::{self, Stream, TryStreamExt};
use serde_json::Value;

use crate::answer::Answer;
use crate::client::Client;
use crate::error::CallError;

/// A page of events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// CloudEvents, in order for each listing.
    pub events: Vec<Value>,
    /// Where to go on from once these have been dealt with.
    pub next_cursor: String,
}

/// Where a walk over pages stands.
enum Place {
    At(Option<String>),
    End,
}

impl Client {
    /// Every booking of a listing, in the order of their numbers. What is booked meanwhile
    /// is told too.
    pub fn every_booking_of<'a>(
        &'a self,
        id: &'a str,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + 'a {
        items(move |cursor| Box::pin(async move { self.bookings_of(id, cursor.as_deref()).await }))
    }

    /// Every change of a listing, oldest first.
    pub fn whole_history<'a>(
        &'a self,
        id: &'a str,
    ) -> impl Stream<Item = Result<Value, CallError>> + Send + 'a {
        items(move |cursor| Box::pin(async move { self.history(id, cursor.as_deref()).await }))
    }

    /// Pages of events from a cursor on, or from the oldest that is kept, of one listing or
    /// of all that the region knows; ends when there are no more for now. Deal with a
    /// page's events, then keep its cursor: after a crash they come again, and nothing is
    /// passed over.
    ///
    /// A cursor of all listings belongs to its region: `cursor-elsewhere` says where to go on
    /// if the client uses another region by now.
    pub fn event_pages<'a>(
        &'a self,
        listing: Option<&'a str>,
        cursor: Option<String>,
    ) -> impl Stream<Item = Result<EventPage, CallError>> + Send + 'a {
        stream::try_unfold(Place::At(cursor), move |place| async move {
            let Place::At(cursor) = place else {
                return Ok(None);
            };
            let answer = self.events(listing, cursor.as_deref()).await?;
            let next_cursor = answer.body["next_cursor"].as_str().map(str::to_owned);
            let next_cursor =
                next_cursor.ok_or_else(|| unreadable("a page of events has no cursor"))?;
            let place = match answer.body["has_more"].as_bool() {
                Some(true) => Place::after(next_cursor.clone(), cursor.as_deref())?,
                _ => Place::End,
            };
            let events = data_of(answer)?;
            let page = EventPage {
                events,
                next_cursor,
            };
            Ok(Some((page, place)))
        })
    }
}

impl Place {
    /// Goes on, if that is a step: a cursor that stays would never end.
    fn after(next: String, cursor: Option<&str>) -> Result<Self, CallError> {
        if cursor == Some(next.as_str()) {
            return Err(unreadable(
                "the cursor of the next page is that of this one",
            ));
        }
        Ok(Self::At(Some(next)))
    }
}

/// The items of all pages that `ask` answers, from the first one to the one that names no
/// next.
pub(crate) fn items<'a>(
    ask: impl Fn(Option<String>) -> BoxFuture<'a, Result<Answer, CallError>> + Clone + Send + 'a,
) -> impl Stream<Item = Result<Value, CallError>> + Send + 'a {
    let pages = stream::try_unfold(Place::At(None), move |place| {
        let ask = ask.clone();
        async move {
            let Place::At(cursor) = place else {
                return Ok(None);
            };
            let answer = ask(cursor.clone()).await?;
            let place = match answer.body["next_cursor"].as_str() {
                Some(next) => Place::after(next.to_owned(), cursor.as_deref())?,
                None => Place::End,
            };
            let data = data_of(answer)?;
            let data = stream::iter(data.into_iter().map(Ok::<_, CallError>));
            Ok::<_, CallError>(Some((data, place)))
        }
    });
    pages.try_flatten()
}

fn data_of(answer: Answer) -> Result<Vec<Value>, CallError> {
    let mut body = answer.body;
    match body.get_mut("data").map(Value::take) {
        Some(Value::Array(data)) => Ok(data),
        _ => Err(unreadable("a page has no data")),
    }
}

fn unreadable(what: &str) -> CallError {
    CallError::Decode(what.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::TryStreamExt;
    use serde_json::{Value, json};

    use crate::wire::scripted::{Scripted, Then};
    use crate::{CallError, Client};

    fn client(pages: &[Value]) -> (Scripted, Client) {
        let wire = Scripted::default();
        wire.at("http://here", pages.iter().cloned().map(Then::at_once));
        let builder = Client::builder().seed("http://here");
        let client = builder.wire(Arc::new(wire.clone())).build();
        (wire, client.expect("a client"))
    }

    #[tokio::test(start_paused = true)]
    async fn every_item_comes_once_and_in_order() {
        let (wire, client) = client(&[
            json!({"data": [1, 2], "next_cursor": "b"}),
            json!({"data": [], "next_cursor": "c"}),
            json!({"data": [3], "next_cursor": null}),
        ]);
        let items: Vec<Value> = client
            .every_booking_of("lst_x")
            .try_collect()
            .await
            .expect("read");
        assert_eq!(items, [1, 2, 3]);
        let urls: Vec<String> = wire.seen().into_iter().map(|request| request.url).collect();
        assert!(!urls[0].contains("cursor"), "{urls:?}");
        assert!(
            urls[1].ends_with("&cursor=b") && urls[2].ends_with("&cursor=c"),
            "{urls:?}"
        );
        assert_eq!(urls.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cursor_that_does_not_move_ends_with_an_error() {
        let page = json!({"data": [1], "next_cursor": "a", "has_more": true});
        let (_wire, client) = client(std::slice::from_ref(&page));
        let read: Result<Vec<Value>, _> = client.whole_history("lst_x").try_collect().await;
        assert!(matches!(read, Err(CallError::Decode(_))), "{read:?}");
        let read: Result<Vec<_>, _> = client.event_pages(None, None).try_collect().await;
        assert!(matches!(read, Err(CallError::Decode(_))), "{read:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn events_end_when_there_are_no_more_for_now_and_leave_a_cursor() {
        let (wire, client) = client(&[
            json!({"data": ["one"], "next_cursor": "b", "has_more": true}),
            json!({"data": ["two"], "next_cursor": "c", "has_more": false}),
        ]);
        let pages = client.event_pages(None, Some("a".to_owned()));
        let pages: Vec<_> = pages.try_collect().await.expect("read");
        assert_eq!(pages.len(), 2);
        assert_eq!(pages[1].next_cursor, "c");
        assert!(wire.seen()[0].url.ends_with("&cursor=a"));
    }
}
