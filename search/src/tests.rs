//! The index beside a list of the same listings, gone through one by one.

mod matching;
mod ranking;
mod reference;
mod scattered;
mod searching;
mod storing;
