//! Keys whose requests are under way at this node: where they were asked, and where their
//! group is. A second request with the same key is told so, instead of doing the same work
//! beside the first.
//!
//! What it is not: what makes a key safe to repeat. That is the ledger, which gives one key
//! one outcome whether or not anybody was turned away here. So it is kept in memory alone,
//! and a claim ends with the task that holds it, however that ends.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_consensus_core::KeyName;

/// Keys under way at once: more than clients and peers together are let in with.
const KEYS_MAX: usize = 8_192;

/// Tells one request from another with the same key, to whichever nodes it travels.
pub(super) type Claimant = [u8; 16];

/// Why a key cannot be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Another request with the key is under way.
    ByAnother,
    /// Too many keys are.
    Full,
}

#[derive(Debug)]
struct Holder {
    claimant: Claimant,
    claims: usize,
}

/// Handle to them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<BTreeMap<KeyName, Holder>>>);

/// One request's right to a key. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Claim {
    all: InFlight,
    key: KeyName,
    pub(super) claimant: Claimant,
}

impl InFlight {
    /// Claims a key for a request of this node.
    pub(super) fn claim(&self, key: KeyName) -> Result<Claim, Taken> {
        self.claim_for(key, rand::random())
    }

    /// Claims a key for a request, which may have it already: it comes again where its
    /// answer was lost on the way.
    pub(super) fn claim_for(&self, key: KeyName, claimant: Claimant) -> Result<Claim, Taken> {
        let mut all = self.lock();
        let is_full = all.len() >= KEYS_MAX;
        match all.entry(key) {
            Entry::Occupied(mut held) if held.get().claimant == claimant => {
                held.get_mut().claims += 1;
            }
            Entry::Occupied(_) => return Err(Taken::ByAnother),
            Entry::Vacant(_) if is_full => return Err(Taken::Full),
            Entry::Vacant(free) => {
                free.insert(Holder {
                    claimant,
                    claims: 1,
                });
            }
        }
        drop(all);
        Ok(Claim {
            all: self.clone(),
            key,
            claimant,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<KeyName, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Entry::Occupied(mut held) = all.entry(self.key) {
            held.get_mut().claims -= 1;
            if held.get().claims == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InFlight, KEYS_MAX, Taken};

    #[test]
    fn key_is_taken_until_its_request_has_ended() {
        let all = InFlight::default();
        let first = all.claim([1; 16]).expect("free");
        assert_eq!(all.claim([1; 16]).err(), Some(Taken::ByAnother));
        let other = all.claim([2; 16]).expect("free");
        // The same request comes a second time, by another way.
        let again = all.claim_for([1; 16], first.claimant).expect("its own");
        drop(first);
        assert_eq!(all.claim([1; 16]).err(), Some(Taken::ByAnother));
        drop(again);
        assert!(all.claim([1; 16]).is_ok());
        drop(other);
        assert!(all.lock().is_empty());
    }

    #[test]
    fn task_that_is_given_up_or_panics_leaves_nothing_behind() {
        let all = InFlight::default();
        let claim = all.claim([1; 16]).expect("free");
        let given_up = async move {
            let _claim = claim;
            std::future::pending::<()>().await;
        };
        drop(given_up);
        let claim = all.claim([1; 16]).expect("free again");
        let panics = std::thread::spawn(move || {
            let _claim = claim;
            panic!("on purpose");
        });
        assert!(panics.join().is_err());
        assert!(all.claim([1; 16]).is_ok());
    }

    #[test]
    fn full_house_refuses_new_keys_and_knows_the_old() {
        let all = InFlight::default();
        let key = |number: usize| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&(number as u64).to_be_bytes());
            key
        };
        let claims: Vec<_> = (0..KEYS_MAX).map(|one| all.claim(key(one))).collect();
        assert!(claims.iter().all(Result::is_ok));
        assert_eq!(all.claim(key(KEYS_MAX)).err(), Some(Taken::Full));
        assert_eq!(all.claim(key(0)).err(), Some(Taken::ByAnother));
        drop(claims);
        assert!(all.claim(key(KEYS_MAX)).is_ok());
    }
}
