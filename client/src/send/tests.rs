//! What a client concludes: against a server that answers from a script, and in paused
//! time against endpoints that do.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::roster::Ranking;
use crate::wire::scripted::{self, ONE, OTHER, Scripted, scripted, until};
use crate::{CallError, Client, ClientOptions, NewStay, Session};

/// What the server does with one request.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Reads it and hangs up: it may have been executed.
    HangUp,
    /// Refuses with this code.
    Refuse(&'static str, u16),
}

/// Answers one connection after the other as the script says, the last step for ever.
/// Dropping the tasks ends it.
async fn server(script: &'static [Then]) -> (Client, JoinSet<()>) {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = port.local_addr().expect("bound");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for step in 0.. {
            let (mut connection, _) = port.accept().await.expect("a connection");
            let mut request = [0; 4_096];
            let _read = connection.read(&mut request).await;
            let then = script[step.min(script.len() - 1)];
            let Then::Refuse(code, status) = then else {
                continue;
            };
            let retryable = status == 503;
            let body = json!({
                "status": status, "code": code, "title": code, "retryable": retryable,
            })
            .to_string();
            let head = format!(
                "HTTP/1.1 {status} No\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _written = connection.write_all((head + &body).as_bytes()).await;
            let _closed = connection.shutdown().await;
        }
    });
    let mut options = ClientOptions::new(format!("http://{address}"));
    options.deadline = Duration::from_secs(1);
    (Client::new(options).expect("a client"), tasks)
}

fn stay() -> NewStay {
    NewStay {
        check_in: "2030-01-01".to_owned(),
        check_out: "2030-01-02".to_owned(),
        guests: 1,
    }
}

async fn booked(script: &'static [Then]) -> CallError {
    let (client, _server) = server(script).await;
    let booked = client.book("lst_x", &stay(), "card_ok", "key").await;
    booked.expect_err("it never confirms")
}

#[tokio::test]
async fn mistake_of_a_node_is_no_word_that_nothing_was_done() {
    let error = booked(&[Then::Refuse("internal", 500)]).await;
    assert!(error.outcome_unknown(), "{error}");
}

#[tokio::test]
async fn refusal_after_a_lost_answer_is_unknown() {
    const SCRIPTS: [&[Then]; 5] = [
        &[Then::HangUp, Then::Refuse("no-quorum", 503)],
        &[Then::HangUp, Then::Refuse("overloaded", 503)],
        &[Then::HangUp, Then::Refuse("session-behind", 503)],
        &[Then::HangUp, Then::Refuse("not-found", 404)],
        // Said of another listing, perhaps by a node that does not know of this one.
        &[Then::HangUp, Then::Refuse("idempotency-mismatch", 422)],
    ];
    for script in SCRIPTS {
        let error = booked(script).await;
        assert!(error.outcome_unknown(), "{script:?}: {error}");
    }
}

#[tokio::test]
async fn verdict_of_the_ledger_stands_also_after_a_lost_answer() {
    let error = booked(&[Then::HangUp, Then::Refuse("slot-taken", 409)]).await;
    assert_eq!(error.code(), Some("slot-taken"), "{error}");
}

#[tokio::test]
async fn refusal_that_was_never_in_doubt_is_no_unknown() {
    let error = booked(&[Then::Refuse("no-quorum", 503)]).await;
    assert_eq!(error.code(), Some("no-quorum"), "{error}");
    let error = booked(&[Then::Refuse("not-found", 404)]).await;
    assert_eq!(error.code(), Some("not-found"), "{error}");
}

#[tokio::test]
async fn refusal_because_an_earlier_attempt_is_under_way_is_unknown() {
    let error = booked(&[Then::Refuse("idempotency-in-flight", 409)]).await;
    assert!(error.outcome_unknown(), "{error}");
}

fn answer() -> scripted::Then {
    scripted::Then::at_once(json!({"state": "confirmed"}))
}

