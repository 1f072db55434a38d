//! A watch finds its way, and goes on where it broke: in paused time.

use std::sync::Arc;

use crate::wire::scripted::{Scripted, Then};
use crate::{Client, Session};

const ONE: &str = "http://one";
const OTHER: &str = "http://other";

/// A client of two endpoints, with the session of an earlier answer.
fn scripted(
    one: impl IntoIterator<Item = Then>,
    other: impl IntoIterator<Item = Then>,
) -> (Scripted, Client) {
    let wire = Scripted::default();
    wire.at(ONE, one);
    wire.at(OTHER, other);
    let builder = Client::builder().seed(ONE).seed(OTHER);
    let builder = builder.session(Session::of("before"));
    let client = builder.wire(Arc::new(wire.clone())).build();
    (wire, client.expect("a client"))
}

#[tokio::test(start_paused = true)]
async fn watch_is_opened_at_the_next_endpoint_where_one_is_silent_hangs_up_or_is_busy() {
    let open = Then::Stream;
    for then in [
        Then::NotSent,
        Then::HangUp,
        Then::Silence,
        Then::Refuse("overloaded", 503, Some(5)),
        Then::Refuse("session-behind", 503, Some(1)),
    ] {
        let (wire, client) = scripted([then.clone()], [open.clone()]);
        let opened = client.watch("lst_x").await;
        opened.unwrap_or_else(|error| panic!("{then:?}: {error}"));
        assert_eq!(wire.asked(), [ONE, OTHER], "{then:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_was_silent_to_a_watch_is_left_by_the_next_call_too() {
    let answer = Then::at_once(serde_json::json!({}));
    let open = Then::Stream;
    let (wire, client) = scripted([Then::Silence], [open, answer]);
    client.watch("lst_x").await.expect("open");
    client.listing("lst_x").await.expect("read");
    assert_eq!(wire.asked(), [ONE, OTHER, OTHER]);
}

#[tokio::test(start_paused = true)]
async fn watch_is_within_the_session() {
    let open = Then::Stream.seen("after");
    let (wire, client) = scripted([open], [Then::NotSent]);
    client.watch("lst_x").await.expect("open");
    assert_eq!(wire.seen()[0].headers["meridian-session"], "before");
    assert_eq!(client.session().token().as_deref(), Some("after"));
}
