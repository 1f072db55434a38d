//! What a client concludes, against a server that answers from a script.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{CallError, Client, ClientOptions, NewStay};

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
    options.deadline = std::time::Duration::from_secs(1);
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
        assert!(error.is_unknown(), "{script:?}: {error}");
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
    assert!(error.is_unknown(), "{error}");
}

#[tokio::test]
async fn patch_without_a_key_is_in_doubt_after_a_lost_answer() {
    let (client, _server) = server(&[Then::HangUp, Then::Refuse("not-found", 404)]).await;
    let patched = client.patch_listing("lst_x", json!({"capacity": 2}), None);
    assert!(patched.await.expect_err("refused").is_unknown());
}
