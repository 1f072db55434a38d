//! An operator, an account and its users, as `nsc` makes them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Map, Value, json};

/// Whoever signs.
pub(super) struct Accounts {
    operator: KeyPair,
    /// The server's own.
    system: KeyPair,
    account: KeyPair,
}

/// Somebody of the account.
pub(super) struct User {
    /// As a file has them.
    pub(super) credentials: String,
    key: String,
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self {
            operator: KeyPair::new_operator(),
            system: KeyPair::new_account(),
            account: KeyPair::new_account(),
        }
    }

    pub(super) fn user(&self) -> User {
        let key = KeyPair::new_user();
        let nats = json!({
            "type": "user", "version": 2, "pub": {}, "sub": {},
            "subs": -1, "data": -1, "payload": -1,
        });
        let jwt = signed(&self.account, &key, nats);
        let seed = key.seed().expect("a whole key");
        User {
            credentials: format!(
                "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
                 -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
            ),
            key: key.public_key(),
        }
    }

    /// What a server goes by that lets in all users of the account but these.
    pub(super) fn configuration(&self, revoked: &[&User]) -> String {
        let tomorrow = now_s() + 86_400;
        let revoked = revoked
            .iter()
            .map(|user| (user.key.clone(), tomorrow.into()));
        let revoked: Map<String, Value> = revoked.collect();
        let operator = signed(
            &self.operator,
            &self.operator,
            json!({"type": "operator", "version": 2}),
        );
        // The server's own account may have no streams.
        let account = |key: &KeyPair, stored: i64, revoked| {
            let limits = json!({
                "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
                "wildcards": true, "conn": -1, "leaf": -1,
                "mem_storage": stored, "disk_storage": stored, "streams": stored, "consumer": stored,
            });
            let nats = json!({
                "type": "account", "version": 2, "limits": limits,
                "default_permissions": {"pub": {}, "sub": {}}, "revocations": revoked,
            });
            format!(
                "{}: \"{}\"",
                key.public_key(),
                signed(&self.operator, key, nats)
            )
        };
        format!(
            "operator: \"{operator}\"\nsystem_account: {}\nresolver: MEMORY\n\
             resolver_preload: {{\n{}\n{}\n}}\n",
            self.system.public_key(),
            account(&self.system, 0, Map::new()),
            account(&self.account, -1, revoked),
        )
    }
}

/// A JWT that `issuer` signs about `subject`.
fn signed(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let claims = json!({
        "jti": "of-a-test", "iat": now_s(), "iss": issuer.public_key(),
        "sub": subject.public_key(), "name": "of a test", "nats": nats,
    });
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let [header, claims] = [header, claims].map(|part| encoded(part.to_string().as_bytes()));
    let text = format!("{header}.{claims}");
    let signature = issuer.sign(text.as_bytes()).expect("a whole key");
    format!("{text}.{}", encoded(&signature))
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}
