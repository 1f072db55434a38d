//! What a client has seen, carried from answer to request.
//!
//! To a client a token is opaque: the contract has one sent back as it was, and promises that
//! an answer's token stands for what its request's stood for, too. So two of them can neither
//! be compared nor be joined here, and a request takes no more than one; what is known of
//! their order is which request carried which. The answer to a request that carried the token
//! that is held takes its place. Another answer came meanwhile to any other, which would set
//! the session back: it is passed over. One exception: a write is not forgotten for reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::HeaderMap;

use crate::answer::header;
use crate::call::SESSION;

/// A session that never goes back in time. Clones share it: hand a clone to a client
/// of another region, and that region waits until it has seen as much.
///
/// It is one sequence of calls: the answer to each is seen by all that begin after it. Of
/// calls that run at once it goes on from the one that was answered first; a later answer to
/// a write takes its place if that was to a read. What the others have seen may be missing in
/// the region that is asked next. So calls that run at once take a session each, which costs
/// nothing ([`crate::Client::with_session`]).
#[derive(Debug, Clone, Default)]
pub struct Session(Arc<Mutex<Held>>);

/// Tokens are counted as they come, so that each is told from those before it.
#[derive(Debug, Default)]
struct Held {
    token: Option<String>,
    count: u64,
    /// The count at the last one that a write has brought.
    write: u64,
}

/// What a request carries of a session.
#[derive(Debug)]
pub(crate) struct Carried {
    token: Option<String>,
    count: u64,
}

/// What an answer says of a session.
#[derive(Debug)]
pub(crate) struct Seen {
    token: String,
    carried: u64,
    by: By,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A read, or a refusal.
    Read,
    /// A write that was done.
    Write,
}

impl Session {
    /// A session that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The token to send, if there is one.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.held().token.clone()
    }

    /// What a request that is sent now carries.
    pub(crate) fn carried(&self) -> Carried {
        let held = self.held();
        Carried {
            token: held.token.clone(),
            count: held.count,
        }
    }

    /// Goes on from an answer, unless that would set it back.
    pub(crate) fn go_on_from(&self, seen: Seen) {
        let mut held = self.held();
        let is_next = seen.carried == held.count;
        let is_beside_reads = seen.by == By::Write && seen.carried >= held.write;
        if !is_next && !is_beside_reads {
            return;
        }
        held.count += 1;
        if seen.by == By::Write {
            held.write = held.count;
        }
        held.token = Some(seen.token);
    }

    /// One that has seen what this token stands for.
    #[cfg(test)]
    pub(crate) fn of(token: &str) -> Self {
        let session = Self::new();
        session.held().token = Some(token.to_owned());
        session
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carried {
    /// The token to send, if there is one.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// What the answer to that request says; `None` if it says nothing.
    pub(crate) fn seen(&self, headers: &HeaderMap, by: By) -> Option<Seen> {
        Some(Seen {
            token: header(headers, SESSION.as_str())?,
            carried: self.count,
            by,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{By, Carried, Seen, Session};

    /// A call under way: what it carries, and the calls whose answers that stands for.
    type Call = (Carried, BTreeSet<usize>);

    fn by() -> impl Strategy<Value = By> {
        prop_oneof![Just(By::Read), Just(By::Write)]
    }

    proptest! {
        /// `None` begins a call, `Some` ends one of those under way.
        #[test]
        fn no_write_is_forgotten_that_was_held_whatever_overlaps(
            steps in prop::collection::vec(prop::option::of((0..8_usize, by())), 0..200)
        ) {
            let session = Session::new();
            let mut under_way: Vec<Call> = Vec::new();
            let mut held = BTreeSet::new();
            let mut writes = BTreeSet::new();
            for (number, step) in steps.into_iter().enumerate() {
                let Some((which, by)) = step else {
                    under_way.push((session.carried(), held.clone()));
                    continue;
                };
                if under_way.is_empty() {
                    continue;
                }
                let (carried, mut seen) = under_way.swap_remove(which % under_way.len());
                let was_alone = seen == held;
                if by == By::Write {
                    writes.insert(number);
                }
                seen.insert(number);
                let token = number.to_string();
                session.go_on_from(Seen { token: token.clone(), carried: carried.count, by });
                let is_kept = session.token() == Some(token);
                prop_assert!(is_kept || !was_alone);
                if is_kept {
                    prop_assert!(held.intersection(&writes).all(|write| seen.contains(write)));
                    held = seen;
                }
            }
        }
    }
}
