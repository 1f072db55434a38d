//! Guests who book and cancel all the time, whatever dies, and ask until they know; and
//! an audit of what they were told against the ledgers and the provider's book.

mod audit;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_chaos::until;
use meridian_client::{Answer, CallError, Client, NewStay};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::harness::{PATIENCE, Scenario, key, stay, text};
use crate::provider::Provider;

/// Nights that a listing offers; every one is wanted twice, by two guests.
const NIGHTS: u64 = 330;
/// Pause before a request is sent again, which may find a node dead.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What guests were told, surely.
#[derive(Debug, Default)]
struct Told {
    /// Booking and night of what was confirmed.
    booked: BTreeSet<(String, String)>,
    /// Bookings that were given back.
    cancelled: BTreeSet<String>,
    /// Bookings that somebody tried to give back.
    leaving: BTreeSet<String>,
    /// Answers that no guest should get.
    odd: Vec<String>,
}

/// Nights that are for sale.
#[derive(Debug)]
struct Town {
    /// Listings, and how often a night of each was handed out.
    offers: Vec<(String, u64)>,
    next: usize,
}

/// One or more guests at every node.
pub(crate) struct Guests {
    town: Arc<Mutex<Town>>,
    told: Arc<Mutex<Told>>,
    everything: Vec<String>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

/// Somebody who books through one node first, and through the others when it is dead.
struct Guest {
    clients: Vec<Client>,
    town: Arc<Mutex<Town>>,
    told: Arc<Mutex<Told>>,
    rounds: u64,
}

/// One request, the same however often it is sent.
enum Request {
    Book {
        listing: String,
        stay: NewStay,
        method: &'static str,
        key: String,
    },
    Cancel {
        booking: String,
        key: String,
    },
}

impl Guests {
    /// `each` guests at every node, over listings that are at home everywhere.
    pub(crate) async fn start(scenario: &Scenario, each: usize, pace: Duration) -> Self {
        let mut offers = Vec::new();
        for node in scenario.cluster.ids() {
            offers.push((scenario.listing_at_home(node).await, 0));
        }
        let guests = Self {
            everything: offers.iter().map(|(listing, _)| listing.clone()).collect(),
            town: Arc::new(Mutex::new(Town { offers, next: 0 })),
            told: Arc::default(),
            tracker: TaskTracker::new(),
            cancel: CancellationToken::new(),
        };
        for node in scenario.cluster.ids() {
            for _ in 0..each {
                let guest = guests.guest(scenario, node);
                guests.tracker.spawn(guest.run(pace, guests.cancel.clone()));
            }
        }
        guests
    }

    fn guest(&self, scenario: &Scenario, node: u64) -> Guest {
        let mut ids = scenario.cluster.ids();
        ids.rotate_left(usize::try_from(node - 1).expect("small"));
        Guest {
            clients: ids.into_iter().map(|id| scenario.client(id)).collect(),
            town: Arc::clone(&self.town),
            told: Arc::clone(&self.told),
            rounds: node,
        }
    }

    /// One more guest comes to a node for a listing that is booked. Not awaited.
    pub(crate) fn invite(&self, scenario: &Scenario, node: u64, listing: &str) {
        let guest = self.guest(scenario, node);
        let listing = listing.to_owned();
        self.tracker.spawn(async move {
            let night = lock(&guest.town).night_of(&listing);
            if let Some(night) = night {
                guest.visit(&listing, night).await;
            }
        });
    }

    /// Listings that are booked, in the order of the nodes that are their homes.
    pub(crate) fn listings(&self) -> Vec<String> {
        let town = lock(&self.town);
        town.offers
            .iter()
            .map(|(listing, _)| listing.clone())
            .collect()
    }

    /// Lets guests book a listing at home with `node` that nobody has used yet, in place
    /// of the one before.
    pub(crate) async fn open_another(&mut self, scenario: &Scenario, node: u64) {
        let listing = scenario.listing_at_home(node).await;
        self.everything.push(listing.clone());
        let place = usize::try_from(node - 1).expect("small");
        lock(&self.town).offers[place] = (listing, 0);
    }

    /// Bookings that were confirmed so far.
    pub(crate) fn booked(&self) -> usize {
        lock(&self.told).booked.len()
    }

