//! Who may do what: credentials, roles, and what is written down of operators.
//!
//! Callers prove who they are by a token that somebody else has signed, or by an API key
//! that this cluster knows by its hash; nothing here makes tokens. Without `[auth]` in the
//! configuration nobody has to prove anything. See ADR 45.
//!
//! Invariant kept here: no handler runs for somebody who may not use its route, and no part
//! of a request but its credentials says who sends it. Who owns a listing or a booking is
//! looked at by the handlers, through [`Who::reach`].

mod access;
mod api_keys;
mod basic;
mod caller;
mod entrance;
#[cfg(test)]
mod fuzz;
mod gate;
mod jwk;
mod jwt;
mod key_book;
mod key_ring;
mod lasting;
#[cfg(test)]
pub(crate) mod mint;
mod routes;
mod source;
mod watched_file;

use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use meridian_transport::Trust;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use access::{Access, Ownership};
pub(crate) use api_keys::{checked, new_key, written};
pub(crate) use basic::Taken;
pub(crate) use caller::{Caller, Reach, Role, Roles, Who};
pub(crate) use entrance::Entrance;
pub(crate) use gate::{Gate, Vouched, gate};
pub(crate) use jwt::Expected;
pub(crate) use routes::{Routes, Row};

use crate::config::AuthSection;
use api_keys::{BadKey, is_key};
use jwt::{BadToken, Token};
use key_book::KeyBook;
use key_ring::{Found, KeyRing, Pace};
use source::KeySource;

/// How often files of keys are looked at. An API key that is taken out is refused after two looks,
/// a token's key after one.
const FILES_EVERY: Duration = Duration::from_secs(5);

