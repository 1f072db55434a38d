//! Listings from files: rows on the client's side, the owner's desk on the node's.

pub(crate) mod command;
mod desk;
mod file;
#[cfg(test)]
mod fuzz;
mod rows;

pub(crate) use desk::{ImportDesk, ImportError, ImportRow, ROWS_MAX};
