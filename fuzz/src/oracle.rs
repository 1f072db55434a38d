//! What must be true of whatever a decoder reads.

use std::fmt::{Debug, Display};

/// A decoder, to be fed: what it reads is written as something that is read as the same,
/// and is written as the same again.
pub fn reads<T: PartialEq + Debug, E: Display>(
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> impl Fn(&[u8]) -> String {
    move |input| match decode(input) {
        Err(cause) => cause.to_string(),
        Ok(read) => {
            let written = encode(&read);
            match decode(&written) {
                Ok(again) => {
                    assert!(again == read, "it is read as something else");
                    assert!(encode(&again) == written, "it is written as something else");
                }
                Err(cause) => panic!("what was read is not read again: {cause}"),
            }
            kind(&written)
        }
    }
}

/// As [`reads`], of which nothing has two spellings: what is read is what is written.
pub fn reads_exactly<T, E: Display>(
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> impl Fn(&[u8]) -> String {
    move |input| match decode(input) {
        Err(cause) => cause.to_string(),
        Ok(read) => {
            assert!(encode(&read) == input, "it has another spelling");
            kind(input)
        }
    }
}

/// A target of text: bytes that are none are refused.
pub fn text(target: impl Fn(&str) -> String) -> impl Fn(&[u8]) -> String {
    move |input| std::str::from_utf8(input).map_or_else(|_| "no text".to_owned(), &target)
}

/// What was read differs most by how much it was.
fn kind(written: &[u8]) -> String {
    "+".repeat((usize::BITS - written.len().leading_zeros()) as usize)
}
