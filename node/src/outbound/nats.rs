//! A stream of NATS JetStream that is given the region's events.
//!
//! The same pump as a webhook's, which never parks: a stream that is away is waited for. An event
//! is done once the stream has acknowledged it. `Nats-Msg-Id` is the event's id, by which the
//! stream leaves out what comes again. Events are in structured mode, under a subject for each
//! type (ADR 56).

mod credentials;
mod options;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::stream::Config as StreamConfig;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, Event, HeaderMap};
use meridian_regions::RegionId;
use meridian_transport::{Trust, https_client};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::backlog::{Backlog, Behind};
use super::backoff::Backoff;
use super::keeper::Counters;
use super::progress::Delivery;
use super::pump::Policy;
use super::runner::Job;
use super::target::{Failure, Sent, Target};
use crate::config::Config;
use crate::events::Plane;

use options::NatsOptions;

/// The header by which a stream knows a message again.
const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The header by which another stream refuses a message.
const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
const CONTENT_TYPE: &str = "Content-Type";
const CLOUD_EVENT: &str = "application/cloudevents+json";
/// How long a connection may take before it is tried again.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Events on their way to a stream at once, each of another listing: 64 round trips of 50 ms
/// are 1,280 events a second.
const IN_FLIGHT_MAX: usize = 64;
/// How a stream that is away is waited for: soon back, and no storm.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(100),
    max: Duration::from_secs(5),
};

/// The sink of the configuration: what its pump needs, and what is known of it. Clones share it.
#[derive(Clone)]
pub(super) struct NatsSink {
    options: NatsOptions,
    pub(super) watched: Arc<Watched>,
}

/// What the pump of a stream has done, and how far it is behind.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) counters: Arc<Counters>,
    pub(super) backlog: Arc<Backlog>,
}

/// A stream, as this node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StreamState {
    /// Events that it has acknowledged to this node since start.
    pub(crate) published: u64,
    /// Attempts that failed since start.
    pub(crate) failed: u64,
    pub(crate) behind: Behind,
}

impl Watched {
    pub(super) fn state(&self, now_ms: u64) -> StreamState {
        let counted = self.counters.counted();
        StreamState {
            published: counted.delivered,
            failed: counted.failed,
            behind: self.backlog.behind(now_ms),
        }
    }
}

impl NatsSink {
    /// The sink, if one is configured.
    ///
    /// # Errors
    /// What is wrong with the configuration, with its key.
    pub(super) fn new(config: &Config) -> anyhow::Result<Option<Self>> {
        let deadline = Duration::from_millis(config.events.attempt_deadline_ms.get());
        let options = NatsOptions::read(&config.nats, deadline)?;
        Ok(options.map(|options| Self {
            options,
            watched: Arc::default(),
        }))
    }

    /// What a pump is to do. Another stream begins at the oldest event that is kept.
    pub(super) fn job(&self, region: &RegionId) -> Job {
        let name = format!("nats/{}", self.options.stream);
        Job {
            progress_key: format!("progress/{name}/{region}"),
            name,
            owner: None,
            since_ms: Plane::ALL.map(|plane| (plane, 0)).into(),
            wants: Box::new(|_every| true),
            replay: None,
            policy: Policy {
                attempts_max: None,
                backoff: BACKOFF,
                in_flight_max: IN_FLIGHT_MAX,
            },
            backlog: Some(Arc::clone(&self.watched.backlog)),
            target: Arc::new(Nats::new(self.options.clone())),
        }
    }
}

/// See the module. It connects with the first event; a connection that is lost comes back by
/// itself, with what is in the credentials file then.
struct Nats(Arc<Inner>);

struct Inner {
    options: NatsOptions,
    context: OnceCell<(Client, Context)>,
    /// Whether the stream was there. Untrue after a failure: it is looked for again.
    is_there: AtomicBool,
    /// What the connection was last told that went wrong.
    last_error: Arc<Mutex<Option<String>>>,
}

