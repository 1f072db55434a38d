//! A pump that has as much to keep as it may.

use std::num::NonZeroU32;

use super::{POLICY, all, changed, document, feed, fresh, line, node, page, record, start};
use crate::events::Plane;
use crate::outbound::progress::{Delivery, Progress};
use crate::outbound::pump::{PARKED_MAX, Policy};
use crate::registers::VALUE_BYTES_MAX;

/// What did not fit would never be written down again.
#[test]
fn progress_with_everything_parked_and_long_errors_fits_its_register_with_nothing_left_out() {
    let once = Policy {
        attempts_max: NonZeroU32::new(1),
        ..POLICY
    };
    let mut pump = fresh(once);
    let bookings = (1..=600).map(|number| record(number, 1, number)).collect();
    let changes: Vec<u16> = (1..=600).collect();
    for (feed, records, line) in [
        (node(), bookings, line(1)),
        (feed(1, Plane::Listings), changed(&changes), document(1)),
    ] {
        pump.accept(feed, page(records), 0, all);
        while pump.due(0).is_some() {
            pump.failed(&line, 0, &"\u{1f6d1}".repeat(500), 0);
        }
    }
    let progress = pump.progress(start());
    assert_eq!(progress.parked.len(), 2 * PARKED_MAX);
    let encoded = progress.encode();
    assert!(encoded.len() <= VALUE_BYTES_MAX, "{} bytes", encoded.len());
    let read = Progress::decode(&encoded).expect("it was written");
    let deliveries = |progress: &Progress| -> Vec<Delivery> {
        let parked = progress.parked.iter();
        parked.map(|parked| parked.delivery.clone()).collect()
    };
    assert_eq!(deliveries(&read), deliveries(&progress));
    assert!(
        !read.parked[0].error.is_empty(),
        "as much as there is room for"
    );
}
