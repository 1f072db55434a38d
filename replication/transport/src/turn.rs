//! Which address of a peer a dial goes to, if its name has several.
//!
//! Pure. Invariant kept here: all addresses take turns; one that has refused this node lets the
//! others go first for a while ([`crate::away`]), and never keeps a peer from being dialled that has
//! no other one.

use std::net::SocketAddr;
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// How many dials there were before.
    pub(crate) attempt: usize,
    /// How long there has been no answer.
    pub(crate) away: Duration,
    /// Addresses that have refused just now.
    pub(crate) resting: Vec<SocketAddr>,
}

impl Turn {
    /// One of the addresses, and how often all of them have been tried before.
    pub(crate) fn of(&self, addresses: &[SocketAddr]) -> Option<(SocketAddr, usize)> {
        let awake = addresses
            .iter()
            .filter(|address| !self.resting.contains(address));
        let mut dialled: Vec<_> = awake.collect();
        if dialled.is_empty() {
            dialled.extend(addresses);
        }
        let count = dialled.len().max(1);
        let address = dialled.get(self.attempt % count)?;
        Some((**address, self.attempt / count))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::Turn;

    #[test]
    fn addresses_take_turns_and_those_that_have_refused_go_last() {
        let [one, two, three] = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let turn = |attempt: usize, resting: &[SocketAddr]| Turn {
            attempt,
            away: Duration::ZERO,
            resting: resting.to_vec(),
        };
        let all = [one, two, three];
        assert_eq!(turn(4, &[]).of(&all), Some((two, 1)));
        for attempt in 0..4 {
            let (address, _) = turn(attempt, &[two]).of(&all).expect("two are awake");
            assert_ne!(address, two);
        }
        assert_eq!(turn(5, &[two, three]).of(&all), Some((one, 5)));
        assert_eq!(turn(5, &all).of(&all), Some((three, 1)), "nobody is left");
        assert_eq!(turn(5, &[]).of(&[]), None);
    }
}
