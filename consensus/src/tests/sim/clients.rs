//! Guests and hosts who ask anywhere, and ask again until they know.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, date};
use meridian_consensus_core::{
    Applied, Block, Command, Hold, Idempotency, Op, Outcome, Release, Stay, Terms,
};

use meridian_simulation::{Rng, pass};

use super::history::{Ack, CALLER, Nights, Read};
use super::world::World;
use crate::{ProposeError, ReadError};

/// A request that has not been answered after so many tries stays unknown.
const TRIES_MAX: u32 = 12;
/// Nights that are fought over.
const NIGHTS: u64 = 12;
/// What a request waits; some are impatient, and leave behind what they asked for.
const DEADLINE_MS: (u64, u64) = (800, 3_000);
const IMPATIENT_MS: (u64, u64) = (5, 120);
/// Least that a hold lasts, in milliseconds.
const HOLD_MS: u64 = 60_000;

struct Client {
    world: Arc<World>,
    rng: Rng,
    id: u64,
    requests: u64,
    listing: u64,
}

/// One request, the same however often it is sent.
#[derive(Clone)]
struct Asked {
    key: String,
    nights: Option<Nights>,
    command: Command,
}

/// Asks until the world has had enough.
pub(super) async fn run(world: Arc<World>, id: u64) {
    let rng = world.fork();
    let enough = world.enough.clone();
    let mut client = Client {
        world,
        rng,
        id,
        requests: 0,
        listing: 0,
    };
    while !enough.is_cancelled() {
        let (from, until) = client.world.plan.think_ms;
        pass(client.rng.millis(from, until)).await;
        client.listing = client.rng.within(0, client.world.plan.listings);
        if client.rng.chance(300) {
            client.read().await;
        } else {
            let asked = client.request();
            client.ask(&asked).await;
        }
    }
}

impl Client {
    fn anyone(&mut self) -> u64 {
        self.rng.within(1, 4)
    }

    fn request(&mut self) -> Asked {
        self.requests += 1;
        let key = format!("{}-{}", self.id, self.requests);
        let from = self.rng.within(0, NIGHTS);
        let nights = Nights {
            from,
            until: from + self.rng.within(1, 4),
            units: 1,
        };
        let all = Nights {
            units: self.world.plan.units,
            ..nights
        };
        let (nights, op) = match self.rng.within(0, 100) {
            0..60 => (Some(nights), Op::Hold(hold(&key, nights, all.units))),
            60..75 => (Some(all), Op::Block(block(all))),
            _ => match self.something_held() {
                Some(number) => (None, Op::Release(Release { number })),
                None => (Some(nights), Op::Hold(hold(&key, nights, all.units))),
            },
        };
        let idempotency = Idempotency {
            caller: CALLER.to_owned(),
            key: key.clone(),
            payload_hash: vec![0; 32],
        };
        Asked {
            command: Command::new(op, Some(idempotency)),
            key,
            nights,
        }
    }

    /// A hold that somebody was given: it is given back from now on, whatever comes.
    fn something_held(&mut self) -> Option<u64> {
        let mut history = self.world.history();
        let listing = self.listing;
        let held = history.acks.iter().filter(|ack| ack.listing == listing);
        let held = held.filter_map(|ack| match ack.applied.outcome() {
            Outcome::Held(held) => Some(held.number),
            _ => None,
        });
        let held: Vec<u64> = held.collect();
        if held.is_empty() {
            return None;
        }
        let number = *self.rng.pick(&held);
        history.given_back.insert((listing, number));
        Some(number)
    }

    /// Sends a request until it is answered, and at times once more, elsewhere.
    async fn ask(&mut self, asked: &Asked) {
        let mut to = self.anyone();
        for _ in 0..TRIES_MAX {
            let (from, until) = if self.rng.chance(80) {
                IMPATIENT_MS
            } else {
                DEADLINE_MS
            };
            let deadline = self.rng.millis(from, until);
            match self.send(to, asked, deadline).await {
                Some(Ok(applied)) => {
                    self.acknowledged(asked, applied);
                    if self.rng.chance(700) {
                        return;
                    }
                    to = self.anyone();
                }
                Some(Err(ProposeError::NotLeader {
                    leader: Some(leader),
                })) => to = leader.get(),
                _ => to = self.anyone_later().await,
            }
        }
    }

    /// Somebody else to ask, after a while.
    async fn anyone_later(&mut self) -> u64 {
        let pause = self.rng.millis(10, 400);
        pass(pause).await;
        self.anyone()
    }

    async fn send(
        &self,
        to: u64,
        asked: &Asked,
        deadline: Duration,
    ) -> Option<Result<Applied, ProposeError>> {
        let place = usize::try_from(self.listing).expect("in memory");
        let genesis = &self.world.listings[place];
        let command = asked.command.clone();
        let proposed = self.world.ask(to, |groups| async move {
            groups.propose(genesis, command, deadline).await
        });
        proposed.await
    }

    fn acknowledged(&self, asked: &Asked, applied: Applied) {
        let mut history = self.world.history();
        let ended = history.stamp();
        history.acks.push(Ack {
            listing: self.listing,
            key: asked.key.clone(),
            nights: asked.nights,
            applied,
            ended,
        });
    }

    async fn read(&mut self) {
        let began = self.world.history().stamp();
        let mut to = self.anyone();
        for _ in 0..TRIES_MAX {
            let place = usize::try_from(self.listing).expect("in memory");
            let genesis = &self.world.listings[place];
            let deadline = self.rng.millis(DEADLINE_MS.0, DEADLINE_MS.1);
            let read = self.world.ask(
                to,
                |groups| async move { groups.read(genesis, deadline).await },
            );
            match read.await {
                Some(Ok(view)) => {
                    let mut history = self.world.history();
                    let ended = history.stamp();
                    history.reads.push(Read {
                        listing: self.listing,
                        ledger: view.ledger,
                        began,
                        ended,
                    });
                    return;
                }
                Some(Err(ReadError::NotLeader {
                    leader: Some(leader),
                })) => to = leader.get(),
                _ => to = self.anyone_later().await,
            }
        }
    }
}

fn night(offset: u64) -> Date {
    let days = i64::try_from(offset).expect("small");
    let first = date(2027, 6, 1);
    first
        .checked_add(jiff::Span::new().days(days))
        .expect("a date")
}

/// A hold whose quote is its key: the ledger shows whose it is.
fn hold(key: &str, nights: Nights, units: u32) -> Hold {
    Hold {
        stay: Stay::new(night(nights.from), night(nights.until), 1),
        terms: Terms {
            units,
            capacity: 2,
            ..Terms::default()
        },
        ttl_ms: HOLD_MS,
        quote: key.to_owned(),
        ..Hold::default()
    }
}

fn block(nights: Nights) -> Block {
    Block {
        nights: Stay::new(night(nights.from), night(nights.until), 0),
        units: nights.units,
    }
}
