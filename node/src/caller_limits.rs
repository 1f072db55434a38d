//! How many requests each caller may send: a bucket for each, which fills as time goes by.
//!
//! A caller is a subject, or where nobody has said who it is, the network that it comes from.
//! So many callers are remembered; of more, who has been silent for longest is forgotten, and
//! begins with a full bucket again. What it is not: a bound on what all of them may send at
//! once, which is `limits.requests_in_flight`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use lru::LruCache;

/// Callers that are remembered, of some 200 bytes each.
const CALLERS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");
/// What is allowed, and what is left of it (draft-ietf-httpapi-ratelimit-headers-10).
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// Those of a subject.
    Subject(Arc<str>),
    /// Those from a network, by its number; of all that nobody can tell apart, 0.
    Network(u64),
}

/// What a caller is told with every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// Requests that it may send at once.
    remaining: u32,
    /// Until then for the next one; nothing if it may be sent now.
    pub(crate) wait: Option<Duration>,
}

/// See the module.
pub(crate) struct CallerLimits {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    clock: DefaultClock,
    buckets: Mutex<LruCache<Counted, Arc<Bucket>>>,
}

impl CallerLimits {
    /// So many requests a second in the long run, and so many at once. `None` for no bound.
    pub(crate) fn new(per_second: u32, burst: NonZeroU32) -> Option<Self> {
        Some(Self {
            per_second: NonZeroU32::new(per_second)?,
            burst,
            clock: DefaultClock::default(),
            buckets: Mutex::new(LruCache::new(CALLERS_MAX)),
        })
    }

    /// Counts a request of a caller; what is left says whether it was one too many.
    pub(crate) fn count(&self, caller: Counted) -> Left {
        let bucket = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = || Arc::new(self.bucket());
            Arc::clone(buckets.get_or_insert(caller, fresh))
        };
        match bucket.check() {
            Ok(snapshot) => Left {
                remaining: snapshot.remaining_burst_capacity(),
                wait: None,
            },
            Err(not_until) => Left {
                remaining: 0,
                wait: Some(not_until.wait_time_from(self.clock.now())),
            },
        }
    }

    /// Says in an answer what is allowed, and what is left.
    pub(crate) fn tell(&self, left: Left, headers: &mut HeaderMap) {
        let (burst, rate) = (self.burst.get(), self.per_second.get());
        let window = burst.div_ceil(rate);
        let used = burst.saturating_sub(left.remaining);
        let refilled = used.div_ceil(rate);
        let policy = format!("\"caller\";q={burst};w={window}");
        let standing = format!("\"caller\";r={};t={refilled}", left.remaining);
        for (name, text) in [(POLICY, policy), (LEFT, standing)] {
            let value = HeaderValue::try_from(text).expect("digits are visible");
            headers.insert(name, value);
        }
    }

    fn bucket(&self) -> Bucket {
        let quota = Quota::per_second(self.per_second).allow_burst(self.burst);
        RateLimiter::direct_with_clock(quota, self.clock.clone())
            .with_middleware::<StateInformationMiddleware>()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use axum::http::HeaderMap;

    use super::{CALLERS_MAX, CallerLimits, Counted};

    fn limits(per_second: u32, burst: u32) -> CallerLimits {
        let burst = NonZeroU32::new(burst).expect("not zero");
        CallerLimits::new(per_second, burst).expect("a bound")
    }

    fn subject(name: &str) -> Counted {
        Counted::Subject(name.into())
    }

    #[test]
    fn one_who_sends_too_much_is_told_until_when_and_others_are_not_kept_out() {
        let limits = limits(1, 3);
        let first = limits.count(subject("ann"));
        assert_eq!((first.remaining, first.wait), (2, None));
        // However slow this machine is, it asks more than once a second.
        let mut asked = std::iter::repeat_with(|| limits.count(subject("ann"))).take(1_000);
        let left = asked.find(|left| left.wait.is_some()).expect("too many");
        let wait = left.wait.expect("one too many");
        assert!(
            wait <= Duration::from_secs(1) && !wait.is_zero(),
            "{wait:?}"
        );
        for other in [subject("ben"), Counted::Network(0), Counted::Network(7)] {
            assert_eq!(limits.count(other).wait, None);
        }
        let mut headers = HeaderMap::new();
        limits.tell(left, &mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"caller\";q=3;w=3");
        assert_eq!(headers["ratelimit"], "\"caller\";r=0;t=3");
    }

    #[test]
    fn callers_are_bounded_and_the_silent_ones_are_forgotten() {
        let limits = limits(1, 1);
        assert_eq!(limits.count(subject("ann")).wait, None);
        for number in 0..CALLERS_MAX.get() - 1 {
            limits.count(Counted::Network(number as u64));
        }
        let knows = |name| {
            let buckets = limits.buckets.lock().expect("not poisoned");
            buckets.contains(&subject(name))
        };
        assert!(knows("ann"));
        for number in 0..CALLERS_MAX.get() {
            limits.count(Counted::Network(1 << 40 | number as u64));
        }
        let buckets = limits.buckets.lock().expect("not poisoned");
        assert_eq!(buckets.len(), CALLERS_MAX.get());
        drop(buckets);
        assert!(!knows("ann"));
    }

    #[test]
    fn no_rate_is_no_bound() {
        assert!(CallerLimits::new(0, NonZeroU32::MIN).is_none());
    }
}
