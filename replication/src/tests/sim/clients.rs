//! Guests and hosts who go from region to region with their session tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use meridian_regions::Genesis;
use meridian_replication_core::SessionToken;
use meridian_simulation::{Rng, pass};

use super::history::{Kind, Mark, Read, Sight, Write};
use super::requests::{
    Deed, Outcome, counts, mark, marks_amenity, marks_description, serve, sets_price, sight,
};
use super::world::World;
use crate::tests::setup::{draft, genesis, listing, node};
use crate::{ReadError, WriteError};

/// Writes of a listing that leave marks: below what amenities a listing may have.
const MARKS_MAX: usize = 80;
/// How long a request waits for its token, in milliseconds.
const PATIENCE_MS: (u64, u64) = (20, 2_000);

struct Client {
    world: Arc<World>,
    rng: Rng,
    id: u64,
    /// The node that it asks.
    at: u64,
    token: SessionToken,
    /// What it has seen of which listing.
    seen: BTreeMap<u64, Sight>,
    written: u64,
}

/// One request under way.
struct Asked {
    listing: u64,
    must: Option<Sight>,
    /// The name of the write, if it is one.
    write: Option<Mark>,
    what: String,
}

/// Asks until the world has had enough.
pub(super) async fn run(world: Arc<World>, id: u64) {
    let rng = world.fork();
    let enough = world.enough.clone();
    let at = 1 + id % world.plan.regions.len() as u64;
    let mut client = Client {
        world,
        rng,
        id,
        at,
        token: SessionToken::new(),
        seen: BTreeMap::new(),
        written: 0,
    };
    while !enough.is_cancelled() {
        let (from, until) = client.world.plan.think_ms;
        pass(client.rng.millis(from, until)).await;
        if client.rng.chance(client.world.plan.roams) {
            let nodes = client.world.plan.regions.len() as u64;
            client.at = client.rng.within(1, nodes + 1);
        }
        client.request().await;
    }
}

impl Client {
    async fn request(&mut self) {
        let listings = self.world.state().listings.len() as u64;
        let wanted = self.world.plan.listings;
        if listings < wanted || (listings < 2 * wanted && self.rng.chance(20)) {
            return self.create().await;
        }
        let listing = self.rng.within(0, listings);
        self.written += 1;
        if self.rng.chance(self.world.plan.deletes) {
            return self.ask(listing, Deed::Delete, Some(Kind::Delete)).await;
        }
        match self.rng.within(0, 100) {
            0..40 => self.ask(listing, Deed::Read, None).await,
            40..75 => self.mark(listing).await,
            75..85 => {
                let by = i64::try_from(self.rng.within(1, 9)).expect("small");
                self.ask(listing, counts(by), Some(Kind::Count(by))).await;
            }
            85..96 => {
                let amount = 10_000 + self.id * 1_000_000 + self.written;
                let deed = sets_price(amount);
                self.ask(listing, deed, Some(Kind::Patch)).await;
            }
            _ => {
                let number = usize::try_from(self.rng.within(0, 1_000)).expect("small");
                let deed = Deed::Decide(number);
                self.ask(listing, deed, Some(Kind::Decide)).await;
            }
        }
    }

    /// Makes a listing, once: whoever asks twice might make two.
    async fn create(&mut self) {
        let number = {
            let mut state = self.world.state();
            let number = state.listings.len() as u64;
            state.listings.push(listing(number + 1));
            number
        };
        let genesis = Genesis {
            created_by: node(self.at),
            ..genesis(&listing(number + 1))
        };
        self.written += 1;
        let new = Box::new((draft("Loft"), genesis));
        self.ask(number, Deed::Create(new), Some(Kind::Create))
            .await;
    }

    async fn mark(&mut self, listing: u64) {
        let marks = {
            let history = self.world.history();
            let writes = history.writes.values();
            let marks = writes.filter(|one| one.listing == listing && one.kind == Kind::Edit);
            marks.count()
        };
        if marks >= MARKS_MAX {
            return self.ask(listing, Deed::Read, None).await;
        }
        let mark = mark(self.id, self.written);
        let deed = if self.rng.chance(500) {
            marks_amenity(&mark)
        } else {
            marks_description(&mark)
        };
        self.ask(listing, deed, Some(Kind::Edit)).await;
    }

