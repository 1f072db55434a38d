//! Mistakes of the listing plane: of documents, and of the sessions that read and search them.

use super::super::{add, broken};
use super::{caught, world};
use crate::record::{Answered, Call, Final, Outcome, Run};

#[test]
fn documents_that_differ_are_caught() {
    caught(&["all nodes converge"], |run| {
        let document = run.finals.iter_mut().find_map(|one| match one {
            Final::Document(document) => Some(document),
            _ => None,
        });
        document.expect("a document").digest.push('x');
    });
}

/// The last amenity that a client was told of, and that nobody removed.
fn kept_amenity(run: &Run) -> (String, String, u64, u64) {
    let mut added = run
        .operations
        .iter()
        .rev()
        .filter_map(|one| match &one.invoked.what {
            Call::AddAmenity {
                listing,
                amenity,
                session,
            } if one.answered().is_some() => {
                let at_us = one
                    .completed
                    .as_ref()
                    .map_or(0, |completed| completed.at_us);
                Some((
                    listing.clone(),
                    amenity.clone(),
                    session.unwrap_or(0),
                    at_us,
                ))
            }
            _ => None,
        });
    let removed = |name: &str| {
        run.operations.iter().any(|one| {
        matches!(&one.invoked.what, Call::RemoveAmenity { amenity, .. } if amenity == name)
    })
    };
    added
        .find(|(_, amenity, ..)| !removed(amenity))
        .expect("kept")
}

#[test]
fn lost_amenity_is_caught() {
    caught(&["no acknowledged change is lost"], |run| {
        let (_, lost, ..) = kept_amenity(run);
        for one in &mut run.finals {
            if let Final::Document(document) = one {
                document.amenities.retain(|amenity| *amenity != lost);
            }
        }
    });
}

#[test]
fn removed_amenity_that_comes_back_is_caught() {
    caught(&["no acknowledged change is lost"], |run| {
        let (listing, amenity, session, at_us) = kept_amenity(run);
        let remove = Call::RemoveAmenity {
            listing,
            amenity,
            session: Some(session),
        };
        add(
            run,
            remove,
            (at_us + 1, at_us + 2),
            Some(Outcome::Ok(Answered::default())),
        );
    });
}

#[test]
fn session_that_misses_its_own_write_or_what_it_saw_is_caught() {
    for sees in [false, true] {
        caught(&["sessions never go back"], |run| {
            let (listing, amenity, session, at_us) = kept_amenity(run);
            // The one who added it, or somebody else who has seen it.
            let session = Some(if sees { 1_000 } else { session });
            let read = |amenities: Vec<String>| {
                Some(Outcome::Ok(Answered {
                    amenities: Some(amenities),
                    ..Answered::default()
                }))
            };
            let what = Call::ReadListing { listing, session };
            if sees {
                let seen = read(vec![amenity]);
                add(run, what.clone(), (at_us + 1, at_us + 2), seen);
            }
            add(run, what, (at_us + 3, at_us + 4), read(Vec::new()));
        });
    }
}

#[test]
fn write_that_is_seen_before_what_it_followed_is_caught() {
    caught(&["sessions never go back"], |run| {
        let (listing, first, session, at_us) = kept_amenity(run);
        let follow = Call::AddAmenity {
            listing: listing.clone(),
            amenity: "thing-new".to_owned(),
            session: Some(session),
        };
        add(
            run,
            follow,
            (at_us + 1, at_us + 2),
            Some(Outcome::Ok(Answered::default())),
        );
        let shown: Vec<String> = run
            .finals
            .iter()
            .find_map(|one| match one {
                Final::Document(document) if document.listing == listing => {
                    Some(document.amenities.clone())
                }
                _ => None,
            })
            .unwrap_or_default();
        let mut shown: Vec<String> = shown.into_iter().filter(|one| *one != first).collect();
        shown.push("thing-new".to_owned());
        let read = Outcome::Ok(Answered {
            amenities: Some(shown),
            ..Answered::default()
        });
        // Whoever reads needs no session.
        let what = Call::ReadListing {
            listing,
            session: None,
        };
        add(run, what, (at_us + 3, at_us + 4), Some(read));
    });
}

/// A search of a session for a listing by one of its amenities, and what it found.
fn search(run: &mut Run, (listing, amenity): (&str, &str), session: u64, found: &[&str]) {
    let what = Call::Search {
        listing: listing.to_owned(),
        amenity: amenity.to_owned(),
        session: Some(session),
    };
    let end_us = 1 + run
        .operations
        .iter()
        .filter_map(|one| one.completed.as_ref())
        .map(|completed| completed.at_us)
        .max()
        .expect("calls");
    let found = Outcome::Ok(Answered {
        found: Some(found.iter().map(|&one| one.to_owned()).collect()),
        ..Answered::default()
    });
    add(run, what, (end_us + 1, end_us + 2), Some(found));
}

/// The session that added it takes it away, when all else is over.
fn remove(run: &mut Run, (listing, amenity): (&str, &str), session: u64, at_us: u64) {
    let remove = Call::RemoveAmenity {
        listing: listing.to_owned(),
        amenity: amenity.to_owned(),
        session: Some(session),
    };
    let done = Some(Outcome::Ok(Answered::default()));
    add(run, remove, (at_us, at_us + 1), done);
}

#[test]
fn search_that_misses_what_its_session_wrote_is_caught_and_another_s_is_not() {
    caught(&["searches show"], |run| {
        let (listing, amenity, session, _) = kept_amenity(run);
        search(run, (&listing, &amenity), session, &[]);
    });
    let mut run = world(1);
    let (listing, amenity, ..) = kept_amenity(&run);
    search(&mut run, (&listing, &amenity), 1_000, &[]);
    assert_eq!(broken(&run), [""; 0]);
}

#[test]
fn search_that_finds_by_what_its_session_took_away_is_caught() {
    caught(&["searches show"], |run| {
        let (listing, amenity, session, at_us) = kept_amenity(run);
        remove(run, (&listing, &amenity), session, at_us + 1);
        search(run, (&listing, &amenity), session, &[&listing]);
    });
}

#[test]
fn search_that_finds_another_listing_is_caught() {
    caught(&["searches show"], |run| {
        let (listing, amenity, session, _) = kept_amenity(run);
        search(run, (&listing, &amenity), session, &[&listing, "lst_x"]);
    });
}

#[test]
fn amenity_that_was_added_again_and_is_lost_is_caught() {
    let lost = |run: &mut Run, again: bool| {
        let (listing, amenity, session, at_us) = kept_amenity(run);
        remove(run, (&listing, &amenity), session, at_us + 1);
        if again {
            let what = Call::AddAmenity {
                listing,
                amenity: amenity.clone(),
                session: None,
            };
            let done = Some(Outcome::Ok(Answered::default()));
            add(run, what, (at_us + 3, at_us + 4), done);
        }
        for one in &mut run.finals {
            if let Final::Document(document) = one {
                document.amenities.retain(|one| *one != amenity);
            }
        }
    };
    caught(&["no acknowledged change is lost"], |run| lost(run, true));
    let mut run = world(1);
    lost(&mut run, false);
    assert_eq!(broken(&run), [""; 0]);
}
