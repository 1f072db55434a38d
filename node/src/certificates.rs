//! Certificates of this node, taken anew while it runs.
//!
//! The files are looked at now and then, upon SIGHUP, and when an operator asks. What they hold
//! is taken together or not at all: while a set does not fit, as between two copies, the one
//! before stays in force, and the next look tries again. Connections to other nodes are renewed
//! by the mesh; those of clients stay, and new ones are shown what is new.
//!
//! Invariant kept here: looks come one after another, so that what was read earlier is never put
//! in the place of what was read later.
//!
//! What it is not: it makes no certificate and judges none (`meridian-transport` does).

mod clients;
mod kept;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use meridian_transport::{Certified, Mesh, ServerMaterial, TlsMaterial};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use clients::ClientTls;
use clients::Shown;
use kept::Kept;

use crate::clock::Clock;
use crate::config::{ClientTlsSection, Config, TlsSection};

/// How often the files are looked at: three small ones, and an operator who has changed them
/// waits no longer.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// From when on a certificate that expires is said to.
pub(crate) const EXPIRES_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a node begins with.
pub(crate) struct Loaded {
    pub(crate) nodes: TlsMaterial,
    pub(crate) clients: Option<ServerMaterial>,
}

impl Loaded {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file that cannot be read, or a key that is not its certificate's.
    pub(crate) fn read(config: &Config) -> anyhow::Result<Self> {
        let clients = clients_of(&config.client_tls)?;
        if let Some(clients) = &clients {
            clients
                .server()
                .context("client_tls.cert, client_tls.key")?;
        }
        let nodes = nodes_of(&config.tls)?;
        Ok(Self { nodes, clients })
    }
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Certificates(Arc<Inner>);

struct Inner {
    tls: TlsSection,
    client_tls: ClientTlsSection,
    mesh: Mesh,
    clock: Clock,
    /// Held from before the files are read until what they hold is in force or refused.
    looking: Arc<tokio::sync::Mutex<()>>,
    nodes: Mutex<Kept<TlsMaterial>>,
    clients: Option<(Shown, Mutex<Kept<ServerMaterial>>)>,
}

/// How one set of certificates stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// What it is for: `node`, `authority`, `clients`.
    pub(crate) certificates: Vec<(&'static str, Certified)>,
    /// Changes since start.
    pub(crate) changes: u64,
    /// When the last one was, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// Why what the files hold is not in force.
    pub(crate) refused: Option<String>,
}

impl Certificates {
    /// # Errors
    /// What is wrong with the certificate for clients.
    pub(crate) fn open(
        config: &Config,
        loaded: Loaded,
        mesh: &Mesh,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let now_ms = clock.now().as_millis();
        let clients = loaded.clients.map(|clients| -> anyhow::Result<_> {
            let shown = Shown::new(&clients)?;
            Ok((shown, Mutex::new(Kept::new(clients, now_ms))))
        });
        Ok(Self(Arc::new(Inner {
            tls: config.tls.clone(),
            client_tls: config.client_tls.clone(),
            mesh: mesh.clone(),
            clock: clock.clone(),
            looking: Arc::default(),
            nodes: Mutex::new(Kept::new(loaded.nodes, now_ms)),
            clients: clients.transpose()?,
        })))
    }

    /// Looks at the files for as long as the node runs.
    pub(crate) fn start(&self, tracker: &TaskTracker, stopping: &CancellationToken) {
        let (this, stopping) = (self.clone(), stopping.clone());
        tracker.spawn(async move { stopping.run_until_cancelled(this.keep_looking()).await });
    }

    async fn keep_looking(self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangups = signal(SignalKind::hangup()).inspect_err(|cause| {
            tracing::error!(%cause, "certificates are not read again upon SIGHUP");
        });
        loop {
            tokio::select! {
                biased;
                () = hung_up(hangups.as_mut().ok()) => {
                    tracing::info!("SIGHUP: certificates are read again");
                }
                _ = looks.tick() => {}
            }
            self.look().await;
        }
    }

