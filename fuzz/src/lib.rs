//! Feeds a decoder with inputs that nobody would send: examples of what it reads, changed
//! by chance from a seed.
//!
//! What it is not: it sees no coverage (ADR 33 says why). In its place an input is kept,
//! to be changed further, if the decoder said something about it that it had not said
//! before. A target is a test beside its decoder, in a module called `fuzz`; `cargo xtask
//! fuzz` finds it there. For tests alone: whoever depends on this has its allocator.
//!
//! An input fails if the target panics, if it holds more memory at once than its
//! [`Allowance`], or if the target itself says so: it checks that what was read is written
//! and read again as the same. Its examples are compared with its golden file
//! (`golden.rs`).

mod corpus;
mod golden;
mod mutate;
mod oracle;
mod place;
mod pool;
mod run;

pub use oracle::{reads, reads_exactly, text};
pub use run::{Allowance, fuzz, fuzz_within};
