//! Every model by seeds: fates, times, shares.

use std::time::{Duration, Instant};

use super::{Fate, Lane, Loss, Parcel, UNDER_WAY_MAX, seed_of};
use crate::link::{Bandwidth, Burst, Impairment, LinkModel, Reorder};

const DELAY: Duration = Duration::from_millis(40);
const EVERY: Duration = Duration::from_micros(100);

fn healthy() -> LinkModel {
    LinkModel::of_round_trip(2 * DELAY)
}

/// Sends numbered datagrams of 100 bytes through a lane, one each 100 µs, and lets all out.
fn sent(model: &LinkModel, seed: u64, count: u32) -> (Vec<Fate>, Vec<(Instant, Parcel)>) {
    let (mut lane, began) = (Lane::new(seed), Instant::now());
    let (mut fates, mut out) = (Vec::new(), Vec::new());
    for number in 0..count {
        let now = began + EVERY * number;
        drain(&mut lane, now, &mut out);
        let mut datagram = [0; 100];
        datagram[..4].copy_from_slice(&number.to_be_bytes());
        fates.push(lane.admit(model, now, &datagram));
    }
    drain(&mut lane, began + Duration::from_secs(3_600), &mut out);
    (fates, out)
}

fn drain(lane: &mut Lane, until: Instant, out: &mut Vec<(Instant, Parcel)>) {
    while let Some(at) = lane.next_at().filter(|at| *at <= until) {
        let parcel = lane.let_out(at).expect("it is due");
        out.push((at, parcel));
    }
}

fn lost(fates: &[Fate], why: Loss) -> usize {
    fates
        .iter()
        .filter(|fate| **fate == Fate::Lost(why))
        .count()
}

fn number(parcel: &Parcel) -> u32 {
    u32::from_be_bytes(parcel.bytes[..4].try_into().expect("four bytes"))
}

#[test]
fn healthy_direction_keeps_every_datagram_its_order_and_its_delay() {
    let (fates, out) = sent(&healthy(), 1, 1_000);
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Passes { .. })));
    let numbers: Vec<u32> = out.iter().map(|(_, parcel)| number(parcel)).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
    assert!(out.iter().all(|(_, parcel)| parcel.under_way == DELAY));
    assert!(
        out.iter()
            .all(|(_, parcel)| parcel.late.is_zero() && !parcel.overtaken)
    );
}

#[test]
fn nothing_is_let_out_before_it_is_due_and_lateness_is_told() {
    let (mut lane, now) = (Lane::new(1), Instant::now());
    lane.admit(&healthy(), now, b"one");
    assert_eq!(lane.next_at(), Some(now + DELAY));
    assert!(lane.let_out(now + DELAY - EVERY).is_none());
    let parcel = lane.let_out(now + DELAY + EVERY).expect("it is due");
    assert_eq!((parcel.late, parcel.under_way), (EVERY, DELAY + EVERY));
    assert!(lane.let_out(now + 2 * DELAY).is_none());
}

#[test]
fn same_seed_has_the_same_fates_and_another_one_others() {
    let model = healthy()
        .with(Impairment::Loss(0.1))
        .with(Impairment::Jitter(DELAY))
        .with(Impairment::Corrupt(0.1))
        .with(Impairment::Duplicate(0.1))
        .with(Impairment::Burst(Burst::new(5.0, 50.0, 0.9)));
    let trace = |seed| {
        let (fates, out) = sent(&model, seed, 2_000);
        let out: Vec<_> = out
            .into_iter()
            .map(|(_, parcel)| (parcel.under_way, parcel.bytes))
            .collect();
        (fates, out)
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3).0, trace(4).0);
}

#[test]
fn neighbouring_lanes_have_seeds_of_their_own() {
    let mut seeds: Vec<u64> = (0..10)
        .flat_map(|from| (0..10).map(move |to| seed_of(1, [from, to, from])))
        .collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 100);
    assert_ne!(seed_of(1, [1, 2, 1]), seed_of(2, [1, 2, 1]));
}

#[test]
fn jitter_is_even_and_never_lets_one_overtake_another() {
    // So far apart that none waits for the one before it.
    let model = healthy().with(Impairment::Jitter(EVERY));
    let (_, out) = sent(&model, 1, 20_000);
    let over: Vec<f64> = out
        .iter()
        .map(|(_, parcel)| (parcel.under_way - DELAY).as_secs_f64() / EVERY.as_secs_f64())
        .collect();
    let mean = over.iter().sum::<f64>() / over.len() as f64;
    assert!((mean - 0.5).abs() < 0.01, "{mean}");
    assert!(over.iter().all(|share| (0.0..=1.0).contains(share)));
    let (_, out) = sent(&healthy().with(Impairment::Jitter(DELAY)), 1, 2_000);
    assert!(out.iter().all(|(_, parcel)| !parcel.overtaken));
    assert!(out.is_sorted_by_key(|(_, parcel)| number(parcel)));
}

#[test]
fn cut_loses_all_and_what_was_under_way_still_comes() {
    let (mut lane, now) = (Lane::new(1), Instant::now());
    lane.admit(&healthy(), now, b"before");
    let cut = healthy().with(Impairment::Cut);
    assert_eq!(lane.admit(&cut, now, b"after"), Fate::Lost(Loss::Cut));
    assert_eq!(lane.let_out(now + DELAY).expect("due").bytes, b"before");
    assert!(lane.next_at().is_none());
}

