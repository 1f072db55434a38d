//! Signatures of requests, version 4, computed again from what has come.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::request::Parts;
use ring::{digest, hmac};

/// Who may ask, and where.
pub(super) const KEY_ID: &str = "tests";
pub(super) const SECRET: &str = "of-tests-alone";
pub(super) const REGION: &str = "eu-test-1";

/// Whether a request is signed by who may ask, down to the last byte of its body.
pub(super) fn is_signed(head: &Parts, body: &[u8]) -> Result<(), &'static str> {
    let header = |name: &str| head.headers.get(name)?.to_str().ok();
    let content = hex(digest::digest(&digest::SHA256, body).as_ref());
    if header("x-amz-content-sha256") != Some(content.as_str()) {
        return Err("XAmzContentSHA256Mismatch");
    }
    let date = header("x-amz-date").ok_or("AccessDenied")?;
    let day = date.get(..8).ok_or("AccessDenied")?;
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    let told = header("authorization").ok_or("AccessDenied")?;
    let told = told
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("AccessDenied")?;
    let mut told: BTreeMap<&str, &str> = told
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .collect();
    let mut take = |name| told.remove(name).ok_or("AuthorizationHeaderMalformed");
    if take("Credential")? != format!("{KEY_ID}/{scope}") {
        return Err("InvalidAccessKeyId");
    }
    let (names, signature) = (take("SignedHeaders")?, take("Signature")?);
    let mut canonical = format!("{}\n{}\n", head.method, head.uri.path());
    let pairs = query(head).into_iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value)))
        .collect();
    canonical.push_str(&pairs.join("&"));
    canonical.push('\n');
    for name in names.split(';') {
        let value = header(name).ok_or("AuthorizationHeaderMalformed")?;
        // Writing to a string cannot fail.
        let _ = writeln!(canonical, "{name}:{}", value.trim());
    }
    let _ = write!(canonical, "\n{names}\n{content}");
    let canonical = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for step in [day, REGION, "s3", "aws4_request", &text] {
        let with = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&with, step.as_bytes()).as_ref().to_vec();
    }
    match hex(&key) == signature {
        true => Ok(()),
        false => Err("SignatureDoesNotMatch"),
    }
}

/// The query of a request, in order of names.
pub(super) fn query(head: &Parts) -> BTreeMap<String, String> {
    serde_urlencoded::from_str(head.uri.query().unwrap_or("")).expect("a query")
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
