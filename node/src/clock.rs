//! Wall time: this machine's, and a node's own ([`Clock`]).

mod settable;

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use meridian_regions::UnixNanos;

pub(crate) use settable::{Clock, OFFSET_MS_MAX, RATE_PPM_MAX, Skew};

/// Now, by this machine's clock: for programs that are no node. A clock before 1970 reads
/// as 1970.
pub(crate) fn now() -> UnixNanos {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos::from_millis(0).saturating_add(since)
}

/// An instant in milliseconds since 1970, as RFC 3339 in UTC.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    i64::try_from(unix_ms)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

/// The civil date of an instant, in UTC.
pub(crate) fn date_utc(at: UnixNanos) -> Date {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
        .to_zoned_datetime(TimeZone::UTC)
        .date()
}
