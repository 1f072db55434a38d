//! Reads what is left once the links are healed, and hands it to the checkers.
//!
//! What cannot be read then is a broken promise, and no reason for the run to have no
//! verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::persist::persist;
use super::{CONVERGE_PATIENCE, CUT_PATIENCE, CUT_REGION, Region, Smoke};
use crate::check::{
    EditTally, StandingBooking, Unread, Verdict, check_bookings_durable, check_convergence,
    check_edits_accepted, check_edits_durable, check_no_quorum, check_races, check_readable,
    check_single_sale,
};
use crate::history::{Edit, Sale};
use crate::observe::{converged, differing_digests, standing_bookings, text};

/// How long a read may take until a healed cluster answers it.
const READ_PATIENCE: Duration = Duration::from_secs(20);

/// What the run has seen beside its history.
pub(super) struct Observed {
    pub(super) no_quorum_after: Option<Duration>,
    pub(super) edits: Vec<EditTally>,
}

/// What the checkers say.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) races: usize,
    pub(super) winners_untold: usize,
}

impl Smoke<'_> {
    pub(super) async fn judge(&self, observed: Observed) -> Judged {
        let mut violations = check_no_quorum(CUT_REGION, observed.no_quorum_after, CUT_PATIENCE);
        violations.extend(check_edits_accepted(&observed.edits));
        let mut unread = Vec::new();
        // Edits of the measurement and the last race may still be on their way.
        if converged(&self.admins, CONVERGE_PATIENCE).await.is_err() {
            match differing_digests(&self.admins).await {
                Ok(differing) => {
                    violations.extend(differing.values().flat_map(check_convergence));
                }
                Err(cause) => unread.push(Unread {
                    what: "the digests of all nodes".to_owned(),
                    cause: cause.to_string(),
                }),
            }
        }
        let (sales, races, edits) = (
            self.history.sales(),
            self.history.races(),
            self.history.edits(),
        );
        let (standing, silent) = self.standing(&sales, &mut unread).await;
        violations.extend(check_single_sale(&sales, &standing));
        let found = check_races(&races, &standing);
        violations.extend(found.violations);
        // Of a ledger that is silent nothing is known: that itself is the violation.
        let (known, _): (Vec<Sale>, Vec<Sale>) = sales
            .into_iter()
            .partition(|sale| !silent.contains(&sale.listing));
        violations.extend(check_bookings_durable(&known, &standing));
        for region in &self.regions {
            let amenities = self.amenities(region, &edits, &mut unread).await;
            violations.extend(check_edits_durable(region.id, &edits, &amenities));
        }
        violations.extend(check_readable(&unread));
        Judged {
            verdict: Verdict { violations },
            races: races.len(),
            winners_untold: found.winners_untold,
        }
    }

    /// Confirmed bookings of every listing that somebody wanted, and the listings whose
    /// ledger gave no answer.
    async fn standing(
        &self,
        sales: &[Sale],
        unread: &mut Vec<Unread>,
    ) -> (Vec<StandingBooking>, BTreeSet<String>) {
        let wanted: BTreeSet<&String> = sales.iter().map(|sale| &sale.listing).collect();
        let (mut standing, mut silent) = (Vec::new(), BTreeSet::new());
        let Some(region) = self.regions.first() else {
            return (standing, silent);
        };
        for listing in wanted {
            let read = async || standing_bookings(&region.client, listing).await;
            match persist(READ_PATIENCE, read).await {
                Ok(of_listing) => standing.extend(of_listing),
                Err(cause) => {
                    silent.insert(listing.clone());
                    unread.push(Unread {
                        what: format!("bookings of {listing} in {}", region.id),
                        cause: cause.to_string(),
                    });
                }
            }
        }
        (standing, silent)
    }

    /// Amenities of the edited listings, as a region shows them.
    async fn amenities(
        &self,
        region: &Region,
        edits: &[Edit],
        unread: &mut Vec<Unread>,
    ) -> BTreeMap<String, Vec<String>> {
        let edited: BTreeSet<&String> = edits.iter().map(|edit| &edit.listing).collect();
        let mut shown = BTreeMap::new();
        for listing in edited {
            let read = async || region.client.listing(listing).await;
            match persist(READ_PATIENCE, read).await {
                Ok(answer) => {
                    let amenities = answer.body["amenities"].as_array();
                    let amenities = amenities.into_iter().flatten().map(text).collect();
                    shown.insert(listing.clone(), amenities);
                }
                Err(cause) => unread.push(Unread {
                    what: format!("{listing} in {}", region.id),
                    cause: cause.to_string(),
                }),
            }
        }
        shown
    }
}
