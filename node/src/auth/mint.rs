//! Tokens and keys for tests: made here, of real keys, as an issuer makes them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// Somebody who signs.
pub(crate) struct Issuer {
    id: String,
    pair: Pair,
}

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

impl Issuer {
    pub(crate) fn ed25519(id: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("chance");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("made so");
        Self {
            id: id.to_owned(),
            pair: Pair::EdDsa(pair),
        }
    }

    pub(crate) fn p256(id: &str) -> Self {
        let (kind, chance) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &chance).expect("chance");
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &chance).expect("made so");
        Self {
            id: id.to_owned(),
            pair: Pair::Es256(pair),
        }
    }

    /// Its public key.
    pub(crate) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::EdDsa(pair) => json!({
                "kty": "OKP", "crv": "Ed25519", "kid": self.id, "use": "sig",
                "x": text(pair.public_key().as_ref()),
            }),
            Pair::Es256(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                json!({
                    "kty": "EC", "crv": "P-256", "kid": self.id, "alg": "ES256",
                    "x": text(&point[..32]), "y": text(&point[32..]),
                })
            }
        }
    }

    const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::EdDsa(_) => "EdDSA",
            Pair::Es256(_) => "ES256",
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm(), "kid": self.id, "typ": "JWT"});
        self.signed(&header, claims)
    }

    /// A token with this header and these claims, signed all the same.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        let parts = [header, claims].map(|part| text(part.to_string().as_bytes()));
        let signed = parts.join(".");
        let signature = match &self.pair {
            Pair::EdDsa(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Pair::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), signed.as_bytes());
                signature.expect("chance").as_ref().to_vec()
            }
        };
        format!("{signed}.{}", text(&signature))
    }
}

/// A JWKS of these keys.
pub(crate) fn key_set(issuers: &[&Issuer]) -> String {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.jwk()).collect();
    json!({"keys": keys}).to_string()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
