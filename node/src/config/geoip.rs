//! The `[geoip]` section.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where clients are, by their address: for `GET /v1/regions/nearest` without coordinates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeoIpSection {
    /// A database of cities in MaxMind's format (`.mmdb`); empty for none. Replace it by
    /// renaming another over it.
    pub database: PathBuf,
    /// How often the file is looked at, in seconds: another one is used from then on.
    pub reload_seconds: NonZeroU64,
}

impl Default for GeoIpSection {
    fn default() -> Self {
        Self {
            database: PathBuf::new(),
            reload_seconds: NonZeroU64::new(60).expect("not zero"),
        }
    }
}

impl GeoIpSection {
    pub(crate) const fn reload_every(&self) -> Duration {
        Duration::from_secs(self.reload_seconds.get())
    }
}