#[tokio::test(start_paused = true)]
async fn key_and_session_stay_the_same_over_every_attempt() {
    use scripted::Then::{HangUp, Refuse};
    let one = [HangUp, Refuse("no-quorum", 503, Some(1)), answer()];
    let other = [Refuse("outcome-unknown", 504, Some(1))];
    let (wire, client) = scripted(one, other);
    let booked = client.book("lst_x", &stay(), "card_ok", "my-key").await;
    assert_eq!(booked.expect("sold").body["state"], "confirmed");
    let seen = wire.seen();
    assert!(seen.len() >= 4, "{seen:?}");
    for request in &seen {
        assert_eq!(request.headers["idempotency-key"], "my-key");
        assert_eq!(request.headers["meridian-session"], "seen");
        assert_eq!(request.body, seen[0].body);
    }
}

#[tokio::test(start_paused = true)]
async fn write_without_a_key_is_never_sent_again_when_its_answer_was_lost() {
    let (wire, client) = scripted([scripted::Then::HangUp], [answer()]);
    let made = client.create_listing(json!({"title": "Loft"})).await;
    assert!(made.expect_err("nobody knows").outcome_unknown());
    assert_eq!(wire.asked(), [ONE]);
}

#[tokio::test(start_paused = true)]
async fn change_is_sent_again_only_after_a_refusal_that_says_that_nothing_was_done() {
    use scripted::Then::{HangUp, Refuse};
    let patch = async |client: &Client, if_match: Option<&str>| {
        let patch = json!({"title": "Loft"});
        client.patch_listing("lst_x", patch, if_match).await
    };
    let webhook = async |client: &Client| {
        let patch = json!({"enabled": true});
        client.change_webhook("whk_x", patch).await
    };
    let (wire, client) = scripted([HangUp], [HangUp]);
    for if_match in [None, Some("\"tag\"")] {
        let error = patch(&client, if_match).await.expect_err("nobody knows");
        assert!(error.outcome_unknown(), "{error}");
    }
    let error = webhook(&client).await.expect_err("nobody knows");
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(wire.asked(), [ONE, ONE, OTHER]);
    for if_match in [None, Some("\"tag\"")] {
        let (wire, client) = scripted([Refuse("overloaded", 503, Some(1))], [answer()]);
        patch(&client, if_match).await.expect("changed");
        assert_eq!(wire.asked(), [ONE, OTHER]);
    }
}

#[tokio::test(start_paused = true)]
async fn write_without_a_key_that_nobody_took_goes_to_the_next_endpoint() {
    let (wire, client) = scripted([scripted::Then::NotSent], [answer()]);
    let made = client.create_listing(json!({"title": "Loft"})).await;
    made.expect("made");
    assert_eq!(wire.asked(), [ONE, OTHER]);
}

