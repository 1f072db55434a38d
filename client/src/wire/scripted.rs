//! A wire that answers from scripts, for tests under a paused clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt};
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Lost, Reply, Request, Wire};
use crate::{Client, Session};

/// What an endpoint does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Then {
    /// Nobody listens there.
    NotSent,
    /// It reads the request and hangs up.
    HangUp,
    /// It reads the request and says nothing.
    Silence,
    /// A problem with this code and status, to be repeated after so many seconds.
    Refuse(&'static str, u16, Option<u64>),
    /// An answer, after a while.
    Answer(Value, Duration),
    /// A stream of these pieces.
    Stream(&'static [&'static str], End),
    /// A stream that says so often that it is there, and nothing else.
    Beats(Duration),
    /// The same, with this token of a session.
    Seen(&'static str, Box<Then>),
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As the endpoint wants it.
    Closed,
    /// The connection breaks.
    Broken,
    /// Never: nothing more comes.
    Never,
}

impl Then {
    pub(crate) fn at_once(body: Value) -> Self {
        Self::Answer(body, Duration::ZERO)
    }

    pub(crate) fn seen(self, token: &'static str) -> Self {
        Self::Seen(token, Box::new(self))
    }
}

/// Endpoints with their scripts: the last step of each stands for ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    scripts: HashMap<String, VecDeque<Then>>,
    seen: Vec<Request>,
}

/// Two endpoints.
pub(crate) const ONE: &str = "http://one";
pub(crate) const OTHER: &str = "http://other";

/// A client of two endpoints, with the session of an earlier answer.
pub(crate) fn scripted(
    one: impl IntoIterator<Item = Then>,
    other: impl IntoIterator<Item = Then>,
) -> (Scripted, Client) {
    let wire = Scripted::default();
    wire.at(ONE, one);
    wire.at(OTHER, other);
    let builder = Client::builder().seed(ONE).seed(OTHER);
    let builder = builder.session(Session::of("seen"));
    let client = builder.wire(Arc::new(wire.clone())).build();
    (wire, client.expect("a client"))
}

/// Lets the other branches of a test go on until `condition` holds. No time passes meanwhile.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

impl Scripted {
    /// Has an endpoint do this from now on.
    pub(crate) fn at(&self, endpoint: &str, script: impl IntoIterator<Item = Then>) {
        let mut state = self.0.lock().expect("no test panics with it");
        let script = script.into_iter().collect();
        state.scripts.insert(endpoint.to_owned(), script);
    }

    /// Requests so far, other than probes.
    pub(crate) fn seen(&self) -> Vec<Request> {
        let state = self.0.lock().expect("no test panics with it");
        let calls = state.seen.iter().filter(|request| !is_probe(request));
        calls.cloned().collect()
    }

    /// Hosts that were asked so far, probes left out.
    pub(crate) fn asked(&self) -> Vec<String> {
        let seen = self.seen();
        let hosts = seen.iter().map(|request| endpoint(&request.url).to_owned());
        hosts.collect()
    }

    /// How many probes an endpoint has had.
    pub(crate) fn probes(&self, at: &str) -> usize {
        let state = self.0.lock().expect("no test panics with it");
        let probes = state.seen.iter().filter(|request| is_probe(request));
        probes
            .filter(|request| endpoint(&request.url) == at)
            .count()
    }

    fn next(&self, request: Request) -> Then {
        let mut state = self.0.lock().expect("no test panics with it");
        let script = state.scripts.get_mut(endpoint(&request.url));
        let then = match script {
            None => Then::NotSent,
            Some(script) if is_probe(&request) => probed(script.front()),
            Some(script) if script.len() > 1 => script.pop_front().expect("more than one"),
            Some(script) => script.front().cloned().unwrap_or(Then::NotSent),
        };
        state.seen.push(request);
        then
    }
}

/// How far away is whoever answers no call.
const FAR: Duration = Duration::from_millis(20);

/// A probe takes no step of a script: it finds whoever is there.
fn probed(next: Option<&Then>) -> Then {
    match next {
        None | Some(Then::NotSent) => Then::NotSent,
        Some(then @ (Then::Silence | Then::Answer(..))) => then.clone(),
        Some(Then::Seen(_, then)) => probed(Some(then)),
        Some(Then::HangUp | Then::Refuse(..) | Then::Stream(..) | Then::Beats(_)) => {
            Then::Answer(json!({}), FAR)
        }
    }
}

fn is_probe(request: &Request) -> bool {
    request.url.ends_with("/v1/regions")
}

/// `http://host` of a URL.
fn endpoint(url: &str) -> &str {
    let host = url.find("/v1").unwrap_or(url.len());
    &url[..host]
}

impl Wire for Scripted {
    fn exchange(&self, request: Request) -> BoxFuture<'static, Result<Reply, Lost>> {
        act(self.next(request))
    }
}

fn act(then: Then) -> BoxFuture<'static, Result<Reply, Lost>> {
    Box::pin(async move {
        match then {
            Then::NotSent => Err(Lost::NotSent("refused".to_owned())),
            Then::HangUp => Err(Lost::NoAnswer("hung up".to_owned())),
            Then::Silence => futures::future::pending().await,
            Then::Refuse(code, status, wait) => {
                let retryable = matches!(status, 429 | 503 | 504);
                let body = json!({
                    "status": status, "code": code, "title": code, "retryable": retryable,
                });
                let mut headers = HeaderMap::new();
                if let Some(wait) = wait {
                    headers.insert(RETRY_AFTER, HeaderValue::from(wait));
                }
                Ok(reply(status, headers, &body))
            }
            Then::Answer(body, after) => {
                sleep(after).await;
                Ok(reply(200, HeaderMap::new(), &body))
            }
            Then::Stream(pieces, end) => {
                let pieces = pieces.iter().map(|piece| Ok(Bytes::from(*piece)));
                let end = match end {
                    End::Closed => stream::empty().boxed(),
                    End::Broken => stream::iter([Err("reset".to_owned())]).boxed(),
                    End::Never => stream::pending().boxed(),
                };
                Ok(streamed(stream::iter(pieces).chain(end)))
            }
            Then::Beats(every) => Ok(streamed(stream::unfold((), move |()| async move {
                sleep(every).await;
                Some((Ok(Bytes::from(":\n\n")), ()))
            }))),
            Then::Seen(token, then) => {
                let mut reply = act(*then).await?;
                let token = HeaderValue::from_static(token);
                reply.headers.insert("meridian-session", token);
                Ok(reply)
            }
        }
    })
}

fn streamed(body: impl Stream<Item = Result<Bytes, String>> + Send + 'static) -> Reply {
    Reply {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: body.boxed(),
    }
}

fn reply(status: u16, headers: HeaderMap, body: &Value) -> Reply {
    let bytes = Bytes::from(body.to_string());
    Reply {
        status: StatusCode::from_u16(status).expect("a status"),
        headers,
        body: Box::pin(stream::once(async { Ok(bytes) })),
    }
}
