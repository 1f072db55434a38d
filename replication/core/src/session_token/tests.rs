//! Tokens read back, grow, join, and always fit.

use meridian_regions::{Hlc, NodeId};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::Strategy;

use super::SessionToken;
use crate::limits::SESSION_TOKEN_BYTES_MAX;

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn hlc(bits: u64) -> Hlc {
    Hlc::from_u64(bits)
}

/// Tokens of few nodes and of more than fit, minted and not.
fn token() -> impl Strategy<Value = SessionToken> {
    let seen = prop::collection::vec((1..60_u64, any::<u64>()), 0..40);
    (seen, 0..4_u64).prop_map(|(seen, minter)| {
        let mut token = SessionToken::new();
        for (id, bits) in seen {
            token.merge(node(id), hlc(bits));
        }
        match NodeId::new(minter) {
            Some(minter) => token.minted_by(minter),
            None => token,
        }
    })
}

#[test]
fn twenty_one_nodes_are_named_and_more_are_folded() {
    let mut token = SessionToken::new();
    for id in 1..=21 {
        token.merge(node(id), hlc(id));
    }
    assert_eq!(token.clone().minted_by(node(1)).nodes().count(), 21);
    token.merge(node(22), hlc(22));
    assert!(token.encode().len() <= SESSION_TOKEN_BYTES_MAX);
    // Folded are the oldest: what counts for the rest rises the least.
    assert_eq!(token.demand(node(22)), Some(hlc(22)));
    assert!(token.demand(node(1)) >= Some(hlc(1)));
    assert!(token.demand(node(99)) < Some(hlc(5)));
}

#[test]
fn node_that_a_replica_has_never_heard_of_is_not_covered() {
    let mut seen = SessionToken::new();
    seen.merge(node(1), hlc(1));
    assert!(!SessionToken::new().covers(&seen));
    assert!(seen.covers(&SessionToken::new()));
}

#[test]
fn minter_is_kept_only_as_long_as_it_has_everything() {
    let mut seen = SessionToken::new();
    seen.merge(node(1), hlc(1));
    let minted = seen.clone().minted_by(node(2));
    let mut joined = minted.clone();
    joined.join(&minted);
    assert_eq!(joined.minter(), Some(node(2)));
    joined.join(&SessionToken::new());
    assert_eq!(joined.minter(), Some(node(2)));
    joined.join(&seen.minted_by(node(3)));
    assert_eq!(joined.minter(), None);
}

proptest! {
    #[test]
    fn token_reads_back_as_itself_and_fits(token in token()) {
        let text = token.encode();
        prop_assert!(text.len() <= SESSION_TOKEN_BYTES_MAX);
        prop_assert_eq!(SessionToken::decode(&text), Ok(token));
    }

    #[test]
    fn token_only_grows(token in token(), id in 1..90_u64, bits in any::<u64>()) {
        let mut later = token.clone();
        later.merge(node(id), hlc(bits));
        prop_assert!(later.covers(&token));
        prop_assert!(later.demand(node(id)) >= Some(hlc(bits)));
    }

    #[test]
    fn join_covers_both(left in token(), right in token()) {
        let mut joined = left.clone();
        joined.join(&right);
        prop_assert!(joined.covers(&left) && joined.covers(&right));
        prop_assert!(joined.encode().len() <= SESSION_TOKEN_BYTES_MAX);
        let mut again = joined.clone();
        again.join(&left);
        prop_assert!(again.covers(&joined) && joined.covers(&again));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~]{0,300}") {
        if let Ok(token) = SessionToken::decode(&text) {
            prop_assert!(token.encode().len() <= SESSION_TOKEN_BYTES_MAX);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        use base64::Engine;
        let mut versioned = vec![super::VERSION];
        versioned.extend(bytes);
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(versioned);
        if let Ok(token) = SessionToken::decode(&text) {
            prop_assert_eq!(SessionToken::decode(&token.encode()), Ok(token));
        }
    }
}
