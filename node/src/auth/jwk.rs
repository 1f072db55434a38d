//! A set of public keys that sign tokens: a JWKS (RFC 7517). Pure.
//!
//! Only keys that verify are read: RSA from 2,048 bits, P-256, Ed25519. A key that both sides
//! would know (`oct`) is passed over, so that no token can be verified by what is no secret.
//! What a key verifies is decided by the key, never by the token (RFC 8725, section 3.1).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;

/// Longest set that is read, in bytes: hundreds of keys, where a provider has two or three.
pub(crate) const SET_BYTES_MAX: usize = 256 * 1024;
/// Keys of a set that are used: a provider that rotates has two or three.
const KEYS_MAX: usize = 64;
/// Bytes of an RSA modulus: 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// Longest RSA exponent, in bytes: the library takes no more than 33 bits.
const EXPONENT_BYTES_MAX: usize = 5;
/// Bytes of a coordinate of P-256, and of a key of Ed25519.
const COORDINATE_BYTES: usize = 32;
/// How an uncompressed point begins (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// RSA with PKCS #1 v1.5 and SHA-256.
    Rs256,
    /// P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// By its name in a token or a key; `None` for every other, `none` among them.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// Why a set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnreadableSet {
    #[error("it is longer than {SET_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is no JWKS: {0}")]
    Malformed(String),
    #[error(
        "none of its keys can be used: RSA from 2,048 bits, EC P-256 and OKP Ed25519 can, with a use of `sig` or none"
    )]
    NoKeys,
}

/// What verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Ed25519(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    id: Option<String>,
    material: Material,
}

impl Key {
    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
        }
    }

    /// Whether the signature of these bytes is this key's.
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(signed, signature)
            }
            Material::P256(point) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(signed, signature)
            }
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
        }
        .is_ok()
    }
}

/// The keys of a set, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a JWKS; keys that cannot be used are passed over.
    ///
    /// # Errors
    /// [`UnreadableSet`], also where no key is left.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, UnreadableSet> {
        if bytes.len() > SET_BYTES_MAX {
            return Err(UnreadableSet::TooLong);
        }
        let set: Set = serde_json::from_slice(bytes)
            .map_err(|cause| UnreadableSet::Malformed(cause.to_string()))?;
        let usable = set.keys.into_iter().filter_map(Jwk::key);
        let keys: Vec<Key> = usable.take(KEYS_MAX).collect();
        if keys.is_empty() {
            return Err(UnreadableSet::NoKeys);
        }
        Ok(Self(keys))
    }

    /// The key that a token names; one that names none means the only one of its kind.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm() == algorithm);
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// A key as it is written: members of other kinds of key are passed over.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn key(self) -> Option<Key> {
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if self.usage.as_deref().is_some_and(|usage| usage != "sig")
            || self.key_ops.as_ref().is_some_and(|ops| !verifies(ops))
        {
            return None;
        }
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate(self.x.as_deref()?)?),
            ("EC", Some("P-256")) => {
                let mut point = vec![UNCOMPRESSED];
                point.extend(coordinate(self.x.as_deref()?)?);
                point.extend(coordinate(self.y.as_deref()?)?);
                Material::P256(point)
            }
            ("RSA", _) => rsa(self.n.as_deref()?, self.e.as_deref()?)?,
            _ => return None,
        };
        let key = Key {
            id: self.kid,
            material,
        };
        let stated = self.alg.as_deref().map(Algorithm::named);
        let agrees = stated.is_none_or(|stated| stated == Some(key.algorithm()));
        agrees.then_some(key)
    }
}

fn rsa(modulus: &str, exponent: &str) -> Option<Material> {
    let plain = |text: &str| {
        let bytes = decode(text)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    let (n, e) = (plain(modulus)?, plain(exponent)?);
    let fits = MODULUS_BYTES.contains(&n.len()) && (1..=EXPONENT_BYTES_MAX).contains(&e.len());
    fits.then_some(Material::Rsa { n, e })
}

fn coordinate(text: &str) -> Option<Vec<u8>> {
    decode(text).filter(|bytes| bytes.len() == COORDINATE_BYTES)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Algorithm, KeySet, SET_BYTES_MAX, UnreadableSet};

    fn ed25519(kid: &str, more: serde_json::Value) -> serde_json::Value {
        let mut key = json!({
            "kty": "OKP", "crv": "Ed25519", "kid": kid,
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        if let (Some(key), serde_json::Value::Object(more)) = (key.as_object_mut(), more) {
            key.extend(more);
        }
        key
    }

    fn parse(keys: &[serde_json::Value]) -> Result<KeySet, UnreadableSet> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes())
    }

    #[test]
    fn keys_that_sign_nothing_of_ours_are_passed_over_and_an_empty_rest_is_refused() {
        let shared = json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256"});
        let short = json!({"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"});
        let useless = [
            shared,
            short,
            ed25519("enc", json!({"use": "enc"})),
            ed25519("other", json!({"alg": "RS256"})),
            ed25519("ops", json!({"key_ops": ["sign"]})),
            ed25519("cut", json!({"x": "AAAA"})),
        ];
        assert_eq!(parse(&useless), Err(UnreadableSet::NoKeys));
        let mut keys = useless.to_vec();
        keys.push(ed25519(
            "sound",
            json!({"use": "sig", "alg": "EdDSA", "x5t": "?"}),
        ));
        let set = parse(&keys).expect("one is sound");
        assert_eq!(set.len(), 1);
        assert!(set.find(Some("sound"), Algorithm::EdDsa).is_some());
        assert!(set.find(Some("sound"), Algorithm::Rs256).is_none());
        assert!(set.find(Some("s"), Algorithm::EdDsa).is_none());
    }

    #[test]
    fn token_without_a_key_id_means_the_only_key_of_its_kind() {
        let one = parse(&[ed25519("a", json!({}))]).expect("sound");
        assert!(one.find(None, Algorithm::EdDsa).is_some());
        let two = parse(&[ed25519("a", json!({})), ed25519("b", json!({}))]).expect("sound");
        assert!(two.find(None, Algorithm::EdDsa).is_none());
        assert!(two.find(Some("b"), Algorithm::EdDsa).is_some());
    }

    #[test]
    fn set_that_is_too_long_or_none_is_refused() {
        let long = vec![b' '; SET_BYTES_MAX + 1];
        assert_eq!(KeySet::parse(&long), Err(UnreadableSet::TooLong));
        let none = KeySet::parse(b"{\"keys\": 7}");
        assert!(matches!(none, Err(UnreadableSet::Malformed(_))));
    }
}
