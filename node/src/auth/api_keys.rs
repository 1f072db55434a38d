//! API keys: made once, kept as hashes in a file. Pure but for chance.
//!
//! A key is `mk_<id>_<secret>`. Its secret has 256 bits of chance, so that a fast hash is
//! enough: nobody finds it by trying. The id finds the record; the whole key is hashed, and
//! hashes are compared in constant time (`blake3::Hash` compares so).

use blake3::Hash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::caller::{Caller, Role, Roles};

/// Longest file of keys that is read, in bytes: some four thousand keys.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Longest key that is looked at, in bytes.
const KEY_BYTES_MAX: usize = 128;
/// How a key begins: scanners of repositories know it by that.
const PREFIX: &str = "mk_";
/// What the hash is for, so that it is no hash of anything else (BLAKE3's key derivation).
const CONTEXT: &str = "meridian 2026-11-26 hash of an api key";

/// Why a file of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnreadableKeys {
    #[error("it is longer than {FILE_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is no file of keys: {0}")]
    Malformed(String),
    #[error("key {id}: {why}")]
    Key {
        /// Of the record.
        id: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Why a key is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKey {
    #[error("this node knows no such API key")]
    Unknown,
    #[error("the API key has expired")]
    Expired,
}

/// Whether a text is a key by its looks: no token begins so.
pub(super) fn is_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// A key as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRecord {
    pub(crate) id: String,
    /// BLAKE3 of the whole key, in hexadecimal.
    pub(crate) hash: String,
    /// Whose requests those with this key are.
    pub(crate) subject: String,
    /// `guest`, `host`, `operator`.
    pub(crate) roles: Vec<String>,
    /// Until when it is valid; for ever if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
}

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    #[serde(default)]
    keys: Vec<KeyRecord>,
}

#[derive(Debug, Clone)]
struct Known {
    id: String,
    hash: Hash,
    caller: Caller,
    expires: Option<Timestamp>,
}

/// The keys of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct ApiKeys(Vec<Known>);

impl ApiKeys {
    /// Reads a file of keys.
    ///
    /// # Errors
    /// [`UnreadableKeys`]: a record that is wrong is not passed over, or its owner would
    /// find out by being refused.
    pub(crate) fn parse(text: &str) -> Result<Self, UnreadableKeys> {
        if text.len() > FILE_BYTES_MAX {
            return Err(UnreadableKeys::TooLong);
        }
        let file: KeyFile = toml::from_str(text)
            .map_err(|cause| UnreadableKeys::Malformed(cause.message().to_owned()))?;
        let mut known: Vec<Known> = Vec::with_capacity(file.keys.len());
        for record in file.keys {
            let wrong = |why| UnreadableKeys::Key {
                id: record.id.clone(),
                why,
            };
            let hash = Hash::from_hex(&record.hash)
                .map_err(|_cause| wrong("its hash is not 64 hexadecimal digits"))?;
            let is_known = |name: &String| Role::ALL.iter().any(|role| role.name() == name);
            if !record.roles.iter().all(is_known) {
                return Err(wrong("roles are `guest`, `host` and `operator`"));
            }
            let roles = Roles::named(record.roles.iter().map(String::as_str));
            let caller = Caller::new(&record.subject, roles)
                .ok_or_else(|| wrong("its subject is 1 to 128 bytes, and not `anonymous`"))?;
            if known.iter().any(|one| one.id == record.id) {
                return Err(wrong("there are two of this id"));
            }
            known.push(Known {
                id: record.id,
                hash,
                caller,
                expires: record.expires,
            });
        }
        Ok(Self(known))
    }

