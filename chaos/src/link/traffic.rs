//! What has become of the datagrams of one direction, counted where it happens: by these
//! counts a fault is seen to have taken effect.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Lateness;
use super::lane::{Fate, Loss, Parcel};

/// Datagrams of one direction since the links began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// That came to the link.
    pub arrived: u64,
    /// That it let out, copies included.
    pub passed: u64,
    /// Lost because the direction was cut.
    pub cut: u64,
    /// Lost by chance, each for itself.
    pub lost: u64,
    /// Lost in bursts.
    pub lost_in_burst: u64,
    /// Lost because they were too long.
    pub too_long: u64,
    /// Lost because too many were under way, or waited for the bandwidth.
    pub overflowed: u64,
    /// That went out twice.
    pub duplicated: u64,
    /// That later ones overtook.
    pub reordered: u64,
    /// Of which a bit was flipped.
    pub corrupted: u64,
    /// That had to wait for the bandwidth.
    pub queued: u64,
    /// Time under way of all that passed, together, in microseconds.
    pub under_way_us: u64,
}

impl Traffic {
    /// What has come on top of an earlier count.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            arrived: self.arrived - earlier.arrived,
            passed: self.passed - earlier.passed,
            cut: self.cut - earlier.cut,
            lost: self.lost - earlier.lost,
            lost_in_burst: self.lost_in_burst - earlier.lost_in_burst,
            too_long: self.too_long - earlier.too_long,
            overflowed: self.overflowed - earlier.overflowed,
            duplicated: self.duplicated - earlier.duplicated,
            reordered: self.reordered - earlier.reordered,
            corrupted: self.corrupted - earlier.corrupted,
            queued: self.queued - earlier.queued,
            under_way_us: self.under_way_us - earlier.under_way_us,
        }
    }

    /// Mean time under way of those that passed; `None` if none has.
    #[must_use]
    pub fn mean_under_way(&self) -> Option<Duration> {
        let micros = self.under_way_us.checked_div(self.passed)?;
        Some(Duration::from_micros(micros))
    }
}

/// Counts of one direction, written by its relays.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<(Traffic, Lateness)>);

impl Meter {
    pub(crate) fn traffic(&self) -> Traffic {
        self.counts().0
    }

    pub(crate) fn lateness(&self) -> Lateness {
        self.counts().1
    }

    /// A datagram came, and this was decided about it.
    pub(crate) fn arrived(&self, fate: &Fate) {
        let traffic = &mut self.counts().0;
        traffic.arrived += 1;
        match fate {
            Fate::Lost(loss) => {
                *match loss {
                    Loss::Cut => &mut traffic.cut,
                    Loss::Chance => &mut traffic.lost,
                    Loss::Burst => &mut traffic.lost_in_burst,
                    Loss::TooLong => &mut traffic.too_long,
                    Loss::Overflow => &mut traffic.overflowed,
                } += 1;
            }
            Fate::Passes {
                duplicated,
                corrupted,
                queued,
            } => {
                traffic.duplicated += u64::from(*duplicated);
                traffic.corrupted += u64::from(*corrupted);
                traffic.queued += u64::from(*queued);
            }
        }
    }

    /// A datagram has been let out.
    pub(crate) fn passed(&self, parcel: &Parcel) {
        let (traffic, lateness) = &mut *self.counts();
        traffic.passed += 1;
        traffic.reordered += u64::from(parcel.overtaken);
        let under_way = u64::try_from(parcel.under_way.as_micros());
        traffic.under_way_us += under_way.unwrap_or(u64::MAX / 2);
        lateness.add(parcel.late);
    }

    fn counts(&self) -> MutexGuard<'_, (Traffic, Lateness)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
