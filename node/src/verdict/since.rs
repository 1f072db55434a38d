//! Since when something is wrong. Pure.

use std::collections::BTreeMap;

/// When something that is wrong was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    /// Milliseconds since 1970.
    pub(super) at_ms: u64,
    /// Whether it was so at the first look: it may have begun earlier.
    pub(super) or_earlier: bool,
}

/// The beginnings of what is wrong now. As many as there are problems, which are bounded by
/// the nodes of the topology.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    known: BTreeMap<String, Beginning>,
    has_looked: bool,
}

impl Beginnings {
    /// Takes note of everything that is wrong now. What is over has no beginning any more.
    pub(super) fn note(&mut self, keys: impl Iterator<Item = String>, now_ms: u64) {
        let or_earlier = !self.has_looked;
        self.has_looked = true;
        let now = Beginning {
            at_ms: now_ms,
            or_earlier,
        };
        let known = std::mem::take(&mut self.known);
        let begun = keys.map(|key| {
            let beginning = known.get(&key).copied().unwrap_or(now);
            (key, beginning)
        });
        self.known = begun.collect();
    }

    pub(super) fn of(&self, key: &str) -> Option<Beginning> {
        self.known.get(key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{Beginning, Beginnings};

    fn note(beginnings: &mut Beginnings, keys: &[&str], now_ms: u64) {
        beginnings.note(keys.iter().map(|key| (*key).to_owned()), now_ms);
    }

    #[test]
    fn beginning_stays_while_something_is_wrong_and_is_new_when_it_is_wrong_again() {
        let mut beginnings = Beginnings::default();
        note(&mut beginnings, &["at-start"], 10);
        note(&mut beginnings, &["at-start", "later"], 20);
        note(&mut beginnings, &["at-start", "later"], 30);
        let begun = |at_ms, or_earlier| Some(Beginning { at_ms, or_earlier });
        assert_eq!(beginnings.of("at-start"), begun(10, true));
        assert_eq!(beginnings.of("later"), begun(20, false));
        note(&mut beginnings, &[], 40);
        assert_eq!(beginnings.of("later"), None);
        note(&mut beginnings, &["later"], 50);
        assert_eq!(beginnings.of("later"), begun(50, false));
    }
}
