//! Who asks, once that has been proven or is nobody's business.
//!
//! Pure. A [`Who`] is made by [`super::Auth`] from credentials, or by another node of this
//! cluster that has done so and passes a request on; never from anything that a client can
//! write beside its credentials.

use std::fmt;
use std::sync::Arc;

/// Longest subject, in bytes: as long as a ledger takes a caller's name.
pub(crate) const SUBJECT_BYTES_MAX: usize = 128;
/// Whose requests are while nobody has to prove anything. No subject has this name.
pub(crate) const SUBJECT_ANONYMOUS: &str = "anonymous";

/// What somebody may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Holds, books and cancels for itself.
    Guest,
    /// Has listings.
    Host,
    /// Runs the cluster.
    Operator,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Guest, Self::Host, Self::Operator];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Host => "host",
            Self::Operator => "operator",
        }
    }

    const fn bit(self) -> u32 {
        match self {
            Self::Guest => 1,
            Self::Host => 2,
            Self::Operator => 4,
        }
    }
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Roles(u32);

impl Roles {
    /// The roles of these names; others say nothing to this version.
    pub(crate) fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |name: &str| Role::ALL.into_iter().find(|role| role.name() == name);
        Self::of(names.into_iter().filter_map(known))
    }

    pub(crate) fn of(roles: impl IntoIterator<Item = Role>) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }

    pub(crate) const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Its bits, as they travel between nodes.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// Reads [`Roles::bits`]; those of a later version are passed over.
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self::of(Role::ALL.into_iter().filter(|role| bits & role.bit() != 0))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(Role::name);
        formatter.debug_list().entries(names).finish()
    }
}

/// Somebody who has proven who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    subject: Arc<str>,
    roles: Roles,
}

impl Caller {
    /// `None` if no caller can have this name.
    pub(crate) fn new(subject: &str, roles: Roles) -> Option<Self> {
        let fits = (1..=SUBJECT_BYTES_MAX).contains(&subject.len())
            && !subject.chars().any(char::is_control)
            && subject != SUBJECT_ANONYMOUS;
        fits.then(|| Self {
            subject: subject.into(),
            roles,
        })
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// The same, to be kept.
    pub(crate) fn shared_subject(&self) -> Arc<str> {
        Arc::clone(&self.subject)
    }

    pub(crate) const fn roles(&self) -> Roles {
        self.roles
    }

    pub(crate) const fn is(&self, role: Role) -> bool {
        self.roles.has(role)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever it is: this cluster asks for no credentials.
    Anybody,
    /// Somebody who has shown none.
    Nobody,
    /// Somebody who has proven it.
    Known(Caller),
}

impl Who {
    /// Whose keys and reservations these are in a ledger.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::Anybody | Self::Nobody => SUBJECT_ANONYMOUS,
            Self::Known(caller) => caller.subject(),
        }
    }

    /// The caller, if there is one.
    pub(crate) const fn known(&self) -> Option<&Caller> {
        match self {
            Self::Known(caller) => Some(caller),
            Self::Anybody | Self::Nobody => None,
        }
    }

    /// How far what belongs to others is out of reach.
    pub(crate) fn reach(&self) -> Reach<'_> {
        match self {
            Self::Anybody => Reach::Everything,
            Self::Nobody => Reach::Nothing,
            Self::Known(caller) if caller.is(Role::Operator) => Reach::Everything,
            Self::Known(caller) => Reach::OwnOf(caller),
        }
    }
}

/// What somebody may touch, whatever its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach<'a> {
    /// Also what is another's.
    Everything,
    /// What belongs to this caller.
    OwnOf(&'a Caller),
    /// Nothing that belongs to anybody.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::{Caller, Reach, Role, Roles, SUBJECT_BYTES_MAX, Who};

    #[test]
    fn no_caller_has_the_name_of_those_who_prove_nothing_or_one_that_no_ledger_takes() {
        let long = "x".repeat(SUBJECT_BYTES_MAX + 1);
        for name in ["", "anonymous", "a\nb", "\u{7f}", &long] {
            assert_eq!(Caller::new(name, Roles::default()), None, "{name:?}");
        }
        assert!(Caller::new(&long[1..], Roles::default()).is_some());
    }

    #[test]
    fn roles_travel_and_unknown_ones_give_nothing() {
        let roles = Roles::named(["host", "emperor", "guest"]);
        assert!(roles.has(Role::Host) && roles.has(Role::Guest) && !roles.has(Role::Operator));
        assert_eq!(Roles::from_bits(roles.bits() | 1 << 30), roles);
        assert_eq!(Roles::named(["Operator", "operator "]), Roles::default());
    }

    #[test]
    fn only_operators_and_open_clusters_reach_what_is_anothers() {
        let known = |role| Who::Known(Caller::new("ann", Roles::of([role])).expect("a name"));
        assert_eq!(known(Role::Operator).reach(), Reach::Everything);
        assert_eq!(Who::Anybody.reach(), Reach::Everything);
        assert_eq!(Who::Nobody.reach(), Reach::Nothing);
        assert!(
            matches!(known(Role::Host).reach(), Reach::OwnOf(caller) if caller.subject() == "ann")
        );
    }
}
