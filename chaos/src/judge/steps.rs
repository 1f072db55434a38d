//! What clients saw of a ledger, as steps of a model: stays take nights of units and give
//! them back, and some calls only look. Nothing here believes what an answer claims of the
//! order of things.
//!
//! - A step takes effect once, between its call and its answer. One whose outcome is not
//!   known takes effect at any time after its call, or never.
//! - Attempts under one key are one step: from the first that may have been executed to the
//!   first that was answered.
//! - A booking whose payment was declined took its nights for a while: it is two steps.
//! - A hold may lapse from a bound after its call on, and never has to: no client sees the
//!   instant. A read goes by its node's own clock, so that a hold that may have lapsed may be
//!   free to it and taken to the next command.
//! - Days need no arithmetic: between two dates that anybody has named all nights are alike.
//!
//! Not modelled: turnover between stays, closed nights and other hosts' doings; workloads
//! that judge by this use listings without them.

use std::collections::{HashMap, HashSet};

use super::seen::{Ledger, Request};
use crate::record::{Call, Operation};

/// From when on the payment of a booking may have lapsed, in microseconds: a little less
/// than what ledgers give it.
const PAYMENT_US: u64 = 14 * 60 * 1_000_000;
/// Time that never comes.
pub(super) const NEVER: u64 = u64::MAX;

/// Number of a step in its story.
pub(super) type StepId = u32;
/// Number of a stay in its story.
pub(super) type StayId = u32;
/// Number of an interval between two dates that follow one another among all that are named.
pub(super) type Night = u32;

/// What a step does, or sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// A stay takes its nights: they must be free.
    Take(StayId),
    /// Its payment stands: from now on it does not fall.
    Pay(StayId),
    /// It is cancelled: repeated, the same.
    Cancel(StayId),
    /// It is given back before it is paid: of what has fallen too.
    Release(StayId),
    /// It lapses, or its payment is declined.
    Fall(StayId),
    /// It takes its nights still.
    Stands(StayId),
    /// It has fallen, or was given back.
    Gone(StayId),
    /// A night of these has no unit left.
    Taken(Night, Night),
    /// So many units of these nights are free.
    Free(Vec<(Night, u32)>),
}

impl Deed {
    /// Whether it changes nothing.
    pub(super) const fn looks(&self) -> bool {
        matches!(
            self,
            Self::Stands(_) | Self::Gone(_) | Self::Taken(..) | Self::Free(_)
        )
    }

    pub(super) const fn stay(&self) -> Option<StayId> {
        match self {
            Self::Take(stay)
            | Self::Pay(stay)
            | Self::Cancel(stay)
            | Self::Release(stay)
            | Self::Fall(stay)
            | Self::Stands(stay)
            | Self::Gone(stay) => Some(*stay),
            Self::Taken(..) | Self::Free(_) => None,
        }
    }
}

/// Something that took effect, or may have.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) deed: Deed,
    /// It takes effect at this time or later, in microseconds of the run.
    pub(super) from_us: u64,
    /// It takes effect at this time or earlier; [`NEVER`] if it need not.
    pub(super) until_us: u64,
    /// The call that shows it.
    pub(super) call: u64,
}

impl Step {
    pub(super) const fn is_certain(&self) -> bool {
        self.until_us != NEVER
    }
}

/// Nights that somebody takes, or may have taken.
#[derive(Debug, Clone)]
pub(super) struct Stay {
    /// First night, and the one after the last.
    pub(super) nights: (Night, Night),
    pub(super) take: StepId,
    /// Steps that give its nights back.
    pub(super) ends: Vec<StepId>,
    /// From when on a node's clock may say that it has lapsed.
    pub(super) lapses_us: u64,
    /// Grows with each stay of the ledger, as its answer claims.
    pub(super) token: Option<u64>,
}

/// Everything that was seen of a ledger.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    pub(super) units: u32,
    pub(super) nights: usize,
    pub(super) stays: Vec<Stay>,
    pub(super) steps: Vec<Step>,
    /// Reads, with the revisions that they claim.
    pub(super) revisions: Vec<(StepId, u64)>,
}

/// A call about a stay that no answer tells of: it cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) call: u64,
}