#[tokio::test(start_paused = true)]
async fn write_without_a_key_goes_on_after_a_refusal_that_says_that_nothing_was_done() {
    use scripted::Then::Refuse;
    for (code, status) in [
        ("session-behind", 503),
        ("no-quorum", 503),
        ("no-holder", 503),
        ("overloaded", 503),
        ("rate-limited", 429),
    ] {
        let refuse = Refuse(code, status, Some(1));
        let (wire, client) = scripted([refuse.clone()], [answer()]);
        let made = client.create_listing(json!({"title": "Loft"})).await;
        made.unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!(wire.asked(), [ONE, OTHER], "{code}");

        // When all have refused, those that wanted a second have had one.
        let (wire, client) = scripted([refuse.clone(), answer()], [refuse]);
        let started = tokio::time::Instant::now();
        client.delete_listing("lst_x").await.expect("deleted");
        assert!(started.elapsed() >= Duration::from_secs(1), "{code}");
        assert!(wire.asked().len() >= 3, "{code}: {:?}", wire.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn write_without_a_key_ends_with_the_first_lost_answer_whatever_came_before() {
    use scripted::Then::{HangUp, Refuse};
    let refuse = Refuse("overloaded", 503, Some(1));
    let (wire, client) = scripted([refuse, answer()], [HangUp]);
    let edited = client.edit_listing("lst_x", json!([])).await;
    let error = edited.expect_err("nobody knows");
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(wire.asked(), [ONE, OTHER]);
}

#[tokio::test(start_paused = true)]
async fn write_without_a_key_is_not_begun_where_there_is_no_time_for_its_answer() {
    use scripted::Then::Refuse;
    let refuse = Refuse("overloaded", 503, Some(1));
    let wire = Scripted::default();
    wire.at(ONE, [refuse.clone()]);
    wire.at(OTHER, [refuse]);
    let builder = Client::builder().seed(ONE).seed(OTHER);
    let builder = builder.deadline(Duration::from_millis(1_400));
    let client = builder.wire(Arc::new(wire.clone())).build();
    let client = client.expect("a client");
    let made = client.create_listing(json!({"title": "Loft"})).await;
    assert_eq!(made.expect_err("refused").code(), Some("overloaded"));
    assert_eq!(wire.asked(), [ONE, OTHER]);
}

#[tokio::test(start_paused = true)]
async fn region_that_is_behind_is_asked_again_until_it_has_seen_the_session() {
    use scripted::Then::{NotSent, Refuse};
    let behind = Refuse("session-behind", 503, Some(1));
    let one = [behind.clone(), behind.clone(), behind, answer()];
    let (wire, client) = scripted(one, [NotSent]);
    client.listing("lst_x").await.expect("never a false 404");
    let asked = wire.asked();
    assert_eq!(asked.iter().filter(|host| *host == ONE).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn region_that_stays_behind_is_told_within_the_deadline() {
    let behind = scripted::Then::Refuse("session-behind", 503, Some(1));
    let (_wire, client) = scripted([behind.clone()], [behind]);
    let started = tokio::time::Instant::now();
    let error = client.listing("lst_x").await.expect_err("all are behind");
    assert_eq!(error.code(), Some("session-behind"));
    assert!(started.elapsed() <= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_is_silent_costs_one_attempt_and_is_then_left() {
    let (wire, client) = scripted([scripted::Then::Silence], [answer()]);
    client.listing("lst_x").await.expect("read at the other");
    client.listing("lst_x").await.expect("read at the other");
    assert_eq!(wire.asked(), [ONE, OTHER, OTHER]);
}

fn after(from: &str, ms: u64) -> scripted::Then {
    scripted::Then::Answer(json!({"from": from}), Duration::from_millis(ms))
}

/// Reads that are fast, as many as a percentile needs, and two that are not.
fn slow_at_last() -> Vec<scripted::Then> {
    let mut script = vec![after("one", 5); 25];
    script.extend([after("one", 500), after("one", 500)]);
    script
}

#[tokio::test(start_paused = true)]
async fn read_that_is_slow_is_asked_for_at_the_next_endpoint_too_within_the_budget() {
    let (wire, client) = scripted(slow_at_last(), [after("other", 20)]);
    for _ in 0..25 {
        client.listing("lst_x").await.expect("read");
    }
    let started = tokio::time::Instant::now();
    let read = client.listing("lst_x").await.expect("read");
    assert_eq!(read.body["from"], "other");
    assert!(
        started.elapsed() < Duration::from_millis(100),
        "the loser is not awaited"
    );
    assert_eq!(wire.asked()[25..], [ONE, OTHER]);
    // Twenty reads pay for one, and that was spent.
    let read = client.listing("lst_x").await.expect("read");
    assert_eq!(read.body["from"], "one");
    assert_eq!(wire.asked()[27..], [ONE]);
}

#[tokio::test(start_paused = true)]
async fn read_through_a_quorum_and_write_are_never_asked_twice_at_once() {
    let (wire, client) = scripted(slow_at_last(), [after("other", 20)]);
    for _ in 0..25 {
        client.listing("lst_x").await.expect("read");
    }
    let shown = client.fresh_availability("lst_x", "2030-01-01", "2030-01-02");
    assert_eq!(shown.await.expect("read").body["from"], "one");
    let booked = client.book("lst_x", &stay(), "card_ok", "key").await;
    assert_eq!(booked.expect("sold").body["from"], "one");
    assert!(wire.asked().iter().all(|host| host == ONE));
}

#[tokio::test(start_paused = true)]
async fn second_request_that_is_refused_does_not_stand_for_the_first() {
    let refused = scripted::Then::Refuse("not-found", 404, None);
    let (wire, client) = scripted(slow_at_last(), [refused]);
    for _ in 0..25 {
        client.listing("lst_x").await.expect("read");
    }
    let read = client.listing("lst_x").await.expect("it is there");
    assert_eq!(read.body["from"], "one");
    assert_eq!(wire.asked()[25..], [ONE, OTHER]);
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_is_overloaded_for_long_is_asked_again_after_some_seconds() {
    // Of a listing that is full for a minute, perhaps: the node takes others.
    for wait in [60, u64::MAX] {
        let refuse = scripted::Then::Refuse("overloaded", 503, Some(wait));
        let (wire, client) = scripted([refuse, answer()], [answer()]);
        let options = client.shared.options.clone();
        let (session, way) = (Session::new(), Arc::new(wire.clone()));
        let client = Client::assemble(options, session, way, Ranking::AsGiven);
        client.edit_listing("lst_x", json!([])).await.expect("done");
        client.listing("lst_y").await.expect("read");
        tokio::time::advance(Duration::from_secs(6)).await;
        client.listing("lst_y").await.expect("read");
        assert_eq!(wire.asked(), [ONE, OTHER, OTHER, ONE]);
    }
}

#[tokio::test(start_paused = true)]
async fn wait_that_no_clock_can_show_is_told() {
    let refuse = scripted::Then::Refuse("no-quorum", 503, Some(u64::MAX));
    let (_wire, client) = scripted([refuse.clone()], [refuse]);
    let error = client.listing("lst_x").await.expect_err("refused");
    assert_eq!(error.code(), Some("no-quorum"));
}

/// What the session holds after these two calls, of which the second begins and ends while the
/// first is under way.
async fn held_after(first: Asked, second: Asked) -> String {
    let script = [
        after("one", 500).seen("first"),
        after("one", 5).seen("second"),
    ];
    let (wire, client) = scripted(script, [scripted::Then::NotSent]);
    let second = async {
        until(|| wire.asked() == [ONE]).await;
        second.of(&client).await;
    };
    tokio::join!(first.of(&client), second);
    client.session().token().expect("it has seen something")
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Read,
    Write,
}

impl Asked {
    async fn of(self, client: &Client) {
        let told = match self {
            Self::Read => client.listing("lst_x").await,
            Self::Write => client.delete_listing("lst_x").await,
        };
        told.expect("answered");
    }
}

#[tokio::test(start_paused = true)]
async fn answer_to_an_older_call_sets_no_session_back() {
    assert_eq!(held_after(Asked::Read, Asked::Write).await, "second");
    assert_eq!(held_after(Asked::Read, Asked::Read).await, "second");
    assert_eq!(held_after(Asked::Write, Asked::Write).await, "second");
}

#[tokio::test(start_paused = true)]
async fn write_is_not_forgotten_for_a_read_that_was_answered_meanwhile() {
    assert_eq!(held_after(Asked::Write, Asked::Read).await, "first");
}

#[tokio::test(start_paused = true)]
async fn session_goes_on_from_the_attempt_that_is_used_and_from_no_other() {
    let mut one = vec![after("one", 5).seen("before"); 25];
    one.extend([after("one", 500).seen("one"), after("one", 500).seen("one")]);
    let refused = scripted::Then::Refuse("not-found", 404, None).seen("refused");
    let (wire, client) = scripted(one, [refused]);
    for _ in 0..25 {
        client.listing("lst_x").await.expect("read");
    }
    client.listing("lst_x").await.expect("it is there");
    assert_eq!(wire.asked()[25..], [ONE, OTHER]);
    assert_eq!(client.session().token().as_deref(), Some("one"));
}
