//! A small world that keeps every promise: clients ask ledgers and documents that do all of
//! a call at one instant, lose some answers, and write down what they were told.

mod ledger;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::ledger::{Listing, Stand};
use super::{empty_run, night, unknown};
use crate::record::{
    Call, Completion, Final, FinalDocument, FinalDue, FinalPayment, Invocation, NodeClocks,
    Operation, Outcome, Run, Sample,
};

/// A hold lasts this long at least, in microseconds.
const HOLD_US: u64 = 60_000;
const PRICE: u64 = 100;

/// What a world is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) calls: usize,
    pub(crate) clients: u64,
    pub(crate) listings: usize,
    pub(crate) nights: usize,
    pub(crate) units: u32,
    /// Share of answers that are lost, in thousands.
    pub(crate) lost: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            calls: 2_000,
            clients: 12,
            listings: 3,
            nights: 12,
            units: 1,
            lost: 30,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(u64),
    /// A call takes effect.
    Act(usize),
    Tell(usize),
}

struct World {
    plan: Plan,
    rng: StdRng,
    run: Run,
    listings: Vec<Listing>,
    outcomes: Vec<Option<Outcome>>,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    /// What clients ask once more, with the same key: they had no answer.
    again: HashMap<u64, Call>,
    names: u64,
}

/// What happened in a world.
pub(crate) fn run_of(plan: Plan) -> Run {
    let mut run = empty_run();
    run.header.seed = plan.seed;
    run.header.bounds.hold_ms = HOLD_US / 1_000;
    let listing = || Listing {
        taken: vec![0; plan.nights],
        ..Listing::default()
    };
    let mut world = World {
        plan,
        rng: StdRng::seed_from_u64(plan.seed),
        run,
        listings: (0..plan.listings).map(|_| listing()).collect(),
        outcomes: Vec::new(),
        events: (0..plan.clients)
            .map(|client| Reverse((client, Event::Ask(client))))
            .collect(),
        again: HashMap::new(),
        names: 0,
    };
    while let Some(Reverse((now_us, event))) = world.events.pop() {
        match event {
            Event::Ask(client) if world.run.operations.len() < plan.calls => {
                world.ask(now_us, client);
            }
            Event::Ask(_) => {}
            Event::Act(index) => {
                let outcome = world.act(now_us, index);
                world.outcomes[index] = Some(outcome);
            }
            Event::Tell(index) => world.tell(now_us, index),
        }
    }
    world.end();
    world.run
}

fn name_of(listing: usize) -> String {
    format!("lst_{listing}")
}

fn number_of(name: &str) -> usize {
    let number = name
        .rsplit('_')
        .next()
        .and_then(|number| number.parse().ok());
    number.expect("a name with a number")
}

impl World {
    fn chance(&mut self, thousandths: u32) -> bool {
        self.rng.random_range(0..1_000) < thousandths
    }

    fn ask(&mut self, now_us: u64, client: u64) {
        let index = self.run.operations.len();
        let again = self.again.remove(&client);
        let what = again.unwrap_or_else(|| self.wish(client));
        let keyed = what.key().is_some().then(|| what.clone());
        let region = client % 2;
        self.run.operations.push(Operation {
            invoked: Invocation {
                at_us: now_us,
                call: index as u64 + 1,
                client,
                region: ["eu-west", "us-east"][usize::from(region == 1)].to_owned(),
                node: region + 1,
                what,
            },
            completed: None,
        });
        self.outcomes.push(None);
        let act_us = now_us + self.rng.random_range(1..2_000);
        let tell_us = act_us + self.rng.random_range(1..2_000);
        let is_lost = self.chance(self.plan.lost);
        // What is lost was done, or is done much later, or never.
        let late_us = if is_lost {
            self.rng.random_range(0..20_000)
        } else {
            0
        };
        if !is_lost || self.chance(700) {
            self.events
                .push(Reverse((act_us + late_us, Event::Act(index))));
        }
        if is_lost {
            self.complete(index, tell_us, unknown());
            if let Some(what) = keyed.filter(|_| self.names.is_multiple_of(2)) {
                self.again.insert(client, what);
            }
            self.events.push(Reverse((tell_us + 1, Event::Ask(client))));
        } else {
            self.events.push(Reverse((tell_us, Event::Tell(index))));
        }
    }

