//! What a client proves itself with. It is never printed.

use std::fmt;

use http::header::HeaderValue;

/// Longest credential, in bytes: a node reads no longer one.
const BYTES_MAX: usize = 8 * 1024;

/// Why a text is no credential. The text is not told: it may be a secret all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// Longer than any node reads.
    #[error("it is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// Something else was pasted along.
    #[error("it has a space, a line break or another character that no credential has")]
    Characters,
}

/// A token or an API key, sent with every call. [`fmt::Debug`] does not show it, nor does
/// anything that is made of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    kind: &'static str,
    value: HeaderValue,
}

impl Credential {
    /// A signed token (JWT).
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn token(text: &str) -> Result<Self, CredentialError> {
        Self::of("Bearer", text)
    }

    /// An API key, as `meridian auth new-key` has printed it.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn api_key(text: &str) -> Result<Self, CredentialError> {
        Self::of("ApiKey", text)
    }

    fn of(kind: &'static str, text: &str) -> Result<Self, CredentialError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(CredentialError::Empty);
        }
        if text.len() > BYTES_MAX {
            return Err(CredentialError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::Characters);
        }
        let value = HeaderValue::try_from(format!("{kind} {text}"));
        let mut value = value.map_err(|_not_shown| CredentialError::Characters)?;
        value.set_sensitive(true);
        Ok(Self { kind, value })
    }

    /// The value of `Authorization`.
    pub(crate) fn header(&self) -> HeaderValue {
        self.value.clone()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credential({} …)", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::{Credential, CredentialError};
    use crate::ClientOptions;
    use crate::call::Call;

    const SECRET: &str = "mk_0123_secret";

    #[test]
    fn credential_is_never_printed() {
        let credential = Credential::api_key(&format!(" {SECRET}\n")).expect("a key");
        let mut options = ClientOptions::new("http://here");
        options.credential = Some(credential.clone());
        let request = Call::get("/v1/regions").request("http://here", None, Some(&credential));
        let request = request.expect("a request");
        for shown in [
            format!("{credential:?}"),
            format!("{options:?}"),
            format!("{request:?}"),
            format!("{:?}", Credential::token("a b")),
        ] {
            assert!(!shown.contains("secret"), "{shown}");
        }
        let sent = request.headers["authorization"].to_str().expect("text");
        assert_eq!(sent, format!("ApiKey {SECRET}"));
    }

    #[test]
    fn what_is_no_credential_is_refused_without_being_told() {
        for (text, why) in [
            ("", CredentialError::Empty),
            (" \n", CredentialError::Empty),
            ("a b", CredentialError::Characters),
            ("a\nb", CredentialError::Characters),
            ("ä", CredentialError::Characters),
        ] {
            assert_eq!(Credential::token(text), Err(why), "{text:?}");
        }
        let long = "x".repeat(9_000);
        assert_eq!(Credential::token(&long), Err(CredentialError::TooLong));
    }
}
