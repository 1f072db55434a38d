//! How many requests run at once, by who asks.
//!
//! Clients and operators have rooms of their own: a node full of clients can still be
//! looked into and repaired. Health is never refused: a full node that looked dead would
//! be restarted, and its load would fell the next one.

use std::num::NonZeroUsize;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Operators' requests at once: an import reads megabytes, a digest reads every record.
const OPERATORS_MAX: usize = 16;
/// Routes of the operator API that are never refused.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The client API.
    Clients,
    /// The operator API.
    Operators,
}

/// No room: come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The rooms.
#[derive(Debug)]
pub(crate) struct Admission {
    clients: Semaphore,
    operators: Semaphore,
}

impl Admission {
    pub(crate) fn new(clients_max: NonZeroUsize) -> Self {
        Self {
            clients: Semaphore::new(clients_max.get()),
            operators: Semaphore::new(OPERATORS_MAX),
        }
    }

    /// A place for a request of `route`, given back when it is dropped. `None` where
    /// none is needed.
    ///
    /// # Errors
    /// [`Full`], at once.
    pub(crate) fn enter(
        &self,
        door: Door,
        route: &str,
    ) -> Result<Option<SemaphorePermit<'_>>, Full> {
        let room = match door {
            Door::Operators if HEALTH.contains(&route) => return Ok(None),
            Door::Operators => &self.operators,
            Door::Clients => &self.clients,
        };
        room.try_acquire().map(Some).map_err(|_none| Full)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::{Admission, Door, Full, OPERATORS_MAX};

    const LISTING: &str = "/v1/listings/{id}";
    const IMPORT: &str = "/admin/v1/import";

    #[test]
    fn node_full_of_clients_still_answers_operators() {
        let admission = Admission::new(NonZeroUsize::new(2).expect("not zero"));
        let clients: Vec<_> = (0..2)
            .map(|_| admission.enter(Door::Clients, LISTING).expect("room"))
            .collect();
        let refused = admission.enter(Door::Clients, LISTING).map(|_| ());
        assert_eq!(refused, Err(Full));
        assert!(admission.enter(Door::Operators, IMPORT).is_ok());
        drop(clients);
        assert!(admission.enter(Door::Clients, LISTING).is_ok());
    }

    #[test]
    fn health_is_never_refused() {
        let admission = Admission::new(NonZeroUsize::new(1).expect("not zero"));
        let _operators: Vec<_> = (0..OPERATORS_MAX)
            .map(|_| admission.enter(Door::Operators, IMPORT).expect("room"))
            .collect();
        assert!(admission.enter(Door::Operators, IMPORT).is_err());
        for route in ["/livez", "/readyz", "/metrics"] {
            assert!(admission.enter(Door::Operators, route).is_ok(), "{route}");
        }
        // A client cannot choose that.
        let _client = admission.enter(Door::Clients, LISTING).expect("room");
        assert!(admission.enter(Door::Clients, "/livez").is_err());
    }
}