#[test]
fn independent_loss_has_its_share() {
    let (fates, out) = sent(&healthy().with(Impairment::Loss(0.2)), 5, 50_000);
    let lost = lost(&fates, Loss::Chance);
    assert_eq!(lost + out.len(), 50_000);
    assert!((lost as f64 / 50_000.0 - 0.2).abs() < 0.01, "{lost}");
}

#[test]
fn burst_loss_comes_in_bursts() {
    let burst = Burst::new(10.0, 90.0, 1.0);
    let (fates, _) = sent(&healthy().with(Impairment::Burst(burst)), 5, 50_000);
    let is_lost = |fate: &Fate| *fate == Fate::Lost(Loss::Burst);
    let lost = lost(&fates, Loss::Burst);
    let after_a_loss = fates
        .windows(2)
        .filter(|pair| is_lost(&pair[0]) && is_lost(&pair[1]))
        .count();
    assert!((lost as f64 / 50_000.0 - 0.1).abs() < 0.015, "{lost}");
    // Nine of ten losses are followed by another one; of independent ones, one of ten.
    let followed = after_a_loss as f64 / lost as f64;
    assert!((followed - 0.9).abs() < 0.02, "{followed}");
}

#[test]
fn doubled_datagrams_come_twice_and_are_counted_once() {
    let (fates, out) = sent(&healthy().with(Impairment::Duplicate(0.25)), 5, 20_000);
    let doubled = fates
        .iter()
        .filter(|fate| {
            matches!(
                fate,
                Fate::Passes {
                    duplicated: true,
                    ..
                }
            )
        })
        .count();
    assert_eq!(out.len(), 20_000 + doubled);
    assert!((doubled as f64 / 20_000.0 - 0.25).abs() < 0.01, "{doubled}");
    assert!(
        out.windows(2)
            .any(|pair| pair[0].1.bytes == pair[1].1.bytes)
    );
}

#[test]
fn held_back_datagrams_are_overtaken_by_those_behind_and_by_no_more() {
    let reorder = Reorder {
        share: 0.1,
        by: 5 * EVERY,
    };
    let (_, out) = sent(&healthy().with(Impairment::Reorder(reorder)), 5, 20_000);
    assert_eq!(out.len(), 20_000, "none is lost");
    let overtaken = out.iter().filter(|(_, parcel)| parcel.overtaken).count();
    assert!(
        (overtaken as f64 / 20_000.0 - 0.1).abs() < 0.01,
        "{overtaken}"
    );
    let held = out.iter().filter(|(_, parcel)| parcel.under_way > DELAY);
    assert!(held.clone().count() >= overtaken);
    assert!(
        held.clone()
            .all(|(_, parcel)| parcel.under_way == DELAY + 5 * EVERY)
    );
}

#[test]
fn corrupted_datagrams_differ_in_one_bit() {
    let (fates, out) = sent(&healthy().with(Impairment::Corrupt(0.1)), 5, 20_000);
    let mut flipped = 0;
    for (sent, (_, parcel)) in out.iter().enumerate() {
        let mut bytes = [0; 100];
        let sent = u32::try_from(sent).expect("small");
        bytes[..4].copy_from_slice(&sent.to_be_bytes());
        let pairs = parcel.bytes.iter().zip(bytes);
        let bits: u32 = pairs.map(|(one, other)| (one ^ other).count_ones()).sum();
        assert!(bits <= 1);
        flipped += bits;
    }
    let told = fates
        .iter()
        .filter(|fate| {
            matches!(
                fate,
                Fate::Passes {
                    corrupted: true,
                    ..
                }
            )
        })
        .count();
    assert_eq!(told, flipped as usize);
    assert!((told as f64 / 20_000.0 - 0.1).abs() < 0.01, "{told}");
}

#[test]
fn bandwidth_spreads_datagrams_out_and_its_queue_is_bounded() {
    // 100 bytes each 100 µs are 1 MB/s: a tenth of it passes, and 50 ms may wait.
    let limit = Bandwidth {
        bytes_per_s: 100_000,
        queue: Duration::from_millis(50),
    };
    let (fates, out) = sent(&healthy().with(Impairment::Bandwidth(limit)), 1, 10_000);
    assert!(lost(&fates, Loss::Overflow) > 8_000);
    let apart = out.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let exactly = Duration::from_millis(1);
    assert!(
        apart.clone().all(|apart| apart >= exactly),
        "{:?}",
        apart.min()
    );
    let longest = out.iter().map(|(_, parcel)| parcel.under_way).max();
    assert!(longest.expect("some pass") <= DELAY + limit.queue + exactly);
    assert!(
        fates
            .iter()
            .any(|fate| matches!(fate, Fate::Passes { queued: true, .. }))
    );
}

#[test]
fn black_hole_swallows_the_long_and_passes_the_short() {
    let model = healthy().with(Impairment::Mtu(99));
    let (fates, out) = sent(&model, 1, 10);
    assert_eq!((lost(&fates, Loss::TooLong), out.len()), (10, 0));
    let (fates, out) = sent(&healthy().with(Impairment::Mtu(100)), 1, 10);
    assert_eq!((lost(&fates, Loss::TooLong), out.len()), (0, 10));
}

#[test]
fn full_lane_drops_the_newest() {
    let (mut lane, now) = (Lane::new(1), Instant::now());
    for _ in 0..UNDER_WAY_MAX {
        assert!(matches!(
            lane.admit(&healthy(), now, b"one"),
            Fate::Passes { .. }
        ));
    }
    let fate = lane.admit(&healthy(), now, b"one too many");
    assert_eq!(fate, Fate::Lost(Loss::Overflow));
}
