//! Proxies that are trusted, those that are not, and senders who lie.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::{HOPS_MAX, sender};

const CLIENT: &str = "198.51.100.7";
const PROXY: &str = "10.0.0.1";

fn trusted() -> Vec<IpNetwork> {
    ["10.0.0.0/8", "2001:db8:ffff::/48"]
        .map(|network| network.parse().expect("a network"))
        .to_vec()
}

/// Who is taken for the sender of a request from `peer` with these headers.
fn sender_of(peer: &str, headers: &[(&str, &str)]) -> Option<String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name");
        map.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    let peer: IpAddr = peer.parse().expect("an address");
    sender(peer, &map, &trusted()).map(|address| address.to_string())
}

#[test]
fn whoever_is_no_trusted_proxy_is_the_sender_whatever_he_says() {
    for headers in [
        vec![],
        vec![("x-forwarded-for", "192.0.2.1")],
        vec![("forwarded", "for=192.0.2.1")],
    ] {
        assert_eq!(sender_of(CLIENT, &headers).as_deref(), Some(CLIENT));
    }
    let mapped = format!("::ffff:{CLIENT}");
    assert_eq!(sender_of(&mapped, &[]).as_deref(), Some(CLIENT));
}

#[test]
fn sender_is_the_last_one_that_a_trusted_proxy_names_and_does_not_trust() {
    for (name, value) in [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-for", "192.0.2.1, 198.51.100.7"),
        ("x-forwarded-for", "192.0.2.1,198.51.100.7 , 10.9.9.9"),
        (
            "x-forwarded-for",
            "198.51.100.7:5123, [2001:db8:ffff::1]:80",
        ),
        ("x-forwarded-for", "nonsense, 198.51.100.7"),
        ("forwarded", "for=198.51.100.7"),
        (
            "Forwarded",
            "For=\"198.51.100.7:4711\";proto=https;by=10.0.0.1",
        ),
        (
            "forwarded",
            "for=unknown, proto=http;for=198.51.100.7, for=\"[2001:db8:ffff::17]:_x\"",
        ),
        (
            "forwarded",
            "for=\"198.51\\.100.7\";host=\"a,b;for=192.0.2.1\"",
        ),
    ] {
        let told = sender_of(PROXY, &[(name, value)]);
        assert_eq!(told.as_deref(), Some(CLIENT), "{name}: {value}");
    }
    let v6 = sender_of(
        "2001:db8:ffff::9",
        &[("forwarded", "for=\"[2001:db8::17]\"")],
    );
    assert_eq!(v6.as_deref(), Some("2001:db8::17"));
}

#[test]
fn header_that_comes_twice_is_one_list() {
    let twice = [
        ("x-forwarded-for", "192.0.2.1, 198.51.100.7"),
        ("x-forwarded-for", "10.2.2.2, 10.3.3.3"),
    ];
    assert_eq!(sender_of(PROXY, &twice).as_deref(), Some(CLIENT));
}

#[test]
fn sender_that_a_proxy_hides_is_not_known() {
    for (name, value) in [
        ("forwarded", "for=unknown"),
        ("forwarded", "for=_hidden"),
        ("forwarded", "proto=https"),
        ("forwarded", "for=\"198.51.100.7"),
        ("x-forwarded-for", ""),
        ("x-forwarded-for", "198.51.100.7, somebody"),
        ("x-forwarded-for", "198.51.100.7:http"),
        ("x-forwarded-for", "[198.51.100.7]"),
    ] {
        assert_eq!(sender_of(PROXY, &[(name, value)]), None, "{name}: {value}");
    }
}

#[test]
fn headers_that_contradict_each_other_are_not_believed() {
    let both = |other| [("x-forwarded-for", CLIENT), ("forwarded", other)];
    assert_eq!(sender_of(PROXY, &both("for=192.0.2.1")), None);
    assert_eq!(sender_of(PROXY, &both("for=unknown")), None);
    let agreed = sender_of(PROXY, &both("for=198.51.100.7"));
    assert_eq!(agreed.as_deref(), Some(CLIENT));
}

#[test]
fn proxy_that_asks_for_itself_is_the_sender_and_a_row_of_proxies_ends() {
    assert_eq!(sender_of(PROXY, &[]).as_deref(), Some(PROXY));
    let inside = sender_of(PROXY, &[("x-forwarded-for", "10.1.1.1")]);
    assert_eq!(inside.as_deref(), Some("10.1.1.1"));
    let row = ["10.1.1.1"; HOPS_MAX + 1].join(",");
    assert_eq!(sender_of(PROXY, &[("x-forwarded-for", &row)]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(value in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            for name in ["forwarded", "x-forwarded-for"] {
                let mut headers = HeaderMap::new();
                headers.append(name, value.clone());
                let _ = sender(PROXY.parse().expect("an address"), &headers, &trusted());
            }
        }
    }

    #[test]
    fn what_a_sender_writes_himself_changes_nothing(lie in "[ -~]{0,60}") {
        let told = format!("{lie},{CLIENT}");
        let sender = sender_of(PROXY, &[("x-forwarded-for", &told)]);
        prop_assert_eq!(sender.as_deref(), Some(CLIENT));
        // A quote that is not closed may hide who it was, never make it another.
        let told = format!("{lie},for={CLIENT}, for=\"10.9.9.9:80\"");
        let sender = sender_of(PROXY, &[("forwarded", &told)]);
        prop_assert!(sender.is_none_or(|sender| sender == CLIENT));
    }
}
