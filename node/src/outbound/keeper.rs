//! Starts a pump for each destination that is this node's to deliver to, and ends it when it is
//! another's, or has changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meridian_regions::NodeId;
use meridian_storage::StorageError;
use meridian_transport::Mesh;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::endpoint::{ENDPOINT_KEYS, Endpoint, EndpointId};
use super::nats::NatsSink;
use super::pump::Policy;
use super::responsible::deliverer;
use super::runner::{self, Around, Job};
use super::webhook::{Webhook, WebhookSender};
use crate::registers::{Space, Stamp};

/// How often it is looked whose each destination is: how late a new one begins, and how long a
/// dead node's stay alone.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the stream is called among the destinations.
const NATS: &str = "nats";

/// What pumps have done since the start of the node.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    delivered: AtomicU64,
    failed: AtomicU64,
    parked: AtomicU64,
    pumps: AtomicU64,
}

/// [`Counters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    pub(crate) parked: u64,
    /// Destinations that this node delivers to now.
    pub(crate) pumps: u64,
}

impl Counters {
    pub(super) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn parked(&self) {
        self.parked.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counted(&self) -> Counted {
        Counted {
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            parked: self.parked.load(Ordering::Relaxed),
            pumps: self.pumps.load(Ordering::Relaxed),
        }
    }
}

/// See the module.
pub(super) struct Keeper {
    pub(super) node: NodeId,
    pub(super) mesh: Mesh,
    pub(super) around: Around,
    pub(super) sender: WebhookSender,
    pub(super) policy: Policy,
    /// A stream beside the endpoints.
    pub(super) nats: Option<NatsSink>,
    pub(super) running: BTreeMap<String, Running>,
}

/// Where events go.
enum Destination {
    Webhook(Arc<Endpoint>),
    Nats(NatsSink),
}

impl Destination {
    fn is_enabled(&self) -> bool {
        match self {
            Self::Webhook(endpoint) => endpoint.enabled,
            Self::Nats(_) => true,
        }
    }
}

/// A pump, and the version of its destination that it was started with.
pub(super) struct Running {
    stamp: Stamp,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts the task; it ends with `cancel`, after all pumps.
    pub(super) fn start(mut self, tracker: &TaskTracker, cancel: &CancellationToken) {
        let (tracker, cancel) = (tracker.clone(), cancel.clone());
        tracker.clone().spawn(async move {
            // Others may know better how far this region has come.
            let mut caught_up = self.around.registers.caught_up();
            let heard = caught_up.wait_for(|heard| *heard);
            if cancel.run_until_cancelled(heard).await.is_none() {
                return;
            }
            drop(caught_up);
            let mut looks = interval(LOOK_EVERY);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while cancel.run_until_cancelled(looks.tick()).await.is_some() {
                if let Err(cause) = self.look(&tracker).await {
                    tracing::error!(%cause, "cannot read where events go");
                }
            }
            let names: Vec<String> = self.running.keys().cloned().collect();
            self.end(names).await;
        });
    }

    async fn look(&mut self, tracker: &TaskTracker) -> Result<(), StorageError> {
        let wanted = self.wanted()?;
        let stale = self.running.iter().filter(|(key, running)| {
            let known = wanted.get(*key);
            known.is_none_or(|(stamp, _)| *stamp != running.stamp)
        });
        let stale: Vec<String> = stale.map(|(key, _)| key.clone()).collect();
        self.end(stale).await;
        for (key, (stamp, destination)) in wanted {
            if self.running.contains_key(&key) {
                continue;
            }
            if let Some((around, job)) = self.job(&key, destination) {
                let cancel = CancellationToken::new();
                let running = runner::run(around, job, cancel.clone());
                let running = Running {
                    stamp,
                    cancel,
                    task: tracker.spawn(running),
                };
                self.running.insert(key, running);
            }
        }
        let pumps = self.running.len() as u64;
        self.around.counters.pumps.store(pumps, Ordering::Relaxed);
        Ok(())
    }

    /// Everything that this node delivers to, and of which version.
    fn wanted(&self) -> Result<BTreeMap<String, (Stamp, Destination)>, StorageError> {
        let known = self.around.registers.list(Space::Outbound, ENDPOINT_KEYS)?;
        let endpoints = known.into_iter().filter_map(|register| {
            let endpoint = Endpoint::decode(register.value.as_deref()?)?;
            let destination = Destination::Webhook(Arc::new(endpoint));
            Some((register.key, (register.stamp, destination)))
        });
        let stream = self.nats.clone().map(|sink| {
            // It changes with a restart alone.
            (NATS.to_owned(), (Stamp::default(), Destination::Nats(sink)))
        });
        let mut wanted: BTreeMap<_, _> = endpoints.chain(stream).collect();
        wanted.retain(|key, (_, destination)| destination.is_enabled() && self.is_ours(key));
        Ok(wanted)
    }

    fn is_ours(&self, key: &str) -> bool {
        let this = (self.node, &self.around.region);
        let alive_for = |node| self.mesh.alive_for(node);
        deliverer(&self.around.topology, this, key, alive_for) == self.node
    }

    /// What a pump for it is to do, and where its work is counted.
    fn job(&self, key: &str, destination: Destination) -> Option<(Around, Job)> {
        match destination {
            Destination::Webhook(endpoint) => {
                let id: EndpointId = key.strip_prefix(ENDPOINT_KEYS)?.parse().ok()?;
                Some((self.around.clone(), self.webhook(&id, key, endpoint)))
            }
            Destination::Nats(sink) => {
                let mut around = self.around.clone();
                around.counters = Arc::clone(&sink.watched.counters);
                let job = sink.job(&around.region);
                Some((around, job))
            }
        }
    }

    fn webhook(&self, id: &EndpointId, key: &str, endpoint: Arc<Endpoint>) -> Job {
        let wanted = Arc::clone(&endpoint);
        Job {
            name: id.to_string(),
            owner: Some(key.to_owned()),
            progress_key: id.progress_key(&self.around.region),
            since_ms: endpoint.since(),
            wants: Box::new(move |delivery| wanted.wants(delivery.kind())),
            replay: endpoint.replay.clone(),
            policy: self.policy,
            backlog: None,
            target: Arc::new(Webhook {
                sender: self.sender.clone(),
                endpoint,
            }),
        }
    }

    /// Ends pumps, and waits until what they have come to is on disk.
    async fn end(&mut self, names: Vec<String>) {
        let ending = names.iter().filter_map(|name| self.running.remove(name));
        let tasks = ending.map(|running| {
            running.cancel.cancel();
            running.task
        });
        for ended in futures::future::join_all(tasks.collect::<Vec<_>>()).await {
            if let Err(cause) = ended {
                tracing::error!(%cause, "a bug: a pump of events did not end well");
            }
        }
    }
}
