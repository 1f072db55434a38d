//! What this node drives: who is at it, how often it failed, when it is tried again.
//!
//! Kept in memory alone: the ledger says what is wanted, this only keeps one driver of
//! a node from getting into another's way, and tells operators. The next leader begins
//! with an empty one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_consensus_core::{Applied, OpenPayment};
use meridian_regions::{BookingId, ListingId};
use tokio::sync::{Notify, watch};

/// Payments that a node drives or waits to drive again. Beyond it new ones wait in
/// their ledgers.
pub(super) const ATTEMPTS_MAX: usize = 4_096;
/// Pause after a first failure; it doubles up to the greatest.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// A provider that is down for hours is asked once a minute.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Failures after which a payment counts as stuck.
const STUCK_TRIES: u32 = 3;

/// What the first entry of a driver came to, for the client that waits for it.
pub(super) type Settling = watch::Receiver<Option<Applied>>;

/// A payment that this node drives, for operators.
#[derive(Debug, Clone)]
pub(crate) struct Saga {
    pub(crate) booking: BookingId,
    pub(crate) open: OpenPayment,
    pub(crate) tries: u32,
    pub(crate) last_error: String,
}

impl Saga {
    /// Whether it does not come on by itself.
    pub(crate) const fn is_stuck(&self) -> bool {
        self.tries >= STUCK_TRIES
    }
}

#[derive(Debug)]
struct Attempt {
    open: OpenPayment,
    tries: u32,
    last_error: String,
    settling: Settling,
    /// Ends its driver's pause.
    nudge: Arc<Notify>,
}

/// When a payment may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// When its pause is over.
    InTurn,
    /// Now: somebody waits for it. Ends the pause of whoever is at it.
    Now,
}

/// Whether to drive.
pub(super) enum Begin {
    /// It is this caller's: drive, and tell what the first entry came to.
    Go(watch::Sender<Option<Applied>>, Settling),
    /// Somebody is at it.
    Running(Settling),
    /// Too many.
    Full,
}

/// Handle to them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts {
    all: Arc<Mutex<BTreeMap<BookingId, Attempt>>>,
}

impl Attempts {
    pub(super) fn begin(&self, booking: &BookingId, open: &OpenPayment, urgency: Urgency) -> Begin {
        let mut all = self.lock();
        if let Some(attempt) = all.get(booking) {
            if urgency == Urgency::Now {
                attempt.nudge.notify_one();
            }
            return Begin::Running(attempt.settling.clone());
        }
        if all.len() >= ATTEMPTS_MAX {
            return Begin::Full;
        }
        let (tell, settling) = watch::channel(None);
        let attempt = Attempt {
            open: open.clone(),
            tries: 0,
            last_error: String::new(),
            settling: settling.clone(),
            nudge: Arc::default(),
        };
        all.insert(booking.clone(), attempt);
        Begin::Go(tell, settling)
    }

    /// The same driver goes on with the next step.
    pub(super) fn step(&self, booking: &BookingId, open: &OpenPayment) {
        if let Some(attempt) = self.lock().get_mut(booking) {
            attempt.open.clone_from(open);
            attempt.tries = 0;
            attempt.last_error.clear();
        }
    }

    /// The driver could not do the step. Answers how long to wait, and what ends that.
    pub(super) fn failed(&self, booking: &BookingId, error: &str) -> (Duration, Arc<Notify>) {
        let mut all = self.lock();
        let Some(attempt) = all.get_mut(booking) else {
            return (PAUSE_MAX, Arc::default());
        };
        let pause = (PAUSE_MIN * 2_u32.saturating_pow(attempt.tries.min(16))).min(PAUSE_MAX);
        attempt.tries = attempt.tries.saturating_add(1);
        error.clone_into(&mut attempt.last_error);
        (pause, Arc::clone(&attempt.nudge))
    }

    /// Lets a driver look at once what has become of its payment.
    pub(super) fn nudge(&self, booking: &BookingId) {
        if let Some(attempt) = self.lock().get(booking) {
            attempt.nudge.notify_one();
        }
    }

    /// Nothing is left to do, or this node stops.
    pub(super) fn finished(&self, booking: &BookingId) {
        self.lock().remove(booking);
    }

    /// Whether a payment of a listing is driven here.
    pub(super) fn is_driving(&self, listing: &ListingId) -> bool {
        let all = self.lock();
        let from = BookingId::new(listing.clone(), 0);
        let first = all.range(from..).next();
        first.is_some_and(|(booking, _)| booking.listing() == listing)
    }

    /// Everything that is driven here, in the order of ids.
    pub(super) fn list(&self) -> Vec<Saga> {
        let all = self.lock();
        all.iter()
            .map(|(booking, attempt)| Saga {
                booking: booking.clone(),
                open: attempt.open.clone(),
                tries: attempt.tries,
                last_error: attempt.last_error.clone(),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BookingId, Attempt>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
