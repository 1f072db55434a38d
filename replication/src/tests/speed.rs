//! What taking in changes of other nodes costs, printed and not asserted: numbers of a shared
//! machine prove nothing. Processor time of the thread that applies, not of the writer.
//!
//! `cargo nextest run -p meridian-replication speed --no-capture`

use std::time::Duration;

use meridian_replication_core::LogEntry;
use tempfile::TempDir;

use super::setup::{amenity, draft, entries, genesis, listing, open, sent};
use crate::planted::{Bug, plant};
use crate::{Precondition, Replica};

/// Entries that a frame holds.
const FRAME: usize = 512;

/// What this thread has used of the processor.
fn used() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds"))
}

async fn write(source: &Replica, listings: u64, rounds: usize) -> Vec<LogEntry> {
    for number in 1..=listings {
        let id = listing(number);
        let made = source.create(&id, &draft("Loft"), genesis(&id)).await;
        made.expect("durable");
    }
    for round in 0..rounds {
        for number in 1..=listings {
            let ops = amenity(&format!("amenity {}", round % 8));
            let edited = source
                .edit(&listing(number), &ops, Precondition::None)
                .await;
            edited.expect("durable");
        }
    }
    entries(source)
}

async fn print_cost(what: &str, listings: u64, rounds: usize) {
    let folder = TempDir::new().expect("a folder");
    let log = write(&open(folder.path().to_path_buf(), 1), listings, rounds).await;
    let (creations, edits): (Vec<_>, Vec<_>) =
        log.into_iter().partition(|entry| entry.genesis.is_some());
    for together in [false, true, true, false] {
        // Whatever is planted, entries are taken one by one; this one does nothing here.
        plant((!together).then_some(Bug::ReturnUnheard));
        let folder = TempDir::new().expect("a folder");
        let target = open(folder.path().to_path_buf(), 2);
        // Numbers without gaps for each of the two.
        let mut numbers = std::collections::BTreeMap::new();
        let mut numbered = |entries: &[LogEntry]| -> Vec<LogEntry> {
            let mut entries = entries.to_vec();
            for entry in &mut entries {
                let number: &mut u64 = numbers.entry(entry.shard).or_default();
                *number += 1;
                entry.seq = *number;
            }
            entries
        };
        for frame in numbered(&creations).chunks(FRAME) {
            target.apply(sent(frame)).await.expect("applied");
        }
        let frames = numbered(&edits);
        let frames: Vec<_> = frames.chunks(FRAME).map(sent).collect();
        let before = used();
        for frame in frames {
            target.apply(frame).await.expect("applied");
        }
        let each = (used() - before) / u32::try_from(edits.len()).expect("few");
        println!("{what:<32} together: {together:<5} {each:>8.1?} for each");
    }
    plant(None);
}

#[tokio::test]
async fn speed_of_applying_is_printed() {
    print_cost("64 listings, many edits each", 64, 60).await;
    print_cost("3,000 listings, an edit each", 3_000, 1).await;
}
