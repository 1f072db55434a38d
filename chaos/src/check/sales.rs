//! A night is sold once: never twice, and not to nobody when all of a cluster wants it.

use std::collections::{BTreeMap, BTreeSet};

use super::{StandingBooking, Violation};
use crate::history::{Links, Outcome, Race, Sale};

const INVARIANT: &str = "a night is sold once";

struct Stay<'a> {
    listing: &'a str,
    check_in: &'a str,
    check_out: &'a str,
    booking_id: &'a str,
}

/// Nobody was sold a night that somebody else has: neither by what clients were
/// told, nor by what the ledgers say in the end. Every listing has one unit.
#[must_use]
pub fn check_single_sale(sales: &[Sale], standing: &[StandingBooking]) -> Vec<Violation> {
    let told = sales.iter().filter_map(|sale| match &sale.outcome {
        Outcome::Sold(booked) => Some(Stay {
            listing: &sale.listing,
            check_in: &sale.check_in,
            check_out: &sale.check_out,
            booking_id: &booked.booking_id,
        }),
        _ => None,
    });
    let kept = standing.iter().map(|booking| Stay {
        listing: &booking.listing,
        check_in: &booking.check_in,
        check_out: &booking.check_out,
        booking_id: &booking.booking_id,
    });
    let mut violations = overlaps("told to clients", told);
    violations.extend(overlaps("in the ledger", kept));
    violations
}

fn overlaps<'a>(where_seen: &str, stays: impl Iterator<Item = Stay<'a>>) -> Vec<Violation> {
    let mut by_listing: BTreeMap<&str, Vec<Stay<'a>>> = BTreeMap::new();
    for stay in stays {
        by_listing.entry(stay.listing).or_default().push(stay);
    }
    let mut violations = Vec::new();
    for stays in by_listing.values_mut() {
        stays.sort_by(|one, other| one.check_in.cmp(other.check_in));
        let mut stays = stays.iter();
        let Some(mut longest) = stays.next() else {
            continue;
        };
        for stay in stays {
            // The same booking may be told twice: once to each who asked with its key.
            if stay.check_in < longest.check_out && stay.booking_id != longest.booking_id {
                violations.push(Violation {
                    invariant: INVARIANT,
                    detail: format!(
                        "{where_seen}: {} and {} both have the night of {} of {}",
                        longest.booking_id, stay.booking_id, stay.check_in, stay.listing
                    ),
                });
            }
            if stay.check_out > longest.check_out {
                longest = stay;
            }
        }
    }
    violations
}

/// What came of all races.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RaceFindings {
    /// Races that broke the promise.
    pub violations: Vec<Violation>,
    /// Races whose winner was not told in time: the ledger says that there is one.
    pub winners_untold: usize,
}

/// Each race sold its night exactly once while all links were up, and at most once
/// while a region was cut off. If no client knows that it has won, an outcome must be
/// unknown and the ledger have one booking of the night. A run without a race proves
/// nothing.
#[must_use]
pub fn check_races(races: &[Race], standing: &[StandingBooking]) -> RaceFindings {
    let mut findings = RaceFindings::default();
    if !races.iter().any(|race| race.links == Links::Whole) {
        findings.violations.push(Violation {
            invariant: INVARIANT,
            detail: "no night was raced for while all links were up".to_owned(),
        });
    }
    for race in races {
        let winners: BTreeSet<&str> = race
            .outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Sold(booked) => Some(booked.booking_id.as_str()),
                _ => None,
            })
            .collect();
        let unknown = race.outcomes.contains(&Outcome::Unknown);
        let kept = standing.iter().filter(|booking| has_night(booking, race));
        match (winners.len(), race.links) {
            (1, _) | (0, Links::OneRegionCut) => {}
            (0, Links::Whole) if unknown && kept.count() == 1 => findings.winners_untold += 1,
            (sold, _) => findings.violations.push(Violation {
                invariant: INVARIANT,
                detail: format!(
                    "{} clients raced for the night of {} of {}: {sold} were told that it is theirs",
                    race.outcomes.len(),
                    race.check_in,
                    race.listing
                ),
            }),
        }
    }
    findings
}

