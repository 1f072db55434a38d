//! What belongs to the caller.

use super::problem::{Problem, Slug};

/// `GET /v1/me/bookings`: the caller's bookings. Callers cannot prove who they are to
/// this version, so that nobody may see what is a guest's alone.
pub(crate) async fn bookings() -> Problem {
    Problem::new(
        Slug::Unauthenticated,
        "this node cannot tell who you are, because it knows no credentials yet: the host's \
         view is GET /v1/listings/{id}/bookings, one booking is GET /v1/bookings/{id}",
    )
}