    /// Looks at the files now, and takes what is new and fits. [`Certificates::standing`] says
    /// what came of it.
    pub(crate) async fn look(&self) {
        let this = self.clone();
        // It goes where the look goes: whoever gives up waiting does not let in the next.
        let turn = Arc::clone(&self.0.looking).lock_owned().await;
        // It reads files.
        let looked = tokio::task::spawn_blocking(move || {
            this.0.look_now();
            drop(turn);
        })
        .await;
        if let Err(cause) = looked {
            tracing::error!(%cause, "certificates were not looked at");
        }
    }

    /// How they stand: of nodes, then of clients.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        let nodes = locked(&self.0.nodes).standing(|nodes| {
            let authorities = nodes.authorities_certified().into_iter();
            let authorities = authorities.map(|one| ("authority", one));
            std::iter::once(("node", nodes.certified()))
                .chain(authorities)
                .collect()
        });
        let clients = self.0.clients.iter().map(|(_, clients)| {
            locked(clients).standing(|clients| vec![("clients", clients.certified())])
        });
        std::iter::once(nodes).chain(clients).collect()
    }

    /// Why what the files hold is not in force; the first reason of several.
    pub(crate) fn refused(&self) -> Option<String> {
        self.standing().into_iter().find_map(|one| one.refused)
    }

    /// What expires first of that which expires within [`EXPIRES_SOON`], and in how many
    /// seconds.
    pub(crate) fn expires_soon(&self, now_ms: u64) -> Option<(&'static str, i64)> {
        first_to_expire(&self.standing(), now_ms)
    }

    /// What is shown to clients on their port, and on that of operators; `None` for HTTP.
    pub(crate) fn doors(&self) -> [Option<ClientTls>; 2] {
        let api = self.0.clients.as_ref().map(|(shown, _)| shown.door());
        let admin = api.clone().filter(|_| self.0.client_tls.admin);
        [api, admin]
    }
}

impl Inner {
    fn look_now(&self) {
        let now_ms = self.clock.now().as_millis();
        // Files are read before it is locked: a disk may hang, and others ask how it stands.
        let read = nodes_of(&self.tls);
        locked(&self.nodes).look("tls", now_ms, read, |nodes| {
            Ok(self.mesh.renew(nodes).map(drop)?)
        });
        if let Some((shown, clients)) = &self.clients {
            let read = clients_of(&self.client_tls)
                .and_then(|read| read.context("client_tls.cert was there at the start"));
            locked(clients).look("client_tls", now_ms, read, |clients| shown.change(clients));
        }
    }
}

fn nodes_of(tls: &TlsSection) -> anyhow::Result<TlsMaterial> {
    Ok(TlsMaterial::load(&tls.ca, &tls.cert, &tls.key)?)
}

fn clients_of(tls: &ClientTlsSection) -> anyhow::Result<Option<ServerMaterial>> {
    let read = tls
        .is_on()
        .then(|| ServerMaterial::load(&tls.cert, &tls.key));
    read.transpose().context("client_tls")
}

/// An authority that has issued nothing which is in force here may go: it is on its way out.
fn first_to_expire(standing: &[Standing], now_ms: u64) -> Option<(&'static str, i64)> {
    let now = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX);
    let soon = i64::try_from(EXPIRES_SOON.as_secs()).unwrap_or(i64::MAX);
    let issuers: Vec<_> = all(standing)
        .filter_map(|(_, one)| one.issuer_key.clone())
        .collect();
    all(standing)
        .filter(|(what, one)| {
            *what != "authority" || one.own_key.as_ref().is_none_or(|key| issuers.contains(key))
        })
        .map(|(what, one)| (*what, one.until_seconds.saturating_sub(now)))
        .filter(|(_, left)| *left < soon)
        .min_by_key(|(_, left)| *left)
}

fn all(standing: &[Standing]) -> impl Iterator<Item = &(&'static str, Certified)> {
    standing.iter().flat_map(|one| &one.certificates)
}

async fn hung_up(signals: Option<&mut Signal>) {
    match signals {
        Some(signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}

// A panic cannot leave it half changed: whoever comes next goes on with it.
fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
