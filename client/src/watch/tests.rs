//! A watch finds its way, and goes on where it broke: in paused time.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use tokio::time::timeout;

use crate::roster::Ranking;
use crate::wire::scripted::{End, ONE, OTHER, Scripted, Then, scripted};
use crate::{CallError, Client, ClientOptions, Session, Watch};

#[tokio::test(start_paused = true)]
async fn watch_is_opened_at_the_next_endpoint_where_one_is_silent_hangs_up_or_is_busy() {
    let open = Then::Stream(&[], End::Never);
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
    let answer = Then::at_once(json!({}));
    let open = Then::Stream(&[], End::Never);
    let (wire, client) = scripted([Then::Silence], [open, answer]);
    client.watch("lst_x").await.expect("open");
    client.listing("lst_x").await.expect("read");
    assert_eq!(wire.asked(), [ONE, OTHER, OTHER]);
}

#[tokio::test(start_paused = true)]
async fn watch_is_within_the_session() {
    let open = Then::Stream(&[], End::Never).seen("after");
    let (wire, client) = scripted([open], [Then::NotSent]);
    client.watch("lst_x").await.expect("open");
    assert_eq!(wire.seen()[0].headers["meridian-session"], "seen");
    assert_eq!(client.session().token().as_deref(), Some("after"));
}

/// What the next event says.
async fn next(watch: &mut Watch) -> Result<String, CallError> {
    let event = watch.try_next().await?;
    Ok(event.expect("it ends with an error").data.to_string())
}

/// The ids that were sent along to open streams.
fn resumed(wire: &Scripted) -> Vec<Option<String>> {
    let id = |request: &crate::wire::Request| {
        let id = request.headers.get("last-event-id")?;
        Some(id.to_str().expect("text").to_owned())
    };
    wire.seen().iter().map(id).collect()
}

#[tokio::test(start_paused = true)]
async fn watch_goes_on_elsewhere_behind_the_last_event_that_came_whole() {
    let broken = Then::Stream(
        &[
            ":\n\nevent: listing.updated\nda",
            "ta: 1\nid: \"a\";1\n\nid: \"b\";1\ndata: 2",
        ],
        End::Broken,
    );
    let other = Then::Stream(&["id: \"b\";1\ndata: 2\n\n"], End::Never);
    let (wire, client) = scripted([broken], [other]);
    let mut watch = client.watch("lst_x").await.expect("open");
    assert_eq!(next(&mut watch).await, Ok("1".to_owned()));
    assert_eq!(next(&mut watch).await, Ok("2".to_owned()));
    assert_eq!(wire.asked(), [ONE, OTHER]);
    assert_eq!(resumed(&wire), [None, Some("\"a\";1".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn watch_that_a_node_ends_says_so_and_goes_on_at_another() {
    const ENDED: &str = "event: watch.ended\ndata: {\"reason\": \"stopping\"}\n\n";
    let one = Then::Stream(&["id: a\ndata: 1\n\n", ENDED], End::Closed);
    let other = Then::Stream(&["id: b\ndata: 2\n\n"], End::Never);
    let (wire, client) = scripted([one], [other]);
    let mut watch = client.watch("lst_x").await.expect("open");
    next(&mut watch).await.expect("the listing");
    let ended = watch.try_next().await.expect("told").expect("an event");
    assert_eq!(ended.event, "watch.ended");
    assert_eq!(ended.data["reason"], "stopping");
    assert_eq!(ended.id.as_deref(), Some("a"), "that stays seen");
    assert_eq!(next(&mut watch).await, Ok("2".to_owned()));
    assert_eq!(resumed(&wire), [None, Some("a".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn watch_goes_on_behind_an_event_of_an_earlier_one() {
    let open = Then::Stream(&[], End::Never);
    let (wire, client) = scripted([open], [Then::NotSent]);
    client.watch_after("lst_x", "a").await.expect("open");
    assert_eq!(resumed(&wire), [Some("a".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn quiet_stream_is_given_up_and_one_that_says_at_times_that_it_is_there_is_not() {
    let quiet = Then::Stream(&["data: 1\n\n"], End::Never);
    let (wire, client) = scripted([quiet.clone()], [quiet]);
    let mut watch = client.watch("lst_x").await.expect("open");
    next(&mut watch).await.expect("the listing");
    let waited = timeout(Duration::from_secs(44), watch.try_next()).await;
    assert!(waited.is_err(), "not yet");
    next(&mut watch).await.expect("from the other one");
    assert_eq!(wire.asked(), [ONE, OTHER]);

    let alive = Then::Beats(Duration::from_secs(15));
    let (wire, client) = scripted([alive], [Then::NotSent]);
    let mut watch = client.watch("lst_x").await.expect("open");
    let hour = timeout(Duration::from_secs(3_600), watch.try_next()).await;
    assert!(hour.is_err(), "{hour:?}");
    assert_eq!(wire.asked(), [ONE]);
}

#[tokio::test(start_paused = true)]
async fn watch_that_breaks_again_and_again_is_given_up_and_one_that_stands_in_between_is_not() {
    let broken = Then::Stream(&["data: 1\n\n"], End::Broken);
    let (wire, client) = scripted([broken.clone()], [broken]);
    let watch = client.watch("lst_x").await.expect("open");
    let started = tokio::time::Instant::now();
    let told: Vec<_> = watch.collect().await;
    let (last, events) = told.split_last().expect("some");
    assert!(matches!(last, Err(CallError::Unknown(_))), "{last:?}");
    assert!(events.iter().all(Result::is_ok));
    // One each time, and pauses in between.
    assert_eq!(wire.asked().len(), events.len());
    assert!(events.len() <= 20, "{}", events.len());
    assert!(started.elapsed() > Duration::from_secs(5));

    let quiet = Then::Stream(&[], End::Never);
    let (wire, client) = scripted([quiet.clone()], [quiet]);
    let mut watch = client.watch("lst_x").await.expect("open");
    let hour = timeout(Duration::from_secs(3_600), watch.try_next()).await;
    assert!(hour.is_err(), "{hour:?}");
    assert!(wire.asked().len() > 70);
}

#[tokio::test(start_paused = true)]
async fn watch_ends_with_a_refusal_that_no_other_endpoint_would_mend() {
    let ended = Then::Stream(&["data: 1\n\n"], End::Closed);
    let gone = Then::Refuse("not-found", 404, None);
    let (_wire, client) = scripted([ended], [gone]);
    let watch = client.watch("lst_x").await.expect("open");
    let told: Vec<_> = watch.collect().await;
    let [Ok(_), Err(error)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(error.code(), Some("not-found"));
}

#[tokio::test(start_paused = true)]
async fn watch_of_a_client_that_wants_no_repetition_ends_where_it_breaks() {
    let wire = Scripted::default();
    wire.at(ONE, [Then::Stream(&[], End::Broken)]);
    let mut options = ClientOptions::new(ONE);
    options.retry = false;
    let (wire, session) = (Arc::new(wire), Session::new());
    let client = Client::assemble(options, session, wire.clone(), Ranking::AsGiven);
    let mut watch = client.watch("lst_x").await.expect("open");
    let broke = next(&mut watch).await;
    assert!(matches!(broke, Err(CallError::Unknown(_))), "{broke:?}");
    assert_eq!(wire.asked(), [ONE]);
}
