//! How far one feed has been read, and how far it has been dealt with.
//!
//! Kept: it takes room for what is on its way alone, however much was dealt with behind that.

use std::collections::VecDeque;

use meridian_storage::FeedPosition;

/// See the module.
#[derive(Debug)]
pub(super) struct Lane {
    /// The last record that was read, or passed over.
    pub(super) read: Option<FeedPosition>,
    /// The last record of the feed, taken or passed over.
    last: Option<FeedPosition>,
    /// Records on their way, in the order of the feed, each with the one before it.
    open: VecDeque<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    position: FeedPosition,
    before: Option<FeedPosition>,
}

impl Lane {
    pub(super) const fn at(position: Option<FeedPosition>) -> Self {
        Self {
            read: position,
            last: position,
            open: VecDeque::new(),
        }
    }

    /// A record is on its way.
    pub(super) fn open(&mut self, position: FeedPosition) {
        let before = self.last.replace(position);
        self.open.push_back(Open { position, before });
    }

    /// Everything up to there was read: what was not opened is passed over.
    pub(super) fn read_up_to(&mut self, position: FeedPosition) {
        (self.read, self.last) = (Some(position), Some(position));
    }

    /// A record is dealt with.
    pub(super) fn close(&mut self, position: FeedPosition) {
        let place = self
            .open
            .binary_search_by_key(&position, |open| open.position);
        if let Ok(place) = place {
            self.open.remove(place);
        }
    }

    /// From where to go on after a death: nothing up to here is needed again.
    pub(super) fn settled(&self) -> Option<FeedPosition> {
        match self.open.front() {
            Some(first) => first.before,
            None => self.read,
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{FeedPosition, Lane};

    fn position(offset: u64) -> FeedPosition {
        FeedPosition { run: 1, offset }
    }

    #[test]
    fn what_is_dealt_with_behind_what_is_not_takes_no_room() {
        let mut lane = Lane::at(Some(position(7)));
        lane.read_up_to(position(9));
        lane.open(position(10));
        for offset in 11..10_000 {
            lane.open(position(offset));
            lane.close(position(offset));
            lane.read_up_to(position(offset));
        }
        assert_eq!(lane.open.len(), 1, "{} places", lane.open.capacity());
        assert_eq!(lane.settled(), Some(position(9)), "up to the one before it");
        lane.close(position(10));
        assert_eq!(lane.settled(), Some(position(9_999)));
        assert!(lane.is_settled());
    }
}
