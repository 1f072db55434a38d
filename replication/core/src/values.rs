//! The values that a listing is made of.
//!
//! Each is one register of the document where parts written by two people must
//! never be mixed: an amount keeps its currency, a latitude its longitude.

mod external;
mod location;
mod money;
mod slot;

pub use external::External;
pub use location::Location;
pub use money::{Currency, CurrencyError, Money};
pub use slot::Slot;

pub(crate) use location::Point;
