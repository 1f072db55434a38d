//! A watch between two events: the stream that is open, and going on where it broke.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::time::{Instant, sleep, timeout};

use super::events::{EventReader, WatchEvent};
use crate::CallError;
use crate::attempt::Attempt;
use crate::backoff::Backoff;
use crate::call::Call;
use crate::client::Client;
use crate::roster::Failure;
use crate::wire::{Body, Reply};

/// How long a node may say nothing: it says something every 15 s, if only a comment.
const QUIET_MAX: Duration = Duration::from_secs(45);
/// A stream that has stood for so long pays for those that broke before it.
const STEADY: Duration = Duration::from_secs(15);
/// Streams that may break in a row, none of them steady: with the pauses in between about ten
/// seconds, as long as a call that is asked again and again.
const BREAKS_MAX: u32 = 16;
/// The last event of a stream that a node ends.
const ENDED: &str = "watch.ended";

/// A watch of one listing.
pub(super) struct Watching {
    client: Client,
    path: String,
    open: Open,
    /// Streams that broke in a row.
    breaks: u32,
    backoff: Backoff,
}

/// A stream at one endpoint.
struct Open {
    endpoint: String,
    since: Instant,
    body: Body,
    /// What has come, and was not read yet.
    unread: Bytes,
    reader: EventReader,
    /// The node has said that it ends it.
    is_ended: bool,
}

/// What comes of a stream.
enum Heard {
    Event(WatchEvent),
    /// Nothing more, and why.
    Break(String),
}

impl Watching {
    /// Opens a stream at the nearest endpoint that takes the request, behind an event.
    pub(super) async fn begin(
        client: &Client,
        path: String,
        seen: Option<&str>,
    ) -> Result<Self, CallError> {
        Ok(Self {
            open: Open::at_one_of(client.order(), client, &path, seen).await?,
            client: client.clone(),
            path,
            breaks: 0,
            backoff: Backoff::new(),
        })
    }

    /// The next event, of this stream or of one that follows it.
    pub(super) async fn next(&mut self) -> Result<WatchEvent, CallError> {
        loop {
            match self.open.hear().await? {
                Heard::Event(event) => return Ok(event),
                Heard::Break(why) => self.go_on(why).await?,
            }
        }
    }

    /// Opens another stream, elsewhere if there is an elsewhere.
    async fn go_on(&mut self, why: String) -> Result<(), CallError> {
        // Whoever has ended it in order is well. Whoever was quiet may be, too, if what lies
        // between keeps comments back: a call will find out.
        if !self.open.is_ended {
            let endpoint = &self.open.endpoint;
            self.client.tell_failure(endpoint, Failure::Broken);
        }
        if self.open.since.elapsed() >= STEADY {
            (self.breaks, self.backoff) = (0, Backoff::new());
        }
        self.breaks += 1;
        if self.breaks > BREAKS_MAX || !self.client.shared.options.retry {
            return Err(CallError::Unknown(format!("the stream broke: {why}")));
        }
        sleep(self.backoff.next(rand::random())).await;
        let now = Instant::now().into_std();
        let order = self
            .client
            .shared
            .roster()
            .order_from(&self.open.endpoint, now);
        let seen = self.open.reader.seen();
        self.open = Open::at_one_of(order, &self.client, &self.path, seen).await?;
        Ok(())
    }
}

impl Open {
    /// A stream at the first of these endpoints that takes the request.
    async fn at_one_of(
        order: Vec<String>,
        client: &Client,
        path: &str,
        seen: Option<&str>,
    ) -> Result<Self, CallError> {
        let mut call = Call::get(path);
        call.last_event_id = seen;
        let mut walk = client.walk(call.repeat, order);
        loop {
            let endpoint = walk.course.endpoint().unwrap_or_default().to_owned();
            let attempt = match endpoint.as_str() {
                "" => Attempt::nobody_to_ask(),
                url => client.attempt(url, &call, walk.until, Reply::stream).await,
            };
            match attempt.used(&client.session) {
                Ok(body) => {
                    return Ok(Self {
                        endpoint,
                        since: Instant::now(),
                        body,
                        unread: Bytes::new(),
                        reader: EventReader::after(seen.map(str::to_owned)),
                        is_ended: false,
                    });
                }
                Err(error) => walk.go_on(error).await?,
            }
        }
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`CallError::Decode`]: it cannot be read, nor could it elsewhere.
    async fn hear(&mut self) -> Result<Heard, CallError> {
        loop {
            if let Some(event) = self.reader.read(&mut self.unread)? {
                self.is_ended = event.event == ENDED;
                return Ok(Heard::Event(event));
            }
            let why = match timeout(QUIET_MAX, self.body.try_next()).await {
                Ok(Ok(Some(piece))) => {
                    self.unread = piece;
                    continue;
                }
                Ok(Ok(None)) => "the node has ended it".to_owned(),
                Ok(Err(cause)) => cause,
                Err(_quiet) => "nothing has come for long".to_owned(),
            };
            return Ok(Heard::Break(why));
        }
    }
}