impl Nats {
    fn new(options: NatsOptions) -> Self {
        Self(Arc::new(Inner {
            options,
            context: OnceCell::new(),
            is_there: AtomicBool::new(false),
            last_error: Arc::default(),
        }))
    }
}

impl Target for Nats {
    fn send(&self, delivery: &Delivery, _number: u32) -> Sent {
        let inner = Arc::clone(&self.0);
        let delivery = delivery.clone();
        Box::pin(async move {
            let deadline = inner.options.deadline;
            let published = timeout(deadline, inner.publish(&delivery)).await;
            let published = published.unwrap_or_else(|_late| {
                Err(Failure(format!("no acknowledgement in {deadline:?}")))
            });
            if published.is_err() {
                inner.is_there.store(false, Ordering::Relaxed);
            }
            published
        })
    }
}

impl Inner {
    /// Ends once the stream has taken the event, or has said that it had it already.
    async fn publish(&self, delivery: &Delivery) -> Result<(), Failure> {
        let context = self.stream().await?;
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID, delivery.id().as_str());
        headers.insert(EXPECTED_STREAM, self.options.stream.as_str());
        headers.insert(CONTENT_TYPE, CLOUD_EVENT);
        let subject = format!("{}.{}", self.options.subject_prefix, delivery.kind());
        let body = delivery.cloud_event().to_string().into();
        let published = context.publish_with_headers(subject, headers, body).await;
        let acknowledged = published.map_err(|cause| Failure::of(&cause))?.await;
        acknowledged
            .map(|_place| ())
            .map_err(|cause| Failure::of(&cause))
    }

    /// The stream, which is made if it is not there. One that is there stays as it is.
    async fn stream(&self) -> Result<&Context, Failure> {
        let connect = || self.connect();
        let (client, context) = self.context.get_or_try_init(connect).await?;
        // What the client would keep until it is connected again comes again from the feed.
        if client.connection_state() != State::Connected {
            let last = self.last_error.lock();
            let last = last.unwrap_or_else(PoisonError::into_inner).clone();
            let why = last.map_or_else(String::new, |error| format!(": {error}"));
            return Err(Failure(format!("not connected{why}")));
        }
        if !self.is_there.load(Ordering::Relaxed) {
            let wanted = StreamConfig {
                name: self.options.stream.clone(),
                subjects: vec![format!("{}.>", self.options.subject_prefix)],
                duplicate_window: self.options.duplicate_window,
                ..StreamConfig::default()
            };
            let made = context.get_or_create_stream(wanted).await;
            made.map_err(|cause| Failure::of(&cause))?;
            self.is_there.store(true, Ordering::Relaxed);
        }
        Ok(context)
    }

    async fn connect(&self) -> Result<(Client, Context), Failure> {
        let tls = https_client(Trust::Machine).or_else(|_none| https_client(Trust::Nobody));
        let last_error = Arc::clone(&self.last_error);
        let options = credentials::options(&self.options.credentials_file)
            .name("meridian")
            .event_callback(move |event| {
                note(&last_error, &event);
                std::future::ready(())
            })
            .tls_client_config(tls.map_err(|cause| Failure::of(&cause))?)
            .connection_timeout(CONNECT_DEADLINE);
        let connected = options.connect(self.options.servers.clone()).await;
        let client = connected.map_err(|cause| Failure::of(&cause))?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(self.options.deadline);
        Ok((client, context))
    }
}

/// Keeps what went wrong with a connection, for whoever asks why it is not there.
fn note(last_error: &Mutex<Option<String>>, event: &Event) {
    let told = match event {
        Event::ServerError(_) | Event::ClientError(_) => Some(event.to_string()),
        Event::Connected => None,
        _ => return,
    };
    if let Some(error) = &told {
        tracing::warn!(error, "the NATS server or the way to it is at fault");
    }
    *last_error.lock().unwrap_or_else(PoisonError::into_inner) = told;
}
