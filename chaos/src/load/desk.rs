//! What all clients of a run share: the doors of the cluster, what is on offer, and who
//! writes down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Span;
use jiff::civil::Date;
use meridian_client::{CallError, Client, ClientOptions, NewStay, Session};
use rand::{Rng, RngExt};

use super::recorder::Recorder;
use super::zipf::zipf;

/// How long a client waits for an answer.
const CALL_DEADLINE: Duration = Duration::from_secs(8);
/// A hot night is wanted by so many before the next one is: each of them is a duel.
const DUELLISTS: usize = 6;

/// A node, as a client finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) region: String,
    pub(crate) node: u64,
    pub(crate) url: String,
}

impl Door {
    /// A client of this node alone, which repeats nothing.
    pub(crate) fn client(&self, session: Session) -> Result<Client, CallError> {
        let mut options = ClientOptions::new(&self.url);
        options.retry = false;
        options.deadline = CALL_DEADLINE;
        options.attempt = CALL_DEADLINE;
        Ok(Client::new(options)?.with_session(session))
    }
}

/// What is on offer.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    /// Listings that are booked: the first are wanted most.
    pub(crate) booked: Vec<String>,
    /// Listings that are edited.
    pub(crate) edited: Vec<String>,
    /// The first night.
    pub(crate) first: Date,
    /// Nights on offer, from the first on.
    pub(crate) nights: u16,
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) recorder: Recorder,
    pub(crate) ground: Ground,
    /// Nodes by region.
    doors: Vec<Vec<Door>>,
    duels: AtomicUsize,
}

impl Desk {
    pub(crate) fn new(recorder: Recorder, ground: Ground, doors: Vec<Vec<Door>>) -> Self {
        Self {
            recorder,
            ground,
            doors,
            duels: AtomicUsize::new(0),
        }
    }

    pub(crate) fn regions(&self) -> &[Vec<Door>] {
        &self.doors
    }

    /// The last of its handles writes the history's end.
    pub(crate) fn into_recorder(self) -> Recorder {
        self.recorder
    }

    /// A listing that is booked, the first ones often.
    pub(crate) fn wanted(&self, random: &mut impl Rng) -> &str {
        pick(&self.ground.booked, zipf(self.ground.booked.len(), random))
    }

    /// A listing that is edited, any.
    pub(crate) fn edited(&self, random: &mut impl Rng) -> &str {
        let edited = &self.ground.edited;
        pick(edited, random.random_range(0..edited.len().max(1)))
    }

    /// Nights that nobody in particular wants.
    pub(crate) fn stay(&self, random: &mut impl Rng) -> NewStay {
        let first = random.random_range(0..self.ground.nights.max(1));
        self.nights(first, random.random_range(1..=5))
    }

    /// The night and the listing that are fought for now.
    pub(crate) fn duel(&self) -> (String, NewStay) {
        let round = self.duels.fetch_add(1, Ordering::Relaxed) / DUELLISTS;
        let many = self.ground.booked.len().max(1);
        let night = u16::try_from(round / many).unwrap_or(u16::MAX) % self.ground.nights.max(1);
        let listing = pick(&self.ground.booked, round % many).to_owned();
        (listing, self.nights(night, 1))
    }

    /// All nights on offer.
    pub(crate) fn whole(&self) -> NewStay {
        self.nights(0, self.ground.nights)
    }

    fn nights(&self, from: u16, many: u16) -> NewStay {
        let day = |number: u16| {
            let day = self.ground.first.saturating_add(Span::new().days(number));
            day.to_string()
        };
        NewStay {
            check_in: day(from),
            check_out: day(from.saturating_add(many)),
            guests: 1,
        }
    }
}

fn pick(listings: &[String], place: usize) -> &str {
    listings.get(place).map_or("", String::as_str)
}
