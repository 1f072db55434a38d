//! Idempotency keys: one for each logical call, the same for each of its attempts.

use std::fmt;
use std::ops::Deref;

/// What makes a write safe to repeat: the cluster does what carries the same key once, and
/// answers it the same ever after, through any region.
///
/// Make one for each thing that somebody wants, keep it until the outcome is known, and
/// give it to every call for that thing: the client sends it with every attempt, and a
/// program that was restarted can ask with it what came of it ([`crate::Client::outcome`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key that nobody has used: 128 random bits.
    #[must_use]
    pub fn fresh() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// The key as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for IdempotencyKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::IdempotencyKey;

    #[test]
    fn fresh_keys_differ_and_can_be_sent() {
        let (one, other) = (IdempotencyKey::fresh(), IdempotencyKey::fresh());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