/// Why nobody is known by a request's credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproven {
    #[error("Authorization is `Bearer <token>` or `ApiKey <key>`, and is sent once")]
    Header,
    #[error(transparent)]
    Token(#[from] BadToken),
    #[error("this node knows no key that could have signed the token")]
    UnknownKey,
    #[error(transparent)]
    ApiKey(#[from] BadKey),
    #[error("this node takes no credentials of this kind")]
    Kind,
    #[error("the key or the token is another's than the name says")]
    Name,
    /// Not the caller's fault.
    #[error("this node has not been able to read the keys of tokens yet")]
    NoKeysYet,
}

/// What this node asks of callers.
#[derive(Debug)]
pub(crate) enum Auth {
    /// Nothing.
    Open,
    /// Credentials.
    Guarded(Guard),
}

/// What verifies credentials.
#[derive(Debug)]
pub(crate) struct Guard {
    tokens: Option<KeyRing>,
    expected: Expected,
    api_keys: Option<KeyBook>,
    public_reads: bool,
}

impl Auth {
    /// Reads what is configured, and keeps it up to date.
    ///
    /// # Errors
    /// A section that names no keys, or a file that cannot be read: a node that would refuse
    /// everybody does not start.
    pub(crate) fn start(
        section: Option<&AuthSection>,
        tracker: &TaskTracker,
        stopping: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let Some(section) = section else {
            tracing::warn!(
                "no [auth] in the configuration: whoever reaches the ports may do everything"
            );
            return Ok(Self::Open);
        };
        section.check()?;
        let tokens = match key_source(section)? {
            None => None,
            Some((mut source, refresh)) => {
                let keys = match &mut source {
                    // Said at the start, and not found out at the first token.
                    KeySource::File(file) => Some(first_keys(file)?),
                    KeySource::Url(_) => None,
                };
                let retry = Duration::from_secs(section.jwks_retry_seconds.get());
                let pace = Pace { refresh, retry };
                Some(KeyRing::start(source, keys, pace, tracker, stopping))
            }
        };
        let api_keys = (!section.api_keys_file.as_os_str().is_empty())
            .then(|| KeyBook::start(&section.api_keys_file, FILES_EVERY, tracker, stopping))
            .transpose()
            .with_context(|| format!("auth.api_keys_file {}", section.api_keys_file.display()))?;
        Ok(Self::Guarded(Guard {
            tokens,
            expected: section.expected(),
            api_keys,
            public_reads: section.public_reads,
        }))
    }

    /// Who has sent these headers.
    ///
    /// # Errors
    /// [`Unproven`]: credentials that are shown are good, also where none are needed.
    pub(crate) async fn identify(
        &self,
        headers: &HeaderMap,
        taken: Taken,
        now_seconds: u64,
    ) -> Result<Who, Unproven> {
        let Self::Guarded(guard) = self else {
            return Ok(Who::Anybody);
        };
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let Some(first) = shown.next() else {
            return Ok(Who::Nobody);
        };
        if shown.next().is_some() {
            return Err(Unproven::Header);
        }
        let text = first.to_str().map_err(|_bytes| Unproven::Header)?;
        let (scheme, credential) = text.split_once(' ').ok_or(Unproven::Header)?;
        let caller = if scheme.eq_ignore_ascii_case("bearer") {
            guard.by_token(credential.trim(), now_seconds).await?
        } else if scheme.eq_ignore_ascii_case("apikey") {
            guard.by_key(credential.trim(), now_seconds)?
        } else if scheme.eq_ignore_ascii_case("basic") && taken == Taken::Browsed {
            guard.by_user(credential.trim(), now_seconds).await?
        } else {
            return Err(Unproven::Header);
        };
        Ok(Who::Known(caller))
    }

    /// Whether listings are read without credentials.
    pub(crate) const fn has_public_reads(&self) -> bool {
        match self {
            Self::Open => true,
            Self::Guarded(guard) => guard.public_reads,
        }
    }

    /// Who asks by another node that has not said who it is: it asks for no credentials
    /// itself. Told nothing, this node believes nothing.
    pub(crate) const fn unsaid(&self) -> Who {
        match self {
            Self::Open => Who::Anybody,
            Self::Guarded(_) => Who::Nobody,
        }
    }

    /// How it stands, for operators.
    pub(crate) fn status(&self) -> serde_json::Value {
        match self {
            Self::Open => serde_json::json!({
                "enabled": false,
                "warning": "no [auth] in the configuration: whoever reaches the ports may do everything",
            }),
            Self::Guarded(guard) => serde_json::json!({
                "enabled": true,
                "token_keys": guard.tokens.as_ref().map(KeyRing::len),
                "api_keys": guard.api_keys.as_ref().map(KeyBook::len),
                "public_reads": guard.public_reads,
            }),
        }
    }
}

impl Guard {
    /// By what a browser asks its user for.
    async fn by_user(&self, credential: &str, now_seconds: u64) -> Result<Caller, Unproven> {
        let (user, password) = basic::parts(credential).ok_or(Unproven::Header)?;
        let caller = if is_key(&password) {
            self.by_key(&password, now_seconds)?
        } else {
            self.by_token(&password, now_seconds).await?
        };
        if caller.subject() == user {
            Ok(caller)
        } else {
            Err(Unproven::Name)
        }
    }

    fn by_key(&self, key: &str, now_seconds: u64) -> Result<Caller, Unproven> {
        let keys = self.api_keys.as_ref().ok_or(Unproven::Kind)?;
        Ok(keys.find(key, now_seconds)?)
    }

    async fn by_token(&self, text: &str, now_seconds: u64) -> Result<Caller, Unproven> {
        let keys = self.tokens.as_ref().ok_or(Unproven::Kind)?;
        let token = Token::parse(text)?;
        match keys.find(token.key_id.as_deref(), token.algorithm).await {
            Found::Key(key) => Ok(token.verify(&key, &self.expected, now_seconds)?),
            Found::Unknown => Err(Unproven::UnknownKey),
            Found::NoKeysYet => Err(Unproven::NoKeysYet),
        }
    }
}

fn first_keys(file: &mut watched_file::WatchedFile) -> anyhow::Result<jwk::KeySet> {
    let read = || format!("auth.jwks_file {}", file.path().display());
    let place = read();
    let bytes = file.read_now().with_context(|| place.clone())?;
    jwk::KeySet::parse(&bytes.unwrap_or_default()).with_context(|| place)
}

/// Where keys of tokens come from, and how often it is asked; `None` if nowhere.
fn key_source(section: &AuthSection) -> anyhow::Result<Option<(KeySource, Duration)>> {
    let file = &section.jwks_file;
    match (file.as_os_str().is_empty(), section.jwks_url.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => bail!("auth.jwks_file and auth.jwks_url: name one of them"),
        (false, true) => Ok(Some((KeySource::file(file), FILES_EVERY))),
        (true, false) => {
            let url = section.url()?;
            let is_named = !section.jwks_ca_file.as_os_str().is_empty();
            let trust = match (url.scheme_str(), is_named) {
                (Some("https"), true) => Trust::MachineAnd(&section.jwks_ca_file),
                (Some("https"), false) => Trust::Machine,
                _ => Trust::Nobody,
            };
            let source = KeySource::url(url, trust);
            let source = source.context("auth: whom to believe that they are auth.jwks_url")?;
            let every = Duration::from_secs(section.jwks_refresh_seconds.get());
            Ok(Some((source, every)))
        }
    }
}
