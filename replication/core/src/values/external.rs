//! Where an imported listing came from.

use serde::{Deserialize, Serialize};

use crate::limits::{EXTERNAL_ID_BYTES_MAX, EXTERNAL_SOURCE_BYTES_MAX};

/// Provenance of an imported listing: the same source and id is the same listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// Name of the source: 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    pub source: String,
    /// The id that the source gave: 1 to 128 bytes, no control characters.
    pub id: String,
}

impl External {
    /// What is wrong with it, by the name of the wrong part.
    pub(crate) fn fault(&self) -> Option<(&'static str, String)> {
        let in_grammar =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if self.source.is_empty()
            || self.source.len() > EXTERNAL_SOURCE_BYTES_MAX
            || !self.source.bytes().all(in_grammar)
        {
            let detail =
                format!("use 1 to {EXTERNAL_SOURCE_BYTES_MAX} of a-z, 0-9, `-`, `_` and `.`");
            return Some(("source", detail));
        }
        if self.id.is_empty()
            || self.id.len() > EXTERNAL_ID_BYTES_MAX
            || self.id.chars().any(char::is_control)
        {
            let detail =
                format!("use 1 to {EXTERNAL_ID_BYTES_MAX} bytes without control characters");
            return Some(("id", detail));
        }
        None
    }

    /// The value of its register, `airbnb 42932`: a source contains no space.
    pub(crate) fn to_register(&self) -> String {
        format!("{} {}", self.source, self.id)
    }

    pub(crate) fn from_register(text: &str) -> Option<Self> {
        let (source, id) = text.split_once(' ')?;
        Some(Self {
            source: source.to_owned(),
            id: id.to_owned(),
        })
    }
}