    /// Waits until more bookings are confirmed.
    pub(crate) async fn go_on(&self, more: usize) {
        let before = self.booked();
        until(PATIENCE, "bookings go on", async || {
            (self.booked() >= before + more).then_some(())
        })
        .await
        .expect("they do");
    }

    /// Lets everybody come to an end, and compares what they were told with the ledgers
    /// and with the provider's book.
    pub(crate) async fn stop_and_audit(self, scenario: &Scenario, provider: &Provider) {
        self.cancel.cancel();
        self.tracker.close();
        until(PATIENCE, "every guest knows", async || {
            self.tracker.is_empty().then_some(())
        })
        .await
        .expect("nobody waits for ever");
        let told = {
            let told = lock(&self.told);
            assert!(told.odd.is_empty(), "odd answers: {:?}", told.odd);
            audit::Told {
                booked: told.booked.clone(),
                cancelled: told.cancelled.clone(),
                leaving: told.leaving.clone(),
            }
        };
        audit::audit(scenario, provider, &self.everything, &told).await;
    }
}

impl Guest {
    async fn run(mut self, pace: Duration, cancel: CancellationToken) {
        let mut ticks = interval(pace);
        while !cancel.is_cancelled() {
            ticks.tick().await;
            let Some((listing, night)) = lock(&self.town).ticket() else {
                continue;
            };
            self.rounds += 1;
            self.visit(&listing, night).await;
        }
    }

    /// Books a night, and gives every other booking back.
    async fn visit(&self, listing: &str, night: i64) {
        // A capture that fails leaves money reserved: cancelled, it is voided.
        let (method, leaves) = match self.rounds % 4 {
            0 => ("card_capture_unavailable", true),
            1 => ("card_ok", true),
            _ => ("card_ok", false),
        };
        let (stay, key) = (stay(night), key());
        let night = stay.check_in.clone();
        let book = Request::Book {
            listing: listing.to_owned(),
            stay,
            method,
            key,
        };
        let Some(booked) = self.ask(&book).await else {
            return;
        };
        let booking = text(&booked.body["booking_id"]);
        lock(&self.told).booked.insert((booking.clone(), night));
        if leaves {
            lock(&self.told).leaving.insert(booking.clone());
            let cancel = Request::cancel(&booking);
            if self.ask(&cancel).await.is_some() {
                lock(&self.told).cancelled.insert(booking);
            }
        }
    }

    /// Asks with the same key, through one node after the other, until it is known what
    /// came of it; `None` if it was refused.
    async fn ask(&self, request: &Request) -> Option<Answer> {
        let mut pauses = interval(ASK_AGAIN);
        let mut turn = 0;
        loop {
            pauses.tick().await;
            let client = &self.clients[turn % self.clients.len()];
            turn += 1;
            match request.send(client).await {
                // A payment that is pending is asked for again.
                Ok(answer) if answer.body["state"] == "pending_payment" => {}
                Ok(answer) => return Some(answer),
                Err(error) if error.is_retryable() => {}
                Err(error) => {
                    // A night that somebody else has is the only reason to refuse one.
                    if error.code() != Some("slot-taken") {
                        lock(&self.told).odd.push(error.to_string());
                    }
                    return None;
                }
            }
        }
    }
}

impl Request {
    fn cancel(booking: &str) -> Self {
        Self::Cancel {
            booking: booking.to_owned(),
            key: key(),
        }
    }

    async fn send(&self, client: &Client) -> Result<Answer, CallError> {
        match self {
            Self::Book {
                listing,
                stay,
                method,
                key,
            } => client.book(listing, stay, method, key).await,
            Self::Cancel { booking, key } => client.cancel(booking, key).await,
        }
    }
}

impl Town {
    /// A listing in turn, and a night of it: two guests in a row get the same.
    fn ticket(&mut self) -> Option<(String, i64)> {
        let place = self.next / 2 % self.offers.len();
        self.next += 1;
        let listing = self.offers[place].0.clone();
        let night = self.night_of(&listing)?;
        Some((listing, night))
    }

    /// The next night of a listing; `None` if none is left.
    fn night_of(&mut self, listing: &str) -> Option<i64> {
        let offer = self
            .offers
            .iter_mut()
            .find(|(offered, _)| offered == listing);
        let (_, handed_out) = offer?;
        let night = *handed_out / 2 + 1;
        *handed_out += 1;
        i64::try_from(night).ok().filter(|_| night <= NIGHTS)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
