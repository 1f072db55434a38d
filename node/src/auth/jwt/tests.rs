//! Tokens of real keys, and what is made of them by those who have none.

use serde_json::{Value, json};

use super::{BadToken, Expected, TOKEN_BYTES_MAX, Token};
use crate::auth::caller::{Caller, Role};
use crate::auth::jwk::{Algorithm, KeySet};
use crate::auth::mint::{Issuer, key_set, text};

const NOW: u64 = 1_780_000_000;
const LEEWAY: u32 = 30;

fn expected() -> Expected {
    Expected {
        leeway_seconds: LEEWAY,
        ..Expected::default()
    }
}

fn claims() -> Value {
    json!({"sub": "ann", "roles": ["guest", "emperor"], "exp": NOW + 60, "iss": "us", "aud": ["them", "us"]})
}

fn with(more: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// As the node does it: the key that the token names, then the token.
fn judge(token: &str, keys: &str, expected: &Expected, now: u64) -> Result<Caller, String> {
    let keys = KeySet::parse(keys.as_bytes()).expect("a set");
    let token = Token::parse(token).map_err(|cause| cause.to_string())?;
    let key = keys.find(token.key_id.as_deref(), token.algorithm);
    let key = key.ok_or("no such key")?;
    let judged = token.verify(key, expected, now);
    judged.map_err(|cause| cause.to_string())
}

#[test]
fn token_of_each_kind_of_key_is_believed_and_a_changed_one_is_not() {
    let (ed, ec) = (Issuer::ed25519("ed"), Issuer::p256("ec"));
    let keys = key_set(&[&ed, &ec]);
    for issuer in [&ed, &ec] {
        let token = issuer.token(&claims());
        let caller = judge(&token, &keys, &expected(), NOW).expect("believed");
        assert_eq!(caller.subject(), "ann");
        assert!(caller.is(Role::Guest) && !caller.is(Role::Operator));
        let parts: Vec<&str> = token.split('.').collect();
        let risen = with(&json!({"roles": ["operator"]})).to_string();
        let forged = format!("{}.{}.{}", parts[0], text(risen.as_bytes()), parts[2]);
        let refused = judge(&forged, &keys, &expected(), NOW).expect_err("changed");
        assert_eq!(refused, BadToken::Signature.to_string());
        let cut = format!("{}.{}.", parts[0], parts[1]);
        assert!(judge(&cut, &keys, &expected(), NOW).is_err());
    }
}

#[test]
fn rsa_token_of_another_library_is_believed() {
    // Signed once by OpenSSL; nobody has the private key any more.
    let keys = format!("{{\"keys\": [{}]}}", include_str!("rsa.jwk.json"));
    let token = include_str!("rsa.token");
    let caller = judge(token, &keys, &expected(), NOW).expect("believed");
    assert_eq!(caller.subject(), "ann");
    let changed = token.replacen("eyJ", "eyK", 1);
    assert!(judge(&changed, &keys, &expected(), NOW).is_err());
    let signature = token.rsplit('.').next().expect("a part");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let changed = token.replace(signature, &format!("{first}{}", &signature[1..]));
    let refused = judge(&changed, &keys, &expected(), NOW).expect_err("changed");
    assert_eq!(refused, BadToken::Signature.to_string());
}

#[test]
fn algorithm_is_the_keys_and_never_what_the_token_likes() {
    let (ed, ec) = (Issuer::ed25519("k"), Issuer::p256("k"));
    for alg in [
        "none", "None", "HS256", "HS512", "RS512", "PS256", "ES384", "",
    ] {
        let token = ed.signed(&json!({"alg": alg, "kid": "k"}), &claims());
        assert_eq!(Token::parse(&token), Err(BadToken::Algorithm), "{alg}");
    }
    // One key's signature under the name of another kind of key.
    for (alg, keys) in [("ES256", key_set(&[&ed])), ("RS256", key_set(&[&ed, &ec]))] {
        let token = ed.signed(&json!({"alg": alg, "kid": "k"}), &claims());
        let refused = judge(&token, &keys, &expected(), NOW).expect_err("no such key");
        assert_eq!(refused, "no such key", "{alg}");
        let set = KeySet::parse(key_set(&[&ed]).as_bytes()).expect("a set");
        let key = set.find(Some("k"), Algorithm::EdDsa).expect("it is there");
        let parsed = Token::parse(&token).expect("a token");
        let refused = parsed.verify(key, &expected(), NOW);
        assert_eq!(refused, Err(BadToken::Algorithm), "{alg}");
    }
    let token = ed.signed(&json!({"alg": "ES256", "kid": "k"}), &claims());
    let refused = judge(&token, &key_set(&[&ec]), &expected(), NOW).expect_err("not its");
    assert_eq!(refused, BadToken::Signature.to_string());
    // What must be understood is not.
    let header = json!({"alg": "EdDSA", "kid": "k", "crit": ["exp"], "exp": 1});
    let token = ed.signed(&header, &claims());
    assert_eq!(Token::parse(&token), Err(BadToken::Malformed));
}

#[test]
fn claims_hold_within_the_leeway_and_not_beyond() {
    let issuer = Issuer::ed25519("k");
    let keys = key_set(&[&issuer]);
    let says = |more: Value| {
        let token = issuer.token(&with(&more));
        judge(&token, &keys, &expected(), NOW)
            .map_err(|why| why.split(':').next().map(str::to_owned))
    };
    let whys = [
        (json!({"exp": NOW - 30}), Some(BadToken::Expired)),
        (json!({"exp": NOW - 29}), None),
        (json!({"exp": 1.7e9}), Some(BadToken::Expired)),
        (json!({"exp": "soon"}), Some(BadToken::Claims)),
        (json!({"exp": null}), Some(BadToken::Claims)),
        (json!({"nbf": NOW + 31}), Some(BadToken::Early)),
        (json!({"nbf": NOW + 30}), None),
        (json!({"sub": null}), Some(BadToken::Claims)),
        (json!({"sub": "anonymous"}), Some(BadToken::Subject)),
        (json!({"sub": ""}), Some(BadToken::Subject)),
        (json!({"sub": "x".repeat(129)}), Some(BadToken::Subject)),
        (json!({"roles": 7}), Some(BadToken::Claims)),
        (json!({"roles": "operator"}), None),
        (json!({"roles": null}), None),
    ];
    for (more, why) in whys {
        let why = why.map(|why| why.to_string().split(':').next().map(str::to_owned));
        assert_eq!(says(more.clone()).err(), why, "{more}");
    }
    let one = says(json!({"roles": "operator"})).expect("believed");
    assert!(one.is(Role::Operator));
}

#[test]
fn issuer_and_audience_are_looked_at_where_they_are_configured() {
    let issuer = Issuer::ed25519("k");
    let keys = key_set(&[&issuer]);
    let expected = Expected {
        issuer: Some("us".to_owned()),
        audience: Some("us".to_owned()),
        leeway_seconds: LEEWAY,
    };
    let says = |claims: &Value| judge(&issuer.token(claims), &keys, &expected, NOW);
    assert!(says(&claims()).is_ok());
    assert!(says(&with(&json!({"aud": "us"}))).is_ok());
    for (more, why) in [
        (json!({"iss": "them"}), BadToken::Issuer),
        (json!({"iss": null}), BadToken::Issuer),
        (json!({"aud": "them"}), BadToken::Audience),
        (json!({"aud": []}), BadToken::Audience),
        (json!({"aud": null}), BadToken::Audience),
    ] {
        assert_eq!(says(&with(&more)).err(), Some(why.to_string()), "{more}");
    }
}

#[test]
fn what_is_no_token_is_refused_before_anything_of_it_is_read() {
    let huge = format!("{}.a.b", "x".repeat(TOKEN_BYTES_MAX));
    assert_eq!(Token::parse(&huge), Err(BadToken::TooLong));
    let sound = Issuer::ed25519("k").token(&claims());
    let padded = sound.replacen('.', "=.", 1);
    for text in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        &padded,
        &format!("{sound}.x"),
    ] {
        assert_eq!(Token::parse(text), Err(BadToken::Malformed), "{text}");
    }
    let long = Issuer::ed25519(&"k".repeat(300)).token(&claims());
    assert_eq!(Token::parse(&long), Err(BadToken::Malformed));
}
