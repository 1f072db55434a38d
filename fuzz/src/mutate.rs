//! Changes of an input, as damage, accidents and malice make them.

use fastrand::Rng;

/// Bytes that decoders stumble over: ends of ranges, and of varints.
const BYTES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, b'0', b'-'];
/// Lengths and numbers that are too large, as varints.
const VARINTS: [&[u8]; 4] = [
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
];
/// Changes of one input at most: few, or nothing of it is read.
const CHANGES_MAX: usize = 4;
/// Longest input, in bytes: a target is to see many.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// A changed `input`; pieces of `other` may come into it.
pub(crate) fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut changed = input.to_vec();
    for _ in 0..rng.usize(1..=CHANGES_MAX) {
        change(rng, &mut changed, other);
    }
    changed.truncate(INPUT_BYTES_MAX);
    changed
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, other: &[u8]) {
    let (from, until) = piece(rng, input.len());
    match rng.u8(..9) {
        0 => {
            let bit = rng.u8(..8);
            put(input, from, |byte| byte ^ (1 << bit));
        }
        1 => {
            let new = BYTES[rng.usize(..BYTES.len())];
            put(input, from, |_| new);
        }
        2 => {
            let by = rng.u8(..);
            put(input, from, |byte| byte.wrapping_add(by));
        }
        3 => drop(input.drain(from..until)),
        4 => input.truncate(from),
        5 => {
            let again = input[from..until].to_vec();
            insert(input, until, &again);
        }
        6 => {
            let new = BYTES[rng.usize(..BYTES.len())];
            insert(input, from, &[new]);
        }
        7 => {
            let new = VARINTS[rng.usize(..VARINTS.len())];
            // In the place of something, or beside it.
            let until = until.min(from + usize::from(rng.bool()));
            drop(input.splice(from..until, new.iter().copied()));
        }
        _ => {
            let (begin, end) = piece(rng, other.len());
            drop(input.splice(from..until, other[begin..end].iter().copied()));
        }
    }
}

/// Bounds of a piece of something so long; short ones more often.
fn piece(rng: &mut Rng, length: usize) -> (usize, usize) {
    let from = rng.usize(..=length);
    let rest = length - from;
    let most = if rng.u8(..10) < 7 { rest.min(8) } else { rest };
    (from, from + rng.usize(..=most))
}

fn put(input: &mut [u8], at: usize, new: impl FnOnce(u8) -> u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = new(*byte);
    }
}

fn insert(input: &mut Vec<u8>, at: usize, new: &[u8]) {
    drop(input.splice(at..at, new.iter().copied()));
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::{INPUT_BYTES_MAX, mutate};

    #[test]
    fn any_input_can_be_changed_and_the_same_seed_changes_it_alike() {
        let mut inputs = [Vec::new(), vec![7], vec![9; 300]];
        for seed in 0..2_000 {
            let place = usize::try_from(seed).expect("small") % inputs.len();
            let other = inputs[(place + 1) % inputs.len()].clone();
            let changed = mutate(&mut Rng::with_seed(seed), &inputs[place], &other);
            assert_eq!(
                changed,
                mutate(&mut Rng::with_seed(seed), &inputs[place], &other)
            );
            assert!(changed.len() <= INPUT_BYTES_MAX);
            inputs[place] = changed;
        }
    }
}
