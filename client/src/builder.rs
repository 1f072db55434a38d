//! A client that finds its way by itself: from a few seeds to the nearest region.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::client::Client;
use crate::credential::Credential;
use crate::options::ClientOptions;
use crate::roster::Ranking;
use crate::session::Session;
use crate::trust::Trust;
use crate::wire::{Http, Wire};

/// Seeds at most: they are where a client begins, not the cluster.
const SEEDS_MAX: usize = 16;

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Nothing to begin with.
    #[error("a client needs a seed: the URL of any node's API, as in http://127.0.0.1:7400")]
    NoSeed,
    /// Too many to begin with.
    #[error("{0} seeds are too many: 16 at most, the others are found by themselves")]
    Seeds(usize),
    /// A seed that is no URL of an API.
    #[error("seed `{seed}`: {why}; write it as http://host:port or https://host")]
    Seed {
        /// What was given.
        seed: String,
        /// What is wrong with it.
        why: String,
    },
    /// A wait of no time.
    #[error("{0} is zero: nothing is answered in no time")]
    Zero(&'static str),
}

/// What a client is to be.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing before build"]
pub struct ClientBuilder {
    options: ClientOptions,
    session: Session,
    wire: Option<Arc<dyn Wire>>,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            options: ClientOptions::of(Vec::new()),
            session: Session::new(),
            wire: None,
        }
    }

    /// Any node's API. Several seeds help a client that starts while a region is down; the
    /// first one that can be reached is enough.
    pub fn seed(mut self, url: impl Into<String>) -> Self {
        self.options.endpoints.push(url.into());
        self
    }

    /// Time for a whole call, repetitions included; 10 s if nothing is said.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// Time for one attempt at one endpoint; 8 s if nothing is said, longer than a node
    /// takes to say that it has no quorum.
    pub const fn attempt(mut self, attempt: Duration) -> Self {
        self.options.attempt = attempt;
        self
    }

    /// Goes on with a session, as another client has left it.
    pub fn session(mut self, session: Session) -> Self {
        self.session = session;
        self
    }

    /// Proves to nodes who calls, with every call.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.options.credential = Some(credential);
        self
    }

    /// Believes these authorities where an endpoint's URL begins with `https`; what this
    /// machine trusts if nothing is said.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.options.trust = trust;
        self
    }

    /// Another way to the endpoints than HTTP.
    pub(crate) fn wire(mut self, wire: Arc<dyn Wire>) -> Self {
        self.wire = Some(wire);
        self
    }

    /// The client. It has asked nobody yet: the first call does, or [`Client::discover`].
    ///
    /// # Errors
    /// [`BuildError`] says what to write instead.
    pub fn build(self) -> Result<Client, BuildError> {
        let seeds = &self.options.endpoints;
        if seeds.is_empty() {
            return Err(BuildError::NoSeed);
        }
        if seeds.len() > SEEDS_MAX {
            return Err(BuildError::Seeds(seeds.len()));
        }
        for seed in seeds {
            check(seed).map_err(|why| BuildError::Seed {
                seed: seed.clone(),
                why,
            })?;
        }
        for (what, wait) in [
            ("deadline", self.options.deadline),
            ("attempt", self.options.attempt),
        ] {
            if wait.is_zero() {
                return Err(BuildError::Zero(what));
            }
        }
        let wire = match self.wire {
            Some(wire) => wire,
            None => Arc::new(Http::new(&self.options.trust)),
        };
        let ranking = Ranking::ByRoundTrip;
        Ok(Client::assemble(self.options, self.session, wire, ranking))
    }
}

/// Whether a URL can be that of an API.
pub(crate) fn check(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|cause| cause.to_string())?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err("it is no HTTP URL".to_owned());
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("it has a query or a fragment".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BuildError, SEEDS_MAX};
    use crate::Client;

    #[test]
    fn what_cannot_be_a_client_is_refused_with_what_to_write() {
        let none = Client::builder().build();
        assert_eq!(none.err(), Some(BuildError::NoSeed));
        for seed in [
            "",
            "127.0.0.1:7400",
            "ftp://host",
            "http://host?x=1",
            "http://",
        ] {
            let refused = Client::builder().seed(seed).build().err();
            let told = refused.expect("it is no seed").to_string();
            assert!(told.contains("http://host:port"), "{told}");
        }
        let mut many = Client::builder();
        for port in 0..=SEEDS_MAX {
            many = many.seed(format!("http://127.0.0.1:{port}"));
        }
        assert_eq!(many.build().err(), Some(BuildError::Seeds(SEEDS_MAX + 1)));
        let never = Client::builder()
            .seed("http://host")
            .deadline(Duration::ZERO);
        assert_eq!(never.build().err(), Some(BuildError::Zero("deadline")));
    }
}
