//! What lets a restarted node say that it has forgotten a connection.
//!
//! QUIC's stateless reset (RFC 9000, section 10.3) proves itself with a token made
//! from the connection's id and a key. Drawn from the node's private key, that key is
//! the same after a restart, and nobody else has it.

use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator};
use rand::RngExt;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::tls13::{Hkdf, OkmBlock};
use rustls_pki_types::PrivateKeyDer;

/// Keeps this use of the private key apart from every other one.
const PURPOSE: &[u8] = b"meridian stateless reset 1";
/// Bytes of an HMAC over SHA-256.
const SIGNATURE_BYTES: usize = 32;
/// Bytes of a connection id: random, so that no two connections ever share a token.
pub(crate) const CONNECTION_ID_BYTES: usize = 8;

/// HMAC-SHA-256 under a key drawn from the node's private key.
pub(crate) struct ResetKey {
    secret: OkmBlock,
}

impl ResetKey {
    pub(crate) fn derive(private_key: &PrivateKeyDer<'_>) -> Self {
        let expander = hkdf().extract_from_secret(None, private_key.secret_der());
        Self {
            secret: expander.expand_block(&[PURPOSE]),
        }
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(hkdf().hmac_sign(&self.secret, data).as_ref());
    }

    fn signature_len(&self) -> usize {
        SIGNATURE_BYTES
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let expected = hkdf().hmac_sign(&self.secret, data);
        let expected = expected.as_ref();
        // Without an early end: the time taken says nothing about the signature.
        let differing = expected
            .iter()
            .zip(signature)
            .fold(0, |differing, (left, right)| differing | (left ^ right));
        if signature.len() == expected.len() && differing == 0 {
            Ok(())
        } else {
            Err(CryptoError)
        }
    }
}

fn hkdf() -> &'static dyn Hkdf {
    let suite = TLS13_AES_128_GCM_SHA256.tls13();
    suite
        .expect("it is a suite of TLS 1.3, by its name")
        .hkdf_provider
}

/// Random ids. quinn's own choice marks its ids with a key of the process, and would
/// stay silent when it meets an id from before a restart.
pub(crate) struct RandomConnectionIds;

impl ConnectionIdGenerator for RandomConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&rand::rng().random::<[u8; CONNECTION_ID_BYTES]>())
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use quinn::crypto::HmacKey;
    use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    use super::{ResetKey, SIGNATURE_BYTES};

    fn key(secret: &'static [u8]) -> ResetKey {
        ResetKey::derive(&PrivateKeyDer::from(PrivatePkcs8KeyDer::from(secret)))
    }

    fn signature(key: &ResetKey) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        key.sign(b"a connection", &mut signature);
        signature
    }

    #[test]
    fn same_private_key_signs_the_same_and_another_does_not() {
        let signed = signature(&key(b"one"));
        assert_eq!(signed, signature(&key(b"one")));
        assert_ne!(signed, signature(&key(b"two")));
        assert!(key(b"one").verify(b"a connection", &signed).is_ok());
        assert!(key(b"one").verify(b"another", &signed).is_err());
        assert!(key(b"one").verify(b"a connection", &signed[..31]).is_err());
    }
}