/// Makes a story of what was seen.
struct Teller<'a> {
    story: Story,
    nights: HashMap<&'a str, Night>,
    /// By names of bookings and holds.
    stays: HashMap<&'a str, StayId>,
    /// A hold lasts this long at least.
    hold_us: u64,
    forgets: bool,
}

impl Story {
    /// The story of a ledger of `units`, whose holds last at least `hold_us`.
    ///
    /// # Errors
    /// [`Unknown`].
    pub(super) fn of(ledger: &Ledger<'_>, units: u32, hold_us: u64) -> Result<Self, Unknown> {
        let nights = dates(ledger);
        let mut teller = Teller {
            story: Self {
                units,
                nights: nights.len(),
                ..Self::default()
            },
            nights,
            stays: HashMap::new(),
            hold_us,
            forgets: ledger.forgets(),
        };
        for request in &ledger.requests {
            teller.stay(request);
        }
        // Bookings are known by their holds, and must be before they are cancelled.
        for request in &ledger.requests {
            if let Call::Confirm { hold, .. } = request.what() {
                teller.confirm(request, hold)?;
            }
        }
        for request in &ledger.requests {
            if let Call::Cancel { booking, .. } = request.what() {
                teller.cancel(request, booking)?;
            }
        }
        for operation in &ledger.others {
            teller.other(operation)?;
        }
        Ok(teller.story)
    }
}

/// Every date that is named, numbered in order.
fn dates<'a>(ledger: &Ledger<'a>) -> HashMap<&'a str, Night> {
    let mut dates: HashSet<&str> = HashSet::new();
    for request in &ledger.requests {
        if let Some((from, until)) = request.what().stay() {
            dates.extend([from, until]);
        }
    }
    for operation in &ledger.others {
        if let Some(answered) = operation.answered() {
            dates.extend(answered.free.iter().map(|(night, _)| night.as_str()));
        }
    }
    let mut dates: Vec<&str> = dates.into_iter().collect();
    dates.sort_unstable();
    dates.into_iter().zip(0..).collect()
}

impl<'a> Teller<'a> {
    fn step(&mut self, deed: Deed, from_us: u64, until_us: u64, call: u64) -> StepId {
        let id = StepId::try_from(self.story.steps.len()).unwrap_or(StepId::MAX);
        match deed {
            Deed::Cancel(stay) | Deed::Release(stay) | Deed::Fall(stay) => {
                self.story.stays[stay as usize].ends.push(id);
            }
            _ => {}
        }
        self.story.steps.push(Step {
            deed,
            from_us,
            until_us,
            call,
        });
        id
    }

    /// Nights that a request asks for.
    fn stay(&mut self, request: &Request<'a>) {
        let Some((from, until)) = request.what().stay() else {
            return;
        };
        let nights = (self.nights[from], self.nights[until]);
        let (began_us, call) = (request.began_us(), request.first_call());
        let refused = first_end(request, &["slot-taken"]);
        if let Some((until_us, call)) = refused {
            self.step(Deed::Taken(nights.0, nights.1), began_us, until_us, call);
        }
        let fallen = first_end(request, &["payment-declined", "hold-expired"]);
        let is_done = request.done_us().is_some() || fallen.is_some();
        let perhaps = request.has_unknown() && (refused.is_none() || self.forgets);
        if nights.0 >= nights.1 || !is_done && !perhaps {
            return;
        }
        let done_us = request.done_us().unwrap_or(NEVER);
        let done_us = fallen.map_or(done_us, |(at_us, _)| at_us.min(done_us));
        let stay = self.take(nights, (began_us, done_us), call);
        let is_hold = matches!(request.what(), Call::Hold { .. });
        let lasts_us = if is_hold { self.hold_us } else { PAYMENT_US };
        let lapses_us = began_us.saturating_add(lasts_us);
        if !request.is_told("confirmed") {
            self.story.stays[stay as usize].lapses_us = lapses_us;
            let (from_us, until_us) = match (fallen, is_hold) {
                (Some((until_us, _)), _) => (began_us, until_us),
                (None, true) => (lapses_us, NEVER),
                // Its payment may be declined at any time.
                (None, false) => (began_us, NEVER),
            };
            self.step(Deed::Fall(stay), from_us, until_us, call);
        }
        self.story.stays[stay as usize].token = request
            .answers()
            .find_map(|(_, answered)| answered.fencing_token);
        for name in [request.booking(), request.hold()].into_iter().flatten() {
            self.stays.entry(name).or_insert(stay);
        }
    }

