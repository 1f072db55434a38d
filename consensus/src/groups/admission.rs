//! From a listing to its group, awake: who gets a place, and who may wake next.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use meridian_regions::{Genesis, ListingId};
use tokio_util::sync::CancellationToken;

use super::Groups;
use super::turns::Turn;
use crate::awake::{Closing, Found, NotWoken, Place};
use crate::electorate::Entrance;
use crate::error::WakeError;
use crate::group::Group;

/// Groups that are put to sleep at once when the node stops: they share their fsyncs.
const STOPPED_AT_ONCE: usize = 256;

/// A group that is awake and stays so as long as this is held.
pub(crate) struct InUse {
    group: Arc<Group>,
    _place: Arc<Place>,
}

impl std::ops::Deref for InUse {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.group
    }
}

impl Groups {
    /// The group of a listing, woken if need be, for use.
    pub(crate) async fn group(&self, genesis: &Genesis) -> Result<InUse, WakeError> {
        let group = self.enter_to_use(genesis).await?;
        group.wanted.store(true, Ordering::Relaxed);
        Ok(group)
    }

    /// The same for whoever does not keep it awake.
    pub(crate) async fn enter_to_use(&self, genesis: &Genesis) -> Result<InUse, WakeError> {
        let entered = self.enter(genesis, Entrance::Asked).await;
        if matches!(entered, Err(WakeError::Lost | WakeError::Storage(_))) {
            self.disown(genesis);
        }
        entered
    }

    /// The group of a listing, woken if need be, for whoever comes by `entrance`.
    pub(crate) async fn enter(
        &self,
        genesis: &Genesis,
        entrance: Entrance,
    ) -> Result<InUse, WakeError> {
        loop {
            let place = self.place(&genesis.listing).await?;
            let woken = place.group_or_wake(async || {
                let _turn = self.turn_to_wake().await.map_err(NotWoken::Failed)?;
                place.still_open()?;
                let (shared, caller) = (&self.inner.shared, self.source.caller());
                let woken = Group::wake(shared, genesis, entrance, caller).await;
                woken.map_err(NotWoken::Failed)
            });
            match woken.await {
                Ok(group) if group.genesis == *genesis => {
                    return Ok(InUse {
                        group,
                        _place: place,
                    });
                }
                Ok(_) => return Err(WakeError::GenesisMismatch),
                Err(NotWoken::Failed(error)) => {
                    self.inner.awake.give_up(&genesis.listing, &place);
                    return Err(error);
                }
                // The next one is there once this one has been given up.
                Err(NotWoken::Closed) => {}
            }
        }
    }

    /// A place for the group, if need be after another has been given up.
    async fn place(&self, listing: &ListingId) -> Result<Arc<Place>, WakeError> {
        loop {
            let closing = match self.inner.awake.find(listing, self.inner.awake_max) {
                Found::Place(place) => return Ok(place),
                Found::Closing(closing) => closing,
                Found::Dead(dead) => self.bury(dead),
                Found::Full => {
                    // Whoever would be refused puts nobody else's group to sleep.
                    let may_wake = self.inner.turns.has_room(self.source);
                    let idle = may_wake.then(|| self.inner.awake.close_oldest()).flatten();
                    self.put_to_sleep(idle.ok_or_else(|| self.overloaded())?)
                }
            };
            closing.cancelled().await;
        }
    }

    async fn turn_to_wake(&self) -> Result<Turn, WakeError> {
        let turn = self.inner.turns.next(self.source).await;
        turn.ok_or_else(|| self.overloaded())
    }

    fn overloaded(&self) -> WakeError {
        let counts = &self.inner.shared.counts;
        counts.refused.fetch_add(1, Ordering::Relaxed);
        WakeError::Overloaded
    }

    /// Puts an idle group to sleep, in a task of its own: whoever waits for its place may
    /// give up.
    pub(crate) fn put_to_sleep(&self, closing: Closing) -> CancellationToken {
        let given_up = closing.given_up();
        self.inner.tracker.spawn(async move {
            if let Some(group) = closing.group().await {
                group.sleep().await;
            }
        });
        given_up
    }

    /// Lets a group whose Raft instance has died be woken afresh. A panic in one group
    /// ends here: it is loud, and the others go on.
    fn bury(&self, closing: Closing) -> CancellationToken {
        let given_up = closing.given_up();
        self.inner.tracker.spawn(async move {
            if let Some(group) = closing.group().await {
                let listing = &group.genesis.listing;
                tracing::error!(%listing, "a group has died and is woken again from its records");
                group.retire().await;
            }
        });
        given_up
    }

    /// Puts everything to sleep: the node stops.
    pub(crate) async fn stop(&self) {
        let awake = futures::stream::iter(self.inner.awake.close_all());
        let stopped = awake.for_each_concurrent(STOPPED_AT_ONCE, async |closing| {
            if let Some(group) = closing.group().await {
                group.sleep().await;
            }
        });
        stopped.await;
    }
}
