//! What callers send, and files say, is read or refused.

use meridian_fuzz::{Allowance, fuzz, fuzz_within, text};
use serde_json::json;

use super::api_keys::{ApiKeys, new_key, written};
use super::caller::Role;
use super::jwk::KeySet;
use super::jwt::{Expected, Token};
use super::mint::{Issuer, key_set};

/// Keys of a set, and records of a file, are many times as long as their shortest text.
const FILE: Allowance = Allowance {
    base: 1 << 20,
    per_byte: 4_096,
};

#[test]
fn bearer_token() {
    let issuers = [Issuer::ed25519("a"), Issuer::p256("b")];
    let keys = key_set(&[&issuers[0], &issuers[1]]);
    let keys = KeySet::parse(keys.as_bytes()).expect("a set");
    let claims = json!({"sub": "ann", "roles": ["guest"], "exp": 2_000_000_000, "aud": "us"});
    let examples = issuers.map(|issuer| issuer.token(&claims));
    let known = examples.clone();
    let target = text(move |input| {
        let token = match Token::parse(input) {
            Ok(token) => token,
            Err(cause) => return cause.to_string(),
        };
        let Some(key) = keys.find(token.key_id.as_deref(), token.algorithm) else {
            return "no key".to_owned();
        };
        match token.verify(key, &Expected::default(), 1_800_000_000) {
            Ok(_) => {
                // Nobody but the issuers makes one.
                assert!(known.iter().any(|one| one == input), "{input}");
                "believed".to_owned()
            }
            Err(cause) => cause.to_string(),
        }
    });
    let examples = examples.map(String::into_bytes);
    fuzz("bearer-token", &examples, target);
}

#[test]
fn token_keys() {
    let issuers = [Issuer::ed25519("a"), Issuer::p256("b")];
    let example = key_set(&[&issuers[0], &issuers[1]]);
    let rsa = format!("{{\"keys\": [{}]}}", include_str!("jwt/rsa.jwk.json"));
    let examples = [example.into_bytes(), rsa.into_bytes()];
    fuzz_within(FILE, "token-keys", &examples, |input| {
        match KeySet::parse(input) {
            Ok(keys) => {
                assert!(keys.len() > 0);
                format!("{} keys", keys.len())
            }
            Err(cause) => cause.to_string().chars().take(40).collect(),
        }
    });
}

#[test]
fn api_key_file() {
    let (key, record) = new_key("ann", &[Role::Host], None).expect("a name");
    let example = written(record).into_bytes();
    let target = text(move |input| match ApiKeys::parse(input) {
        Ok(keys) => match keys.find(&key, 0) {
            Ok(_) => format!("{} keys, known", keys.len()),
            Err(cause) => cause.to_string(),
        },
        Err(cause) => cause.to_string().chars().take(40).collect(),
    });
    fuzz_within(FILE, "api-key-file", &[example], target);
}
