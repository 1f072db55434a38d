//! A million edits of one listing at three nodes, whose history begins anew every some
//! thousand: memory, bytes on disk and the time to load it, as it goes on. The first lines
//! are the same listing without that, as far as its bound.
//!
//! `cargo run --release --example soak_edits`, in a workspace whose dependencies are built as
//! for the bench.

use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use meridian_regions::{ListingId, NodeId, UnixNanos};
use meridian_replication_core::{
    Currency, EditOp, ListingDocument, ListingDraft, ListingPatch, Location, Money,
};
use serde_json::json;

const EDITS: u64 = 1_000_000;
/// Edits of the listing whose history never begins anew: the time for each grows with their
/// number.
const WITHOUT: u64 = 20_000;
/// As `listings.changes_before_renewal` is by default.
const CHANGES_BEFORE_RENEWAL: u64 = 512;
const TOLD_EVERY: u64 = 50_000;
/// Edits that are still on their way as the document begins anew.
const ON_THE_WAY: usize = 40;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "edits, begun anew, changes, snapshot bytes, load, resident MiB"
    )?;
    let mut replicas = begin();
    for number in 1..=WITHOUT {
        edit(&mut replicas, number);
    }
    tell(&mut out, WITHOUT, &replicas[0])?;
    let mut replicas = begin();
    let mut resident = Vec::new();
    for number in 1..=EDITS {
        edit(&mut replicas, number);
        if replicas[0].changes() >= CHANGES_BEFORE_RENEWAL {
            renew(&mut replicas, number);
        }
        if number % TOLD_EVERY == 0 {
            tell(&mut out, number, &replicas[0])?;
            resident.push(resident_mib());
        }
    }
    let [first, second, third] = &replicas;
    assert_eq!(first.heads(), second.heads());
    assert_eq!(first.heads(), third.heads());
    assert_eq!(first.view(), third.view());
    let counted = first.view().counters["saves"].unsigned_abs();
    assert_eq!(counted, EDITS.div_ceil(2), "every second edit counts");
    let (least, most) = (resident.iter().min(), resident.iter().max());
    writeln!(out, "resident from {least:?} to {most:?} MiB")
}

fn begin() -> [ListingDocument; 3] {
    let price = Money {
        amount: 12_900,
        currency: "NOK".parse::<Currency>().expect("a currency"),
    };
    let draft = ListingDraft::new("Loft", Location::at(59.9, 10.7), 4, price);
    let draft = draft.validate().expect("every field keeps its rule");
    let id = ListingId::derived("eu-west".parse().expect("a region"), "soak", "1");
    let (document, _) = ListingDocument::create(&id, node(0), at(0), &draft);
    [document.clone(), document.clone(), document]
}

fn node(place: u64) -> NodeId {
    NodeId::new(1 + place).expect("not zero")
}

fn at(number: u64) -> UnixNanos {
    UnixNanos::from_millis(1_700_000_000_000 + number)
}

/// Every second edit counts; the others write, in turn, to the price and the description.
fn make(document: &mut ListingDocument, place: u64, number: u64) -> Vec<u8> {
    let (node, at) = (node(place), at(number));
    let made = match number % 4 {
        0 => {
            let patch = json!({"nightly_price": {"amount": 10_000 + number}});
            let patch = ListingPatch::from_json(patch).expect("a patch");
            document.patch(node, at, &patch)
        }
        2 => {
            let length = document.view().description.chars().count();
            let op = EditOp::Splice {
                path: "/description".to_owned(),
                at: length / 2,
                delete: usize::from(length > 200),
                insert: "å".to_owned(),
            };
            document.edit(node, at, &[op])
        }
        _ => {
            let path = "/counters/saves".to_owned();
            document.edit(node, at, &[EditOp::Increment { path, by: 1 }])
        }
    };
    made.expect("it fits").expect("it changes").into_bytes()
}

fn edit(replicas: &mut [ListingDocument; 3], number: u64) {
    let place = number % 3;
    let index = usize::try_from(place).expect("small");
    let change = make(&mut replicas[index], place, number);
    for (other, replica) in replicas.iter_mut().enumerate() {
        if other != index {
            replica.apply(&change).expect("a change of a replica");
        }
    }
}

/// The first begins anew while the others still write to what was before.
fn renew(replicas: &mut [ListingDocument; 3], number: u64) {
    let heads = replicas[0].heads();
    let mut late: Vec<Vec<u8>> = Vec::new();
    for step in 0..ON_THE_WAY as u64 {
        // A count that does not count: it goes up by one, and down again.
        let path = "/counters/saves".to_owned();
        let by = if step % 2 == 0 { 1 } else { -1 };
        let ops = [EditOp::Increment { path, by }];
        let made = replicas[1].edit(node(1), at(number), &ops);
        late.push(made.expect("it fits").expect("it counts").into_bytes());
    }
    let marker = replicas[0].begin_anew(node(0), at(number), &heads);
    let marker = marker.expect("sound").expect("nothing is awaited");
    for replica in &mut replicas[1..] {
        replica.apply(marker.as_bytes()).expect("a marker");
    }
    for change in late {
        for replica in replicas.iter_mut() {
            replica.apply(&change).expect("a change of a replica");
        }
    }
    for replica in replicas {
        replica.forget_former();
    }
}

fn tell(out: &mut impl Write, edits: u64, document: &ListingDocument) -> io::Result<()> {
    let snapshot = document.save();
    let mut loads: Vec<Duration> = (0..9)
        .map(|_| {
            let start = Instant::now();
            let loaded = ListingDocument::load(document.id(), Some(&snapshot), []);
            assert_eq!(loaded.expect("a snapshot").heads(), document.heads());
            start.elapsed()
        })
        .collect();
    loads.sort_unstable();
    writeln!(
        out,
        "{edits}, {}, {}, {}, {:?}, {}",
        document.generation(),
        document.changes(),
        snapshot.len(),
        loads[loads.len() / 2],
        resident_mib(),
    )
}

/// Of this process, by the kernel's word; 0 where it says nothing.
fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
