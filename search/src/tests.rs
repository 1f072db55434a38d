//! The index beside a list of the same listings, gone through one by one.

mod reference;
mod searching;
mod storing;
