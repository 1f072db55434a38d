//! Dials of one peer: several at once, of which the first that is answered wins.
//!
//! When and how many: see [`crate::pace`]. Where the winner was dialled, the other dials are given
//! up, without a word to the peer but that. Some of them may have come through as well: what is
//! said to the peer, it is said on the winner alone, and the peer takes no connection for one that
//! counts before that ([`crate::served`]).
//!
//! A name may have several addresses, and another node may be at one of them. Invariant kept here:
//! a "no" from one address does not end the dials to others, whether it comes as the first answer
//! or after it. Whoever has said it is asked again ever more seldom meanwhile, and the others no
//! less ([`crate::turn`]).
//!
//! What it is not: it neither dials nor greets. Its [`Target`] does.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::away::{Away, Unreached};
use crate::pace::{DIALS_MAX, next_after};
use crate::turn::Turn;

/// A dial that was begun longer ago than this, when the peer comes through, may have been lost
/// before the link was there again.
const STALE_AFTER: Duration = Duration::from_millis(50);
/// A greeting that has taken so long, when the peer comes through, is taken to wait for packets
/// that were lost: three round trips of the longest link. Each that is given up gives the next
/// one twice the time, so that two busy nodes do not give each other up for ever.
pub(crate) const GREETING_SOON: Duration = Duration::from_millis(750);

/// Who is raced for.
pub(crate) trait Target: Sync {
    /// A dial that was answered.
    type Answered: Send;
    /// What there is in the end.
    type Line: Send;

    /// Begins a dial.
    fn dial(&self, turn: Turn) -> Dial<'_, Self::Answered>;

    /// Completes a dial that was answered.
    fn greet(
        &self,
        answered: Self::Answered,
    ) -> impl Future<Output = Result<Self::Line, Unreached>> + Send;

    /// Takes note of what a dial of an address came to, if that was known.
    fn unreached(&self, away: &mut Away, at: Option<SocketAddr>, cause: Unreached);

    /// Told when the peer has come through to this node.
    fn called(&self) -> &Notify;

    /// Waits until another line is not needed any more: no dial is begun from then on. A greeting
    /// that is under way goes on, because the peer may take it for the latest already.
    fn needless(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// Dials that are under way. Kept by who is waited for: a race that is given up leaves them to
/// the next one.
pub(crate) type Dials<'a, Answered> = FuturesUnordered<Dial<'a, Answered>>;

/// Where a dial goes to, once its name has been looked up. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place(Arc<OnceLock<SocketAddr>>);

impl Place {
    /// Sets it, once.
    pub(crate) fn is(&self, address: SocketAddr) {
        // Each dial has one address.
        let _ = self.0.set(address);
    }

    /// Where that is, once it is known.
    pub(crate) fn known(&self) -> Option<SocketAddr> {
        self.0.get().copied()
    }
}

/// A dial that is under way.
pub(crate) struct Dial<'a, Answered> {
    pub(crate) to: Place,
    pub(crate) answer: BoxFuture<'a, Result<Answered, Unreached>>,
}

impl<Answered> Future for Dial<'_, Answered> {
    type Output = (Place, Result<Answered, Unreached>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.answer.as_mut().poll(context));
        Poll::Ready((self.to.clone(), answer))
    }
}

/// Dials a target until it answers and the greeting succeeds, or there is nothing more to wait
/// for. The target has taken note of every failure by then, also of the one that is answered.
/// `dials` may be under way already; none of them is when this ends.
pub(crate) async fn reach<'a, T: Target>(
    target: &'a T,
    away: &mut Away,
    dials: &mut Dials<'a, T::Answered>,
) -> Result<T::Line, Unreached> {
    let mut race = Race {
        target,
        away,
        dials,
        last: None,
        next: Instant::now(),
    };
    let reached = race.run().await;
    race.dials.clear();
    reached
}

/// Waits until the peer comes through to this node, once this wait has become stale.
async fn calls_late(called: &Notify, patience: Duration) {
    let since = Instant::now();
    loop {
        called.notified().await;
        if since.elapsed() >= patience {
            return;
        }
    }
}

struct Race<'a, 'b, T: Target> {
    target: &'a T,
    away: &'b mut Away,
    dials: &'b mut Dials<'a, T::Answered>,
    /// When the last dial was begun.
    last: Option<Instant>,
    /// When another one is due.
    next: Instant,
}

impl<T: Target> Race<'_, '_, T> {
    async fn run(&mut self) -> Result<T::Line, Unreached> {
        let mut patience = GREETING_SOON;
        loop {
            let (place, answered) = self.answered().await?;
            self.give_up_dials_to(&place);
            let greeted = tokio::select! {
                biased;
                greeted = self.target.greet(answered) => greeted,
                () = calls_late(self.target.called(), patience) => {
                    patience *= 2;
                    self.next = Instant::now();
                    continue;
                }
            };
            match greeted {
                Ok(line) => return Ok(line),
                Err(cause) => {
                    self.target
                        .unreached(self.away, place.known(), cause.clone());
                    if self.dials.is_empty() {
                        return Err(cause);
                    }
                }
            }
        }
    }

    /// Dials until there is an answer, a "no" and nobody else to wait for, or no need any more.
    async fn answered(&mut self) -> Result<(Place, T::Answered), Unreached> {
        let mut called = pin!(self.target.called().notified());
        let mut needless = pin!(self.target.needless());
        loop {
            tokio::select! {
                biased;
                Some((place, dialled)) = self.dials.next() => match dialled {
                    Ok(answered) => return Ok((place, answered)),
                    Err(cause) => {
                        self.target.unreached(self.away, place.known(), cause.clone());
                        if !self.goes_on(&place, &cause) {
                            return Err(cause);
                        }
                    }
                },
                () = &mut needless => return Err(Unreached::Needless),
                // One more than else: the peer is there now.
                () = &mut called, if self.dials.len() <= DIALS_MAX => {
                    called.set(self.target.called().notified());
                    if self.last.is_some_and(|last| last.elapsed() >= STALE_AFTER) {
                        self.begin();
                    }
                }
                () = sleep_until(self.next), if self.dials.len() < DIALS_MAX => self.begin(),
            }
        }
    }

    /// Whether a dial that has failed leaves others to wait for.
    fn goes_on(&self, place: &Place, cause: &Unreached) -> bool {
        match cause {
            Unreached::Unanswered => true,
            // No dial ends so: the race does.
            Unreached::Needless => false,
            // To where its name led before.
            Unreached::Undialled(_) => !self.dials.is_empty(),
            Unreached::Refused(_) => {
                let refused = place.known();
                self.dials.iter().any(|dial| dial.to.known() != refused)
            }
        }
    }

    /// Begins another dial, and says when the next one is due.
    fn begin(&mut self) {
        let now = Instant::now();
        let turn = self.away.turn(now);
        self.last = Some(now);
        self.next = now + next_after(turn.away, rand::rng().random());
        self.away.dials += 1;
        self.dials.push(self.target.dial(turn));
    }

    /// Those to elsewhere stay until it is known who has answered here.
    fn give_up_dials_to(&mut self, place: &Place) {
        let dials = std::mem::take(self.dials);
        let elsewhere = |dial: &Dial<'_, _>| dial.to.known() != place.known();
        *self.dials = dials.into_iter().filter(elsewhere).collect();
    }
}

#[cfg(test)]
mod tests;
