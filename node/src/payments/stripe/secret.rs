//! A key that must not be seen.

use std::fmt;

/// Shown as `Secret(…)` wherever it might be logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The key itself, for the one header that carries it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn secret_is_never_printed() {
        let shown = format!("{:?}", Secret::new("sk_test_123\n"));
        assert!(!shown.contains("123"), "{shown}");
        assert_eq!(Secret::new("sk_test_123\n").reveal(), "sk_test_123");
    }
}
