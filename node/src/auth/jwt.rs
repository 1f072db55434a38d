//! Tokens: a signed JWT (RFC 7519) in compact form, checked whole or refused. Pure.
//!
//! What is checked, in this order: length, form, algorithm, key, signature, then the claims.
//! Nothing of a token is believed before its signature has been verified, but for what says
//! which key that is to be done with. `none` and shared secrets have no name here.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::caller::{Caller, Roles};
use super::jwk::{Algorithm, Key};

/// Longest token that is looked at, in bytes: several times what providers make.
pub(crate) const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Longest name of a key, in bytes.
const KEY_ID_BYTES_MAX: usize = 256;

/// Why a token is not believed. Told to whoever sent it: it says nothing of our keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("the token is no signed JWT in compact form")]
    Malformed,
    #[error("the token is signed by another algorithm than EdDSA, RS256 or ES256")]
    Algorithm,
    #[error("the token's signature is not that of the key that it names")]
    Signature,
    #[error("the token's claims cannot be read: `exp` and `sub` are required")]
    Claims,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    Early,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token's `sub` is no name of a caller: 1 to 128 bytes, not `anonymous`")]
    Subject,
}

/// What is expected of claims, beside `exp`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Expected {
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    /// By how many seconds clocks may differ.
    pub(crate) leeway_seconds: u32,
}

/// A token whose signature is still to be verified.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// How it says that it is signed.
    pub(crate) algorithm: Algorithm,
    /// The key that it names.
    pub(crate) key_id: Option<String>,
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood, and is not here (RFC 7515, section 4.1.11).
    crit: Option<serde::de::IgnoredAny>,
}

impl<'a> Token<'a> {
    /// # Errors
    /// [`BadToken`].
    pub(crate) fn parse(text: &'a str) -> Result<Self, BadToken> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(BadToken::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(BadToken::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(BadToken::Malformed)?;
        if claims.contains('.') {
            return Err(BadToken::Malformed);
        }
        let header: Header = json(header).ok_or(BadToken::Malformed)?;
        let key_id_fits = |id: &String| id.len() <= KEY_ID_BYTES_MAX;
        if header.crit.is_some() || !header.kid.as_ref().is_none_or(key_id_fits) {
            return Err(BadToken::Malformed);
        }
        Ok(Self {
            algorithm: Algorithm::named(&header.alg).ok_or(BadToken::Algorithm)?,
            key_id: header.kid,
            signed,
            claims,
            signature: decode(signature).ok_or(BadToken::Malformed)?,
        })
    }

    /// Who the token says that its bearer is, if this key has signed it and its claims hold
    /// now.
    ///
    /// # Errors
    /// [`BadToken`].
    pub(crate) fn verify(
        &self,
        key: &Key,
        expected: &Expected,
        now_seconds: u64,
    ) -> Result<Caller, BadToken> {
        // The caller has looked for a key of this kind: checked here again, where it counts.
        if key.algorithm() != self.algorithm {
            return Err(BadToken::Algorithm);
        }
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err(BadToken::Signature);
        }
        let claims: Claims = json(self.claims).ok_or(BadToken::Claims)?;
        claims.hold(expected, now_seconds)?;
        let roles = claims.roles.iter().flat_map(OneOrMany::iter);
        Caller::new(&claims.sub, Roles::named(roles)).ok_or(BadToken::Subject)
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    roles: Option<OneOrMany>,
    /// Seconds since 1970, as all of them; with a fraction if the issuer likes.
    exp: f64,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<OneOrMany>,
}

impl Claims {
    fn hold(&self, expected: &Expected, now_seconds: u64) -> Result<(), BadToken> {
        // Exact until long after the year 9999.
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 have 35 bits"
        )]
        let now = now_seconds as f64;
        let leeway = f64::from(expected.leeway_seconds);
        if now >= self.exp + leeway {
            return Err(BadToken::Expired);
        }
        if self.nbf.is_some_and(|from| now < from - leeway) {
            return Err(BadToken::Early);
        }
        if expected.issuer.is_some() && self.iss != expected.issuer {
            return Err(BadToken::Issuer);
        }
        let audience = expected.audience.as_deref();
        let is_for = |wanted: &str| {
            let named = self.aud.iter().flat_map(OneOrMany::iter);
            named.into_iter().any(|named| named == wanted)
        };
        if !audience.is_none_or(is_for) {
            return Err(BadToken::Audience);
        }
        Ok(())
    }
}

/// A string, or several: both are written for one.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many.as_slice(),
        };
        all.iter().map(String::as_str)
    }
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&decode(part)?).ok()
}

fn decode(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests;