    async fn ask(&mut self, listing: u64, deed: Deed, kind: Option<Kind>) {
        let id = self.world.state().listings[usize::try_from(listing).expect("small")].clone();
        let honours = self.rng.chance(self.world.plan.honours);
        let wait = honours.then(|| self.rng.millis(PATIENCE_MS.0, PATIENCE_MS.1));
        let must = self.seen.get(&listing).filter(|_| honours).cloned();
        let write = kind.map(|kind| {
            let write = Write {
                kind,
                listing,
                node: self.at,
                saw: must.clone().unwrap_or_default().marks,
                acked: false,
            };
            let mark = mark(self.id, self.written);
            self.world.history().writes.insert(mark.clone(), write);
            mark
        });
        let asked = Asked {
            listing,
            must,
            what: kind.map_or("read".to_owned(), |kind| format!("{kind:?}")),
            write,
        };
        let token = self.token.clone();
        let answer = self
            .world
            .ask(self.at, |replica| serve(replica, id, deed, wait, token));
        let Some((outcome, token)) = answer.await else {
            return self.tell(&asked, "no answer");
        };
        let text = token.encode();
        match SessionToken::decode(&text) {
            Ok(carried) if carried == token => self.token = carried,
            carried => self
                .world
                .stuck(format!("{token:?} is read as {carried:?}")),
        }
        self.take(asked, outcome);
    }

    fn tell(&self, asked: &Asked, came: &str) {
        let (id, at, what, listing) = (self.id, self.at, &asked.what, asked.listing);
        let mark = asked.write.as_deref().unwrap_or_default();
        self.world.tell(format!(
            "client {id} at node {at}: {what} {mark} of listing {listing}: {came}"
        ));
    }

    fn take(&mut self, asked: Asked, outcome: Outcome) {
        let shown = match outcome {
            Outcome::Shown(shown) => shown,
            Outcome::Refused(WriteError::NotFound) if !self.is_deleted(asked.listing) => None,
            Outcome::Written(shown) => {
                self.acknowledged(&asked);
                Some(shown)
            }
            Outcome::Behind => return self.tell(&asked, "behind"),
            Outcome::Idle => return self.tell(&asked, "idle"),
            Outcome::Failed(ReadError::Unsettled { .. })
            | Outcome::Refused(
                WriteError::NotFound
                | WriteError::ConflictsChanged { .. }
                | WriteError::Kept
                | WriteError::Overloaded
                | WriteError::Returning(_)
                | WriteError::Read(ReadError::Unsettled { .. }),
            ) => return self.tell(&asked, "refused"),
            Outcome::Failed(cause) => return self.world.stuck(format!("a read: {cause}")),
            Outcome::Refused(cause) => return self.world.stuck(format!("a write: {cause}")),
        };
        let shown = shown.map(|shown| sight(&shown));
        self.tell(&asked, &format!("shown {shown:?}"));
        if let Some(shown) = &shown {
            let seen = self.seen.entry(asked.listing).or_default();
            seen.marks.extend(shown.marks.clone());
            seen.count = seen.count.max(shown.count);
            seen.buried |= shown.buried;
        }
        self.world.history().reads.push(Read {
            client: self.id,
            node: self.at,
            listing: asked.listing,
            must: asked.must,
            shown,
        });
    }

    /// Whether somebody may have deleted it.
    fn is_deleted(&self, listing: u64) -> bool {
        let history = self.world.history();
        let mut writes = history.writes.values();
        writes.any(|one| one.listing == listing && [Kind::Delete, Kind::Decide].contains(&one.kind))
    }

    fn acknowledged(&self, asked: &Asked) {
        if let Some(mark) = &asked.write
            && let Some(write) = self.world.history().writes.get_mut(mark)
        {
            write.acked = true;
        }
        if self.world.strikes(self.world.plan.crash_on_ack) {
            self.world.crash_for_a_while(self.at);
        }
    }
}