    /// Whose a key is.
    ///
    /// # Errors
    /// [`BadKey`].
    pub(crate) fn find(&self, key: &str, now_seconds: u64) -> Result<Caller, BadKey> {
        if key.len() > KEY_BYTES_MAX {
            return Err(BadKey::Unknown);
        }
        let parts = key
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let (id, _secret) = parts.ok_or(BadKey::Unknown)?;
        let known = self.0.iter().find(|known| known.id == id);
        let known = known.ok_or(BadKey::Unknown)?;
        if known.hash != hash(key) {
            return Err(BadKey::Unknown);
        }
        let now = i64::try_from(now_seconds).unwrap_or(i64::MAX);
        if known.expires.is_some_and(|at| at.as_second() <= now) {
            return Err(BadKey::Expired);
        }
        Ok(known.caller.clone())
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

/// A new key, and its record. The key itself is not kept anywhere.
pub(crate) fn new_key(
    subject: &str,
    roles: &[Role],
    expires: Option<Timestamp>,
) -> Option<(String, KeyRecord)> {
    Caller::new(subject, Roles::of(roles.iter().copied()))?;
    let id = format!("{:016x}", rand::random::<u64>());
    let secret: [u8; 32] = rand::random();
    let key = format!("{PREFIX}{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
    let record = KeyRecord {
        hash: hash(&key).to_hex().to_string(),
        id,
        subject: subject.to_owned(),
        roles: roles.iter().map(|role| role.name().to_owned()).collect(),
        expires,
    };
    Some((key, record))
}

/// How many keys a file has, if a node would take it.
///
/// # Errors
/// [`UnreadableKeys`].
pub(crate) fn checked(text: &str) -> Result<usize, UnreadableKeys> {
    ApiKeys::parse(text).map(|keys| keys.len())
}

/// A record as it stands in the file.
pub(crate) fn written(record: KeyRecord) -> String {
    let file = KeyFile { keys: vec![record] };
    toml::to_string(&file).expect("strings and an instant are TOML")
}

fn hash(key: &str) -> Hash {
    Hash::from_bytes(blake3::derive_key(CONTEXT, key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{ApiKeys, BadKey, UnreadableKeys, new_key, written};
    use crate::auth::caller::Role;

    const NOW: u64 = 1_780_000_000;

    #[test]
    fn new_key_is_believed_and_neither_a_changed_one_nor_its_record() {
        let (key, record) = new_key("ann", &[Role::Host], None).expect("a name");
        let hash = record.hash.clone();
        let text = written(record);
        assert!(!text.contains(&key), "{text}");
        let keys = ApiKeys::parse(&text).expect("it was written so");
        let caller = keys.find(&key, NOW).expect("known");
        assert_eq!(caller.subject(), "ann");
        assert!(caller.is(Role::Host) && !caller.is(Role::Operator));
        let id = key.split('_').nth(1).expect("an id");
        let last = if key.ends_with('A') { "B" } else { "A" };
        for other in [
            format!("{}{last}", &key[..key.len() - 1]),
            format!("mk_{id}_"),
            format!("mk_{id}_{hash}"),
            hash.clone(),
            format!("{key} "),
            String::new(),
            format!("{key}{}", "x".repeat(4096)),
        ] {
            assert_eq!(keys.find(&other, NOW), Err(BadKey::Unknown), "{other}");
        }
        // Each has a secret of its own.
        let (again, _) = new_key("ann", &[Role::Host], None).expect("a name");
        assert_ne!(again, key);
        assert_eq!(keys.find(&again, NOW), Err(BadKey::Unknown));
    }

    #[test]
    fn key_ends_at_its_second() {
        let at = Timestamp::from_second(1_780_000_000).expect("in range");
        let (key, record) = new_key("ann", &[], Some(at)).expect("a name");
        let keys = ApiKeys::parse(&written(record)).expect("it was written so");
        assert!(keys.find(&key, NOW - 1).is_ok());
        assert_eq!(keys.find(&key, NOW), Err(BadKey::Expired));
    }

    #[test]
    fn record_that_is_wrong_is_named() {
        let (_, record) = new_key("ann", &[Role::Guest], None).expect("a name");
        let text = written(record.clone());
        let twice = format!("{text}\n{text}");
        for (text, expected) in [
            (
                text.replace("guest", "emperor"),
                "`guest`, `host` and `operator`",
            ),
            (text.replace("\"ann\"", "\"anonymous\""), "not `anonymous`"),
            (text.replace(&record.hash, "00"), "64 hexadecimal"),
            (twice, "two of this id"),
        ] {
            let refused = ApiKeys::parse(&text).expect_err("wrong").to_string();
            assert!(
                refused.contains(&record.id) && refused.contains(expected),
                "{refused}"
            );
        }
        let unknown = ApiKeys::parse("[[keys]]\nname = \"x\"").err();
        assert!(matches!(unknown, Some(UnreadableKeys::Malformed(_))));
    }
}
