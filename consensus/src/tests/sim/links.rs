//! Links between nodes, and the pulses that follow them.

use std::collections::BTreeMap;

/// How a link is cut, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The pulse stops with it.
    Loud,
    /// The pulse goes on: nobody notices.
    Silent,
}

/// All of them. Instants are milliseconds since the world began.
#[derive(Debug, Default)]
pub(super) struct Links {
    cuts: BTreeMap<(u64, u64), Cut>,
    pulses: BTreeMap<(u64, u64), Pulse>,
}

#[derive(Debug, Clone, Copy)]
struct Pulse {
    beats: bool,
    since_ms: i64,
}

/// As if everything had been well for long.
const BEFORE_ALL_MS: i64 = -60_000;

impl Links {
    pub(super) fn cut(&mut self, from: u64, to: u64, how: Cut) {
        self.cuts.insert((from, to), how);
    }

    pub(super) fn mend(&mut self, from: u64, to: u64) {
        self.cuts.remove(&(from, to));
    }

    pub(super) fn mend_all(&mut self) {
        self.cuts.clear();
    }

    pub(super) fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cuts.contains_key(&(from, to))
    }

    /// Takes note of who is up and which links carry.
    pub(super) fn feel(&mut self, up: &[u64], now_ms: i64) {
        for from in 1..=3 {
            for to in (1..=3).filter(|to| *to != from) {
                let silenced = [(from, to), (to, from)]
                    .iter()
                    .any(|link| self.cuts.get(link) == Some(&Cut::Loud));
                let beats = up.contains(&from) && up.contains(&to) && !silenced;
                let pulse = self.pulses.entry((from, to)).or_insert(Pulse {
                    beats: true,
                    since_ms: BEFORE_ALL_MS,
                });
                if pulse.beats != beats {
                    *pulse = Pulse {
                        beats,
                        since_ms: now_ms,
                    };
                }
            }
        }
    }

    /// For how long `from` has felt the pulse of `to`, in milliseconds; it learns of
    /// every change `lag_ms` late.
    pub(super) fn alive_for(&self, from: u64, to: u64, now_ms: i64, lag_ms: u64) -> Option<u64> {
        let pulse = self.pulses.get(&(from, to))?;
        let noticed_for = u64::try_from(now_ms - pulse.since_ms)
            .ok()?
            .checked_sub(lag_ms);
        match (pulse.beats, noticed_for) {
            (true, noticed) => noticed,
            (false, Some(_)) => None,
            (false, None) => Some(BEFORE_ALL_MS.unsigned_abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cut, Links};

    #[test]
    fn pulse_follows_a_loud_cut_with_a_lag_and_a_silent_one_never() {
        let mut links = Links::default();
        links.feel(&[1, 2, 3], 0);
        links.cut(1, 2, Cut::Loud);
        links.cut(3, 1, Cut::Silent);
        links.feel(&[1, 2, 3], 1_000);
        assert!(
            links.alive_for(1, 2, 1_100, 200).is_some(),
            "not noticed yet"
        );
        assert_eq!(links.alive_for(2, 1, 1_300, 200), None);
        assert!(links.alive_for(3, 1, 9_000, 200).is_some());
        links.mend(1, 2);
        links.feel(&[1, 2, 3], 2_000);
        assert_eq!(links.alive_for(1, 2, 2_100, 200), None);
        assert_eq!(links.alive_for(1, 2, 2_300, 200), Some(100));
    }
}