    fn take(
        &mut self,
        nights: (Night, Night),
        (from_us, until_us): (u64, u64),
        call: u64,
    ) -> StayId {
        let stay = StayId::try_from(self.story.stays.len()).unwrap_or(StayId::MAX);
        let take = self.step(Deed::Take(stay), from_us, until_us, call);
        self.story.stays.push(Stay {
            nights,
            take,
            ends: Vec::new(),
            lapses_us: NEVER,
            token: None,
        });
        stay
    }

    fn known(&self, request: &Request<'a>, name: &str) -> Result<Option<StayId>, Unknown> {
        match self.stays.get(name) {
            Some(stay) => Ok(Some(*stay)),
            None if request.may_be_done() => Err(Unknown {
                call: request.first_call(),
            }),
            None => Ok(None),
        }
    }

    fn confirm(&mut self, request: &Request<'a>, hold: &str) -> Result<(), Unknown> {
        let Some(stay) = self.known(request, hold)? else {
            return Ok(());
        };
        if let Some(booking) = request.booking() {
            self.stays.entry(booking).or_insert(stay);
        }
        let (began_us, call) = (request.began_us(), request.first_call());
        if let Some((until_us, call)) = first_end(request, &["payment-declined"]) {
            self.step(Deed::Fall(stay), began_us, until_us, call);
        } else if let Some((until_us, call)) = first_end(request, &["hold-expired"]) {
            self.step(Deed::Gone(stay), began_us, until_us, call);
        } else if request.is_told("confirmed") {
            let until_us = request.done_us().unwrap_or(NEVER);
            self.step(Deed::Pay(stay), began_us, until_us, call);
        } else if let Some(until_us) = request.done_us() {
            self.step(Deed::Stands(stay), began_us, until_us, call);
            self.step(Deed::Fall(stay), began_us, NEVER, call);
        } else if request.has_unknown() {
            self.step(Deed::Fall(stay), began_us, NEVER, call);
        }
        Ok(())
    }

    fn cancel(&mut self, request: &Request<'a>, booking: &str) -> Result<(), Unknown> {
        let Some(stay) = self.known(request, booking)? else {
            return Ok(());
        };
        let (began_us, call) = (request.began_us(), request.first_call());
        if let Some((until_us, call)) = first_end(request, &["hold-expired"]) {
            self.step(Deed::Gone(stay), began_us, until_us, call);
        }
        if request.may_be_done() {
            let until_us = request.done_us().unwrap_or(NEVER);
            self.step(Deed::Cancel(stay), began_us, until_us, call);
        }
        Ok(())
    }

    /// A release or a read.
    fn other(&mut self, operation: &Operation) -> Result<(), Unknown> {
        use super::seen::Word;
        let (from_us, until_us) = (operation.began_us(), operation.ended_us());
        let call = operation.call();
        match (&operation.invoked.what, operation.word()) {
            (Call::Release { hold, .. }, Word::Done(_) | Word::Unknown) => {
                let stay = *self.stays.get(hold.as_str()).ok_or(Unknown { call })?;
                self.step(Deed::Release(stay), from_us, until_us, call);
            }
            (Call::ReadNights { .. }, Word::Done(answered)) => {
                let free = answered.free.iter();
                let free = free.map(|(night, free)| (self.nights[night.as_str()], *free));
                let free = Deed::Free(free.collect());
                let step = self.step(free, from_us, until_us, call);
                if let Some(revision) = answered.revision {
                    self.story.revisions.push((step, revision));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first attempt that was refused so: when, and its call.
fn first_end(request: &Request<'_>, codes: &[&str]) -> Option<(u64, u64)> {
    let refused = request.refused(codes);
    refused.map(|one| (one.ended_us(), one.call())).min()
}
