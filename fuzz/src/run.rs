//! One target's run: examples first, changed ones then, for as long as was asked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::corpus::{kept, leave};
use crate::golden;
use crate::mutate::mutate;
use crate::pool::Pool;

/// How long to go on, in seconds; without it, as long as the gate does.
const SECONDS: &str = "MERIDIAN_FUZZ_SECONDS";
/// Another seed than that of the gate.
const SEED: &str = "MERIDIAN_FUZZ_SEED";
/// Inputs in the gate at most: some tenths of a second for most targets.
const GATE_INPUTS: u64 = 2_000;
/// And how long at most, for those that make documents: fewer of the same inputs then.
const GATE_TIME: Duration = Duration::from_secs(1);
const GATE_SEED: u64 = 33;
/// Bytes of an input that fails which are shown.
const SHOWN_MAX: usize = 512;

/// How much memory a target may hold at once.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Whatever the input, in bytes.
    pub base: u64,
    /// For each byte of it.
    pub per_byte: u64,
}

impl Default for Allowance {
    /// What a decoder of plain records needs, with its error and the record written again.
    fn default() -> Self {
        Self {
            base: 16 * 1024,
            per_byte: 64,
        }
    }
}

/// Feeds the target `name` with `examples`, the kept corpus, and changes of both. The
/// target says what it made of an input, in words that differ where its ways do.
///
/// # Panics
/// If an input fails: with the input, and the command that tries it again.
pub fn fuzz(name: &str, examples: &[Vec<u8>], target: impl Fn(&[u8]) -> String) {
    fuzz_within(Allowance::default(), name, examples, target);
}

/// As [`fuzz`], for a target that may hold so much memory.
///
/// # Panics
/// As [`fuzz`].
#[expect(clippy::print_stdout, reason = "a test's output says what was tried")]
pub fn fuzz_within(
    allowance: Allowance,
    name: &str,
    examples: &[Vec<u8>],
    target: impl Fn(&[u8]) -> String,
) {
    let seed = number(SEED).unwrap_or(GATE_SEED);
    let (inputs_max, time) = number(SECONDS).map_or((GATE_INPUTS, GATE_TIME), |seconds| {
        (u64::MAX, Duration::from_secs(seconds))
    });
    let until = Instant::now() + time;
    println!("{name}: seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut pool = Pool::default();
    // Something to begin with, for a target without examples.
    let inputs = std::iter::once(Vec::new());
    let mut said_of_examples = Vec::new();
    for (number, input) in inputs
        .chain(examples.to_vec())
        .chain(kept(name))
        .enumerate()
    {
        let said = check(allowance, name, &input, &target);
        pool.consider(&input, &said);
        if (1..=examples.len()).contains(&number) {
            said_of_examples.push((input.clone(), said));
        }
        pool.keep(input);
    }
    golden::compare(name, &said_of_examples);
    let mut tried = 0;
    while tried < inputs_max && Instant::now() < until {
        let input = {
            let base = pool.any(&mut rng).to_vec();
            let other = pool.any(&mut rng).to_vec();
            mutate(&mut rng, &base, &other)
        };
        let said = check(allowance, name, &input, &target);
        pool.consider(&input, &said);
        tried += 1;
    }
    println!("{name}: {tried} inputs, {} kept", pool.len());
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.trim().parse().expect("a number"))
}

/// Tries one input; answers what the target said of it.
fn check(
    allowance: Allowance,
    name: &str,
    input: &[u8],
    target: &impl Fn(&[u8]) -> String,
) -> String {
    let mut said = None;
    let held = allocation_counter::measure(|| {
        said = catch_unwind(AssertUnwindSafe(|| target(input))).ok();
    });
    let Some(said) = said else {
        fail(name, input, "the target panics");
    };
    let may_hold = allowance.base + allowance.per_byte * input.len() as u64;
    if held.bytes_max > may_hold {
        let held = held.bytes_max;
        fail(
            name,
            input,
            &format!("{held} bytes held, {may_hold} allowed"),
        );
    }
    said
}

fn fail(name: &str, input: &[u8], what: &str) -> ! {
    let path = leave(name, input);
    let shown = &input[..input.len().min(SHOWN_MAX)];
    panic!(
        "{name}: {what} over {} bytes: {}\nPut {} into fuzz/corpus/{name}/ and run `cargo xtask \
         fuzz --target {name}`",
        input.len(),
        shown.escape_ascii(),
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{Allowance, fuzz, fuzz_within};

    fn fails(run: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        catch_unwind(run).is_err()
    }

    #[test]
    fn panic_is_found() {
        assert!(fails(|| fuzz("test-panic", &[b"abc".to_vec()], |input| {
            assert!(input.first() != Some(&b'b'), "a bug");
            String::new()
        })));
    }

    #[test]
    fn length_that_is_believed_is_found() {
        let believe = |input: &[u8]| {
            let length = input.first().map_or(0, |first| usize::from(*first) << 16);
            drop(Vec::<u8>::with_capacity(length));
            String::new()
        };
        let allowance = Allowance::default();
        assert!(fails(move || fuzz_within(
            allowance,
            "test-length",
            &[vec![0, 1]],
            believe
        )));
    }

    #[test]
    fn input_that_has_to_be_found_in_two_steps_is_found() {
        assert!(fails(|| fuzz("test-steps", &[b"0000".to_vec()], |input| {
            match input {
                [0xff, 0x7f, ..] => panic!("a bug"),
                [0xff, ..] => "one step".to_owned(),
                _ => "none".to_owned(),
            }
        })));
    }
}
