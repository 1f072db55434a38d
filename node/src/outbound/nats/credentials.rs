//! A file of NATS credentials, read whenever a server wants to know who we are: what was
//! rotated there counts from the next connection on.
//!
//! It is what `nsc` writes: the user's JWT and the seed of its key, each between two lines of
//! dashes. Nothing of it is kept or shown.

use std::path::Path;

use async_nats::{Auth, AuthError, ConnectOptions};
use nkeys::KeyPair;

/// How a connection begins, and every one that comes after it is lost.
pub(super) fn options(file: &Path) -> ConnectOptions {
    if file.as_os_str().is_empty() {
        return ConnectOptions::new();
    }
    let file = file.to_path_buf();
    ConnectOptions::with_auth_callback(move |nonce| {
        let file = file.clone();
        async move {
            let text = tokio::fs::read_to_string(&file).await;
            let proven = text
                .map_err(|cause| cause.to_string())
                .and_then(|text| proof(&text, &nonce));
            let named = |cause| format!("nats.credentials_file {}: {cause}", file.display());
            proven.map_err(|cause| AuthError::new(named(cause)))
        }
    })
}

/// Who we are, and that we are it: the server's nonce, signed.
fn proof(text: &str, nonce: &[u8]) -> Result<Auth, String> {
    let lacking = "a user's JWT and the seed of its key, each between two lines of dashes, are \
                   not in it: write it as `nsc generate creds` does";
    let (jwt, seed) = read(text).ok_or(lacking)?;
    let key = KeyPair::from_seed(seed).map_err(|cause| format!("its seed is no key: {cause}"))?;
    let signature = key
        .sign(nonce)
        .map_err(|cause| format!("its key cannot sign: {cause}"))?;
    let mut auth = Auth::new();
    auth.jwt = Some(jwt.to_owned());
    auth.signature = Some(signature);
    Ok(auth)
}

/// The JWT and the seed.
fn read(text: &str) -> Option<(&str, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let framed = |three: &[&str]| is_rule(three[0]) && is_word(three[1]) && is_rule(three[2]);
    let mut words = lines.windows(3).filter(|three| framed(three));
    Some((words.next()?[1], words.next()?[1]))
}

fn is_rule(line: &str) -> bool {
    line.starts_with("---") && line.ends_with("---")
}

fn is_word(line: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !line.is_empty() && line.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use nkeys::KeyPair;

    use super::proof;

    const NONCE: &[u8] = b"a nonce";

    fn file(jwt: &str, seed: &str, end: &str) -> String {
        let lines = [
            "-----BEGIN NATS USER JWT-----",
            jwt,
            "------END NATS USER JWT------",
            "",
            "************************* IMPORTANT *************************",
            "NKEY Seed printed below can be used to sign and prove identity.",
            "",
            "-----BEGIN USER NKEY SEED-----",
            seed,
            "------END USER NKEY SEED------",
            "",
        ];
        lines.join(end)
    }

    #[test]
    fn nonce_is_signed_by_the_key_in_the_file() {
        let key = KeyPair::new_user();
        let seed = key.seed().expect("a whole key");
        for end in ["\n", "\r\n"] {
            let proven = proof(&file("eyJ0.e30.c2ln", &seed, end), NONCE).expect("proven");
            assert_eq!(proven.jwt.as_deref(), Some("eyJ0.e30.c2ln"));
            let signature = proven.signature.expect("signed");
            key.verify(NONCE, &signature).expect("by this key");
        }
    }

    #[test]
    fn file_without_a_key_is_refused_and_nothing_of_it_is_shown() {
        let whole = file("eyJ0.e30.c2ln", "SUnokey", "\n");
        for text in ["", "SUnokey", &whole, &whole[..80]] {
            let refused = proof(text, NONCE).err().expect("no key");
            assert!(!refused.contains("SUnokey"), "{refused}");
        }
    }
}
