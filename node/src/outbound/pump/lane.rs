//! How far one feed has been read, and how far it has been dealt with.

use std::collections::VecDeque;

use meridian_storage::FeedPosition;

/// See the module.
#[derive(Debug)]
pub(super) struct Lane {
    /// The last record that was read, or passed over.
    pub(super) read: Option<FeedPosition>,
    /// Everything up to here is dealt with; ahead of it stands what is open.
    done: Option<FeedPosition>,
    /// Records on their way, in the order of the feed, and whether each is dealt with.
    open: VecDeque<(FeedPosition, bool)>,
}

impl Lane {
    pub(super) const fn at(position: Option<FeedPosition>) -> Self {
        Self {
            read: position,
            done: position,
            open: VecDeque::new(),
        }
    }

    /// A record is on its way.
    pub(super) fn open(&mut self, position: FeedPosition) {
        self.open.push_back((position, false));
    }

    /// Everything up to there was read: what was not opened is passed over.
    pub(super) fn read_up_to(&mut self, position: FeedPosition) {
        self.read = Some(position);
    }

    /// A record is dealt with.
    pub(super) fn close(&mut self, position: FeedPosition) {
        if let Ok(place) = self.open.binary_search_by_key(&position, |(open, _)| *open) {
            self.open[place].1 = true;
        }
        while let Some((position, true)) = self.open.front() {
            self.done = Some(*position);
            self.open.pop_front();
        }
    }

    /// From where to go on after a death: nothing up to here is needed again.
    pub(super) fn settled(&self) -> Option<FeedPosition> {
        if self.open.is_empty() {
            self.read
        } else {
            self.done
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }
}
