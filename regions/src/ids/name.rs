//! Names of clusters, regions and zones: one grammar, three types.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{IdError, quoted};

/// Longest name, in bytes: it must fit a DNS label together with what surrounds it.
const NAME_BYTES_MAX: usize = 32;

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first_is_letter = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    first_is_letter
        && text.len() <= NAME_BYTES_MAX
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_name(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError::Name { kind: $kind, text: quoted(text) })
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({})", stringify!($type), self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// A region: the largest failure domain, as in `eu-west`. Cheap to clone.
    RegionId, "region"
}
name! {
    /// A failure domain inside a region, as in `eu-west-a`. Cheap to clone.
    ZoneId, "zone"
}
name! {
    /// A cluster. Certificates are bound to it. Cheap to clone.
    ClusterName, "cluster name"
}

#[cfg(test)]
mod tests {
    use super::{IdError, RegionId};

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "us-east", "r2-d2", &"a".repeat(32)] {
            assert_eq!(good.parse::<RegionId>().expect("a name").as_str(), good);
        }
        for bad in ["", "2a", "-a", "US", "a_b", "a.b", "é", &"a".repeat(33)] {
            assert!(
                matches!(bad.parse::<RegionId>(), Err(IdError::Name { .. })),
                "{bad}"
            );
        }
    }
}