    fn complete(&mut self, index: usize, at_us: u64, outcome: Outcome) {
        self.run.operations[index].completed = Some(Completion {
            at_us,
            call: index as u64 + 1,
            outcome,
            served_by: None,
        });
    }

    fn tell(&mut self, now_us: u64, index: usize) {
        let outcome = self.outcomes[index].take().expect("it was done before");
        let operation = &self.run.operations[index];
        let client = operation.invoked.client;
        let listing = &mut self.listings[number_of(operation.invoked.what.listing())];
        if let Outcome::Ok(answered) = &outcome {
            match &operation.invoked.what {
                Call::Book { .. } | Call::Confirm { .. } => {
                    let name = answered.booking.as_deref().expect("booked");
                    listing.bookings.push(number_of(name));
                }
                Call::Hold { .. } => {
                    let name = answered.hold.as_deref().expect("held");
                    listing.holds.push(number_of(name));
                }
                Call::AddAmenity { amenity, .. } => listing.known.push(amenity.clone()),
                _ => {}
            }
        }
        self.complete(index, now_us, outcome);
        let pause_us = self.rng.random_range(1..500);
        self.events
            .push(Reverse((now_us + pause_us, Event::Ask(client))));
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of call")]
    fn wish(&mut self, client: u64) -> Call {
        self.names += 1;
        let number = self.rng.random_range(0..self.plan.listings);
        let listing = name_of(number);
        let from = self.rng.random_range(0..self.plan.nights - 1);
        let until = (from + self.rng.random_range(1..=2)).min(self.plan.nights - 1);
        let until = until.max(from + 1);
        let (check_in, check_out) = (night(from), night(until));
        let key = format!("key-{}", self.names);
        let card = ["card_ok", "card_declined"][usize::from(self.chance(50))].to_owned();
        let session = Some(client);
        let choice = self.rng.random_range(0..100);
        let holds = self.listings[number].holds.len();
        let bookings = self.listings[number].bookings.len();
        let known = self.listings[number].known.len();
        let removed = self.listings[number].removed.len();
        match choice {
            0..28 => Call::Book {
                listing,
                check_in,
                check_out,
                key,
                card,
            },
            28..38 => Call::Hold {
                listing,
                check_in,
                check_out,
                key,
            },
            38..44 if holds > 0 => {
                let at = self.rng.random_range(0..holds);
                let hold = self.listings[number].holds[at];
                Call::Confirm {
                    listing,
                    hold: format!("hld_{hold}"),
                    key,
                    card,
                }
            }
            44..49 if holds > 0 => {
                let at = self.rng.random_range(0..holds);
                let hold = self.listings[number].holds.swap_remove(at);
                Call::Release {
                    listing,
                    hold: format!("hld_{hold}"),
                }
            }
            49..70 if bookings > 0 => {
                let at = self.rng.random_range(0..bookings);
                let booking = self.listings[number].bookings.swap_remove(at);
                Call::Cancel {
                    listing,
                    booking: format!("bkg_{booking}"),
                    key,
                }
            }
            70..72 if removed > 0 => Call::AddAmenity {
                listing,
                amenity: self.listings[number].removed.swap_remove(0),
                session,
            },
            70..78 if known < 40 => Call::AddAmenity {
                listing,
                amenity: format!("thing-{}", self.names),
                session,
            },
            78..80 if known > 4 => {
                let amenity = self.listings[number].known.swap_remove(0);
                self.listings[number].removed.push(amenity.clone());
                Call::RemoveAmenity {
                    listing,
                    amenity,
                    session,
                }
            }
            80..88 => Call::ReadListing { listing, session },
            88..91 if known > 0 => {
                let place = self.rng.random_range(0..known);
                Call::Search {
                    listing,
                    amenity: self.listings[number].known[place].clone(),
                    session,
                }
            }
            _ => Call::ReadNights {
                listing,
                from: check_in,
                to: check_out,
            },
        }
    }

    fn act(&mut self, now_us: u64, index: usize) -> Outcome {
        let what = self.run.operations[index].invoked.what.clone();
        let units = self.plan.units;
        let listing = &mut self.listings[number_of(what.listing())];
        listing.lapse(now_us);
        if let Some(known) = what.key().and_then(|key| listing.keys.get(key)) {
            return known.clone();
        }
        let outcome = listing.perform(&what, units, now_us);
        if let Some(key) = what.key() {
            listing.keys.insert(key.to_owned(), outcome.clone());
        }
        outcome
    }

    fn end(&mut self) {
        for (number, listing) in self.listings.iter().enumerate() {
            let name = name_of(number);
            for region in ["eu-west", "us-east"] {
                self.run.finals.push(Final::Ledger {
                    listing: name.clone(),
                    region: region.to_owned(),
                    units: self.plan.units,
                });
                let bookings = listing.stays.iter().enumerate();
                self.run.finals.extend(
                    bookings.map(|(stay, one)| Final::Booking(one.shown(region, &name, stay))),
                );
            }
            for (stay, one) in listing.stays.iter().enumerate().filter(|(_, one)| one.paid) {
                let booking = global(&name, &format!("bkg_{stay}"));
                let gave_back = if one.stand == Stand::Cancelled {
                    PRICE
                } else {
                    0
                };
                self.run.finals.push(Final::Payment(FinalPayment {
                    booking: booking.clone(),
                    captured: PRICE,
                    refunded: gave_back,
                    authorized: false,
                }));
                self.run.finals.push(Final::Due(FinalDue {
                    booking,
                    price: PRICE,
                    refund: (one.stand == Stand::Cancelled).then_some(PRICE),
                }));
            }
            for node in [1, 2] {
                self.run.finals.push(Final::Document(FinalDocument {
                    listing: name.clone(),
                    node,
                    digest: format!("{:?}", listing.amenities.len()),
                    amenities: listing.amenities.clone(),
                }));
            }
        }
        self.run.finals.push(Final::Converged { after_ms: Some(5) });
        self.run.samples.push(Sample {
            at_us: 1,
            node: 1,
            region: "eu-west".to_owned(),
            up: true,
            lag_ms: None,
            leads: None,
            clocks: Some(NodeClocks {
                wall_us: 1,
                hybrid_us: 1,
            }),
        });
        self.rename();
    }

    /// Names of bookings and holds are those of their listings.
    fn rename(&mut self) {
        for operation in &mut self.run.operations {
            let listing = operation.invoked.what.listing().to_owned();
            match &mut operation.invoked.what {
                Call::Cancel { booking, .. } => *booking = global(&listing, booking),
                Call::Confirm { hold, .. } | Call::Release { hold, .. } => {
                    *hold = global(&listing, hold);
                }
                _ => {}
            }
            if let Some(Outcome::Ok(answered)) = operation
                .completed
                .as_mut()
                .map(|completed| &mut completed.outcome)
            {
                let names = [&mut answered.booking, &mut answered.hold];
                for name in names.into_iter().flatten() {
                    *name = global(&listing, name);
                }
            }
        }
    }
}

fn global(listing: &str, name: &str) -> String {
    format!("{name}-of-{listing}")
}

/// Calls by what they ask for.
pub(crate) fn tally(run: &Run) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for operation in &run.operations {
        let name = match operation.invoked.what {
            Call::Book { .. } => "book",
            Call::Hold { .. } => "hold",
            Call::Confirm { .. } => "confirm",
            Call::Cancel { .. } => "cancel",
            Call::Release { .. } => "release",
            Call::ReadNights { .. } => "read nights",
            _ => "edit or read a listing",
        };
        *tally.entry(name).or_insert(0) += 1;
    }
    tally
}
