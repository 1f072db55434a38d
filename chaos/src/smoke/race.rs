//! Clients of every region race for the same nights.

use std::time::Duration;

use meridian_client::{Answer, CallError, Client, NewStay};

use super::persist::persist;
use super::{Smoke, join_all};
use crate::history::{Links, Outcome, Race, Sale};

/// Clients of each region that race for the same night.
const RACERS_PER_REGION: usize = 4;
/// How long a client asks for its outcome while all links are up: after a cut, groups
/// may have to elect a leader first.
const SETTLE_PATIENCE: Duration = Duration::from_secs(20);

impl Smoke<'_> {
    /// Clients of every region try to book the same night of the same listings, at
    /// once. `round` chooses the night. While all links are up, they ask until they
    /// know the outcome.
    pub(super) async fn race(&self, round: usize, links: Links) {
        let Some((check_in, check_out)) = self.options.nights.get(round).cloned() else {
            return;
        };
        let stay = NewStay {
            check_in,
            check_out,
            guests: 1,
        };
        for listing in self.raced() {
            let racers = self.regions.iter().flat_map(|region| {
                (0..RACERS_PER_REGION).map(move |_| (region.id, &region.client))
            });
            let attempts = racers.map(|(region, client)| {
                let (listing, stay) = (listing.clone(), &stay);
                async move {
                    let outcome = attempt(client, &listing, stay, links).await;
                    self.history.sale(Sale {
                        listing,
                        check_in: stay.check_in.clone(),
                        check_out: stay.check_out.clone(),
                        region: region.to_owned(),
                        outcome: outcome.clone(),
                    });
                    outcome
                }
            });
            let outcomes = join_all(attempts).await;
            self.history.race(Race {
                listing,
                check_in: stay.check_in.clone(),
                links,
                outcomes,
            });
        }
    }
}

async fn attempt(client: &Client, listing: &str, stay: &NewStay, links: Links) -> Outcome {
    let key = format!("race-{:032x}", rand::random::<u128>());
    let book = async || client.book(listing, stay, "card_ok", &key).await;
    let answer = match links {
        Links::OneRegionCut => book().await,
        Links::Whole => persist(SETTLE_PATIENCE, async || settled(book().await)).await,
    };
    Outcome::of_booking(&answer)
}

/// A payment that is pending is asked for again: its outcome is not known yet.
fn settled(answer: Result<Answer, CallError>) -> Result<Answer, CallError> {
    match answer {
        Ok(answer) if answer.body["state"] != "confirmed" => {
            Err(CallError::Unknown("the payment is pending".to_owned()))
        }
        known => known,
    }
}
