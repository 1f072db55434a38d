//! Who may do what.

use std::num::NonZeroU64;
use std::path::PathBuf;

use anyhow::{Context, bail};
use axum::http::Uri;
use serde::{Deserialize, Serialize};

use crate::auth::Expected;

/// Most that clocks of issuers and nodes may differ, in seconds.
const LEEWAY_SECONDS_MAX: u32 = 300;

/// What callers prove themselves with. Without this section nobody has to prove anything.
/// The same on every node of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSection {
    /// File with the public keys that sign tokens (JWKS), read again when it changes. Empty:
    /// none.
    pub jwks_file: PathBuf,
    /// Where the same is had instead: `https://login.example.com/.well-known/jwks.json`.
    /// Empty: nowhere.
    pub jwks_url: String,
    /// PEM file with authorities to believe at `jwks_url`, beside those of this machine.
    /// Empty: none.
    pub jwks_ca_file: PathBuf,
    /// How often `jwks_url` is asked, in seconds.
    pub jwks_refresh_seconds: NonZeroU64,
    /// How soon it is asked again because a token names a key that is not known, or because
    /// it did not answer, in seconds.
    pub jwks_retry_seconds: NonZeroU64,
    /// Who must have made a token (`iss`). Empty: whoever has the key.
    pub issuer: String,
    /// Whom a token must be for (`aud`). Empty: anybody.
    pub audience: String,
    /// How long a token counts beyond its end, and before its beginning, because clocks
    /// differ, in seconds: at most 300.
    pub leeway_seconds: u32,
    /// File with hashes of API keys (`meridian auth new-key`), read again when it changes.
    /// Empty: none.
    pub api_keys_file: PathBuf,
    /// Whether listings and regions are read and searched without credentials.
    pub public_reads: bool,
}

impl Default for AuthSection {
    fn default() -> Self {
        Self {
            jwks_file: PathBuf::new(),
            jwks_url: String::new(),
            jwks_ca_file: PathBuf::new(),
            jwks_refresh_seconds: NonZeroU64::new(300).expect("not zero"),
            jwks_retry_seconds: NonZeroU64::new(10).expect("not zero"),
            issuer: String::new(),
            audience: String::new(),
            leeway_seconds: 30,
            api_keys_file: PathBuf::new(),
            public_reads: true,
        }
    }
}

impl AuthSection {
    /// Whether somebody can be known by it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let has = |path: &PathBuf| !path.as_os_str().is_empty();
        let has_tokens = has(&self.jwks_file) || !self.jwks_url.is_empty();
        if !has_tokens && !has(&self.api_keys_file) {
            bail!(
                "[auth] names no keys, so that nobody could use this node: set auth.jwks_file, auth.jwks_url or auth.api_keys_file, or leave the section out"
            );
        }
        if self.leeway_seconds > LEEWAY_SECONDS_MAX {
            bail!("auth.leeway_seconds: at most {LEEWAY_SECONDS_MAX}");
        }
        if has(&self.jwks_ca_file) && !self.jwks_url.starts_with("https://") {
            bail!("auth.jwks_ca_file: auth.jwks_url is not https://, so nobody is believed by it");
        }
        Ok(())
    }

    /// Every path of it.
    pub(super) const fn paths(&mut self) -> [&mut PathBuf; 3] {
        [
            &mut self.jwks_file,
            &mut self.jwks_ca_file,
            &mut self.api_keys_file,
        ]
    }

    pub(crate) fn url(&self) -> anyhow::Result<Uri> {
        let url: Uri = self.jwks_url.parse().context("auth.jwks_url")?;
        if !matches!(url.scheme_str(), Some("https" | "http")) || url.host().is_none() {
            bail!(
                "auth.jwks_url: {} is neither https:// nor http://",
                self.jwks_url
            );
        }
        if url.scheme_str() == Some("http") {
            tracing::warn!(
                %url,
                "auth.jwks_url is not https://: whoever is on the way can make himself anybody"
            );
        }
        Ok(url)
    }

    pub(crate) fn expected(&self) -> Expected {
        let named = |text: &String| (!text.is_empty()).then(|| text.clone());
        Expected {
            issuer: named(&self.issuer),
            audience: named(&self.audience),
            leeway_seconds: self.leeway_seconds,
        }
    }
}
