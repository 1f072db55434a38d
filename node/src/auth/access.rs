//! What a route asks of whoever uses it. Pure.
//!
//! It decides by roles alone. Where the thing asked for has an owner, its handler looks at
//! that too ([`Ownership`] says which), because only the handler has read the thing.

use super::caller::{Role, Who};

/// Who may use a route at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody, always: a load balancer has no credentials.
    Open,
    /// Anybody who reads listings, unless `auth.public_reads` is off: then whoever proves
    /// who they are.
    Reading,
    /// Anybody who proves who they are.
    Proven,
    /// Guests.
    Guest,
    /// Hosts.
    Host,
    /// Guests and hosts, as the two sides of a booking.
    Party,
    /// Operators alone.
    Operator,
}

/// Whose the thing is that a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Nobody's.
    Nobody,
    /// The listing's host's.
    Listing,
    /// The guest's who has asked for the reservation.
    Reservation,
    /// That guest's, and the listing's host's.
    Booking,
    /// The guest's whom its path names.
    Guest,
    /// The caller's by its name: nobody can ask for another's.
    Caller,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It must be shown who asks.
    Unauthenticated,
    /// It was shown, and is not enough.
    Role(Access),
}

impl Access {
    /// Whether these roles are enough.
    pub(crate) fn check(self, who: &Who, public_reads: bool) -> Result<(), Denied> {
        let caller = match (self, who) {
            (Self::Open, _) | (_, Who::Anybody) => return Ok(()),
            (Self::Reading, Who::Nobody) if public_reads => return Ok(()),
            (_, Who::Nobody) => return Err(Denied::Unauthenticated),
            (_, Who::Known(caller)) => caller,
        };
        let suffices = self.roles().is_none_or(|roles| {
            let mut enough = roles.iter().chain(&[Role::Operator]);
            enough.any(|role| caller.is(*role))
        });
        suffices.then_some(()).ok_or(Denied::Role(self))
    }

    /// The roles of which one is enough, beside an operator's; `None` where none is needed.
    pub(crate) const fn roles(self) -> Option<&'static [Role]> {
        match self {
            Self::Open | Self::Reading | Self::Proven => None,
            Self::Guest => Some(&[Role::Guest]),
            Self::Host => Some(&[Role::Host]),
            Self::Party => Some(&[Role::Guest, Role::Host]),
            Self::Operator => Some(&[]),
        }
    }

    /// Who may, in words.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Open => "anybody",
            Self::Reading => "anybody who may read listings",
            Self::Proven => "anybody with credentials",
            Self::Guest => "guests",
            Self::Host => "hosts",
            Self::Party => "guests and hosts",
            Self::Operator => "operators",
        }
    }
}

#[cfg(test)]
impl Ownership {
    /// Who is let through, in words; an operator always is.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Nobody => "whoever it is for",
            Self::Listing => "the listing's host",
            Self::Reservation => "the reservation's guest",
            Self::Booking => "the booking's guest, the listing's host",
            Self::Guest => "the guest of that name",
            Self::Caller => "the caller, of what is its own",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Denied};
    use crate::auth::caller::{Caller, Role, Roles, Who};

    const ALL: [Access; 7] = [
        Access::Open,
        Access::Reading,
        Access::Proven,
        Access::Guest,
        Access::Host,
        Access::Party,
        Access::Operator,
    ];

    fn known(roles: &[Role]) -> Who {
        let roles = Roles::of(roles.iter().copied());
        Who::Known(Caller::new("ann", roles).expect("a name"))
    }

    #[test]
    fn operators_and_open_clusters_may_use_every_route() {
        for access in ALL {
            assert_eq!(access.check(&known(&[Role::Operator]), false), Ok(()));
            assert_eq!(access.check(&Who::Anybody, false), Ok(()));
        }
    }

    #[test]
    fn without_credentials_there_is_health_and_what_is_public() {
        for access in ALL {
            let is_public = matches!(access, Access::Open | Access::Reading);
            assert_eq!(access.check(&Who::Nobody, true).is_ok(), is_public);
            let refused = access.check(&Who::Nobody, false);
            let expected = match access {
                Access::Open => Ok(()),
                _ => Err(Denied::Unauthenticated),
            };
            assert_eq!(refused, expected, "{access:?}");
        }
    }

    #[test]
    fn each_role_has_its_routes_and_no_role_has_those_of_everybody() {
        for (roles, may) in [
            (
                &[][..],
                &[Access::Open, Access::Reading, Access::Proven][..],
            ),
            (
                &[Role::Guest],
                &[
                    Access::Open,
                    Access::Reading,
                    Access::Proven,
                    Access::Guest,
                    Access::Party,
                ],
            ),
            (
                &[Role::Host],
                &[
                    Access::Open,
                    Access::Reading,
                    Access::Proven,
                    Access::Host,
                    Access::Party,
                ],
            ),
        ] {
            for access in ALL {
                let expected = if may.contains(&access) {
                    Ok(())
                } else {
                    Err(Denied::Role(access))
                };
                assert_eq!(
                    access.check(&known(roles), false),
                    expected,
                    "{roles:?} {access:?}"
                );
            }
        }
    }
}