fn has_night(booking: &StandingBooking, race: &Race) -> bool {
    booking.listing == race.listing
        && booking.check_in <= race.check_in
        && race.check_in < booking.check_out
}

#[cfg(test)]
mod tests {
    use super::super::samples::{refused, sold, standing, told};
    use super::{check_races, check_single_sale};
    use crate::history::{Links, Outcome, Race};

    fn race(links: Links, outcomes: &[Outcome]) -> Race {
        Race {
            listing: "lst_a".to_owned(),
            check_in: "2027-01-01".to_owned(),
            links,
            outcomes: outcomes.to_vec(),
        }
    }

    fn won() -> Race {
        race(Links::Whole, &[refused(), told("bkg_1")])
    }

    #[test]
    fn night_told_to_two_clients_is_condemned() {
        let sales = [
            sold("bkg_1", "2027-01-01", "2027-01-03"),
            sold("bkg_2", "2027-01-02", "2027-01-04"),
        ];
        assert_eq!(check_single_sale(&sales, &[]).len(), 1);
    }

    #[test]
    fn night_inside_a_long_stay_is_condemned_also_behind_another() {
        let sales = [
            sold("bkg_1", "2027-01-01", "2027-01-09"),
            sold("bkg_1", "2027-01-01", "2027-01-09"),
            sold("bkg_2", "2027-01-02", "2027-01-03"),
            sold("bkg_3", "2027-01-05", "2027-01-06"),
        ];
        assert_eq!(check_single_sale(&sales, &[]).len(), 2);
    }

    #[test]
    fn night_sold_twice_in_the_ledger_is_condemned() {
        let kept = [
            standing("bkg_1", "2027-01-01", "2027-01-02"),
            standing("bkg_2", "2027-01-01", "2027-01-02"),
        ];
        assert_eq!(check_single_sale(&[], &kept).len(), 1);
    }

    #[test]
    fn back_to_back_stays_repeated_answers_and_refusals_are_fine() {
        let mut lost = sold("", "2027-01-01", "2027-01-02");
        lost.outcome = refused();
        let sales = [
            sold("bkg_1", "2027-01-01", "2027-01-02"),
            sold("bkg_1", "2027-01-01", "2027-01-02"),
            sold("bkg_2", "2027-01-02", "2027-01-03"),
            lost,
        ];
        assert!(check_single_sale(&sales, &[]).is_empty());
    }

    #[test]
    fn race_that_nobody_wins_is_condemned_while_the_links_are_whole() {
        let nobody = [refused(), refused()];
        let races = [won(), race(Links::Whole, &nobody)];
        assert_eq!(check_races(&races, &[]).violations.len(), 1);
        let races = [won(), race(Links::OneRegionCut, &nobody)];
        assert!(check_races(&races, &[]).violations.is_empty());
    }

    #[test]
    fn race_with_two_winners_is_condemned_always() {
        let both = [told("bkg_1"), told("bkg_2")];
        for links in [Links::Whole, Links::OneRegionCut] {
            let races = [won(), race(links, &both)];
            assert_eq!(check_races(&races, &[]).violations.len(), 1, "{links:?}");
        }
    }

    #[test]
    fn unknown_outcome_explains_a_race_only_if_the_ledger_has_its_winner() {
        let races = [race(Links::Whole, &[refused(), Outcome::Unknown])];
        assert_eq!(check_races(&races, &[]).violations.len(), 1);
        let kept = [standing("bkg_1", "2027-01-01", "2027-01-02")];
        let findings = check_races(&races, &kept);
        assert!(findings.violations.is_empty() && findings.winners_untold == 1);
    }

    #[test]
    fn run_without_a_race_is_condemned() {
        assert_eq!(check_races(&[], &[]).violations.len(), 1);
    }
}
