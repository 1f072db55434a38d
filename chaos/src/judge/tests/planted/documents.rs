//! Mistakes of the listing plane: of documents, and of the sessions that read them.

use super::super::add;
use super::caught;
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
