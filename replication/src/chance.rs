//! Chance, where it decides when something happens or what it is called. A simulation puts
//! its seed in its place.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;

/// One of these times.
pub(crate) fn within(times: RangeInclusive<Duration>) -> Duration {
    #[cfg(test)]
    if let Some(number) = seeded::next() {
        let (least, most) = times.into_inner();
        let nanos = u64::try_from((most - least).as_nanos()).expect("short");
        return least + Duration::from_nanos(number % (nanos + 1));
    }
    rand::rng().random_range(times)
}

/// Any number.
pub(crate) fn number() -> u64 {
    #[cfg(test)]
    if let Some(number) = seeded::next() {
        return number;
    }
    rand::random()
}

#[cfg(test)]
pub(crate) use seeded::{is_seeded, seed};

/// Chance of the world that this thread simulates.
#[cfg(test)]
mod seeded {
    use std::cell::RefCell;

    use meridian_simulation::Rng;

    thread_local! {
        static CHANCE: RefCell<Option<Rng>> = const { RefCell::new(None) };
    }

    /// Lets a seed decide from now on, or nobody.
    pub(crate) fn seed(seed: Option<u64>) {
        CHANCE.set(seed.map(Rng::new));
    }

    pub(crate) fn is_seeded() -> bool {
        CHANCE.with_borrow(Option::is_some)
    }

    pub(super) fn next() -> Option<u64> {
        CHANCE.with_borrow_mut(|rng| Some(rng.as_mut()?.within(0, u64::MAX)))
    }
}
