//! Where a client is, by its address: a database in MaxMind's format.
//!
//! An address goes in and a place comes out; neither is kept, logged or told to anybody.
//! What it is not: no proof of anything. Addresses are taken on trust, places are guesses,
//! and nothing but the order of regions depends on them.
//!
//! Invariant kept here: a database is used only once it has been read to its end and found
//! sound, and one that is not never takes the place of one that is.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::GeoIpSection;

/// Largest file that is read, in bytes: several times the largest that is sold.
const FILE_BYTES_MAX: u64 = 2 * 1_024 * 1_024 * 1_024;
/// Records that are looked at for a place: a database of countries or networks has none.
const RECORDS_TRIED: usize = 10_000;

/// Why a database cannot be used. Every message names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GeoIpError {
    #[error("cannot read geoip.database {path}: {cause}; name another file, or none by \"\"")]
    Unreadable {
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error("geoip.database {path} is longer than {FILE_BYTES_MAX} bytes: it is another file")]
    TooLong { path: PathBuf },
    #[error(
        "geoip.database {path} is not a sound database in MaxMind's format: {cause}; fetch it again"
    )]
    Broken {
        path: PathBuf,
        cause: MaxMindDbError,
    },
    #[error("geoip.database {path} ({kind}) has no places: use a database of cities")]
    NoPlaces { path: PathBuf, kind: String },
}

/// A place on the globe, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

/// The database that is configured, and how the file was that it came from.
pub(crate) struct GeoIp {
    path: PathBuf,
    used: RwLock<Arc<Reader<Vec<u8>>>>,
    seen: RwLock<Stamp>,
}

/// What becomes another when a file is replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds; also after a change of permissions.
    changed: (i64, i64),
}

/// The parts of a record that are read.
#[derive(Deserialize)]
struct Record {
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl GeoIp {
    /// Opens what is configured; `None` if nothing is. Reads the whole file.
    ///
    /// # Errors
    /// [`GeoIpError`].
    pub(crate) fn open(section: &GeoIpSection) -> Result<Option<Self>, GeoIpError> {
        let path = &section.database;
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let seen = stamp(path)?;
        let database = load(path)?;
        Ok(Some(Self {
            path: path.clone(),
            used: RwLock::new(Arc::new(database)),
            seen: RwLock::new(seen),
        }))
    }

    /// Where an address is; `None` for one that the database does not know.
    pub(crate) fn place(&self, address: IpAddr) -> Option<Place> {
        let used = self.used.read().unwrap_or_else(PoisonError::into_inner);
        place(&used, address)
    }

    /// Uses the file as it is now, if it is another. Reads the whole of it then.
    ///
    /// # Errors
    /// [`GeoIpError`]: once for each file that is not sound, always for one that cannot be
    /// read. The database before it stays in use.
    fn refresh(&self) -> Result<bool, GeoIpError> {
        let now = stamp(&self.path)?;
        if *self.seen.read().unwrap_or_else(PoisonError::into_inner) == now {
            return Ok(false);
        }
        let loaded = load(&self.path);
        if !matches!(loaded, Err(GeoIpError::Unreadable { .. })) {
            *self.seen.write().unwrap_or_else(PoisonError::into_inner) = now;
        }
        let database = Arc::new(loaded?);
        *self.used.write().unwrap_or_else(PoisonError::into_inner) = database;
        Ok(true)
    }
}

/// Opens what is configured, and looks at the file every so often until `cancel`.
///
/// # Errors
/// [`GeoIpError`].
pub(crate) fn start(
    section: &GeoIpSection,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> Result<Option<Arc<GeoIp>>, GeoIpError> {
    let geoip = GeoIp::open(section)?.map(Arc::new);
    if let Some(followed) = geoip.clone() {
        let (every, cancel) = (section.reload_every(), cancel.clone());
        tracker.spawn(async move { cancel.run_until_cancelled(follow(&followed, every)).await });
    }
    Ok(geoip)
}

async fn follow(geoip: &Arc<GeoIp>, every: Duration) {
    let mut looks = interval(every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        looks.tick().await;
        let looking = Arc::clone(geoip);
        let refreshed = tokio::task::spawn_blocking(move || looking.refresh()).await;
        match refreshed {
            Ok(Ok(false)) => told = None,
            Ok(Ok(true)) => {
                told = None;
                tracing::info!(path = %geoip.path.display(), "uses another geoip.database");
            }
            Ok(Err(cause)) => {
                let cause = cause.to_string();
                // A file that stays away is told of once.
                if told.as_ref() != Some(&cause) {
                    tracing::warn!(cause, "goes on with the geoip.database that it has");
                    told = Some(cause);
                }
            }
            Err(panic) => tracing::error!(%panic, "reading geoip.database failed"),
        }
    }
}

fn stamp(path: &Path) -> Result<Stamp, GeoIpError> {
    let seen = std::fs::metadata(path).map_err(|cause| unreadable(path, cause))?;
    Ok(Stamp {
        inode: seen.ino(),
        bytes: seen.len(),
        changed: (seen.ctime(), seen.ctime_nsec()),
    })
}

fn load(path: &Path) -> Result<Reader<Vec<u8>>, GeoIpError> {
    let broken = |cause| GeoIpError::Broken {
        path: path.to_path_buf(),
        cause,
    };
    let file = File::open(path).map_err(|cause| unreadable(path, cause))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| unreadable(path, cause))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(GeoIpError::TooLong {
            path: path.to_path_buf(),
        });
    }
    bytes.shrink_to_fit();
    let database = Reader::from_source(bytes).map_err(broken)?;
    database.verify().map_err(broken)?;
    let records = database.networks(WithinOptions::default());
    let mut tried = records.map_err(broken)?.take(RECORDS_TRIED).flatten();
    if !tried.any(|found| place_in(found.decode()).is_some()) {
        return Err(GeoIpError::NoPlaces {
            path: path.to_path_buf(),
            kind: database.metadata().database_type.clone(),
        });
    }
    Ok(database)
}

fn place(database: &Reader<Vec<u8>>, address: IpAddr) -> Option<Place> {
    // What cannot be looked up in it, as IPv6 where there is IPv4 only, is not known to it.
    let found = database.lookup(address.to_canonical()).ok()?;
    place_in(found.decode())
}

fn place_in(record: Result<Option<Record>, MaxMindDbError>) -> Option<Place> {
    let location = record.ok()??.location?;
    let place = Place {
        latitude: location.latitude?,
        longitude: location.longitude?,
    };
    (place.latitude.abs() <= 90.0 && place.longitude.abs() <= 180.0).then_some(place)
}

fn unreadable(path: &Path, cause: std::io::Error) -> GeoIpError {
    GeoIpError::Unreadable {
        path: path.to_path_buf(),
        cause,
    }
}

#[cfg(test)]
mod tests;
