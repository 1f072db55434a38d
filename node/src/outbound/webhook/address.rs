//! Which addresses a webhook may have: whoever registers one must not reach what only this node
//! can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::Uri;

use super::Private;

/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// Why a webhook may not stand at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "an absolute https URL without credentials or fragment, of {URL_BYTES_MAX} bytes at most"
    )]
    NoUrl,
    #[error("https, unless this cluster has events.allow_private_targets")]
    Unencrypted,
    #[error("an address of a private network or of this machine is refused")]
    Private,
}

/// Reads an address. One that is a name is looked at again when it is resolved.
pub(super) fn check(url: &str, private: Private) -> Result<Uri, Refused> {
    if url.len() > URL_BYTES_MAX || url.contains('#') {
        return Err(Refused::NoUrl);
    }
    let uri: Uri = url.parse().map_err(|_no_uri| Refused::NoUrl)?;
    let authority = uri.authority().ok_or(Refused::NoUrl)?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(Refused::NoUrl);
    }
    match (uri.scheme_str(), private) {
        (Some("https"), _) | (Some("http"), Private::Allowed) => {}
        (Some("http"), Private::Refused) => return Err(Refused::Unencrypted),
        _ => return Err(Refused::NoUrl),
    }
    let host = authority.host().trim_matches(['[', ']']);
    if private == Private::Refused
        && let Ok(address) = host.parse::<IpAddr>()
        && !is_public(address)
    {
        return Err(Refused::Private);
    }
    Ok(uri)
}

/// Whether an address stands for one place on the public Internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By IANA's registry of special-purpose addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // "This network", carriers' own, protocol assignments, benchmarks, reserved.
        [0, ..] | [240..=255, ..] | [192, 0, 0, _] => true,
        [100, second, ..] => (64..128).contains(&second),
        [198, second, ..] => second == 18 || second == 19,
        _ => false,
    };
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

/// Global unicast alone (2000::/3); what carries an IPv4 address is judged by that.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped, and by NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        // 6to4.
        [0x2002, high, low, ..] => v4(high, low),
        // Teredo and other protocols, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::{Private, Refused, check, is_public};

    #[test]
    fn only_public_addresses_are_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(
                !is_public(private.parse().expect("an address")),
                "{private}"
            );
        }
        for public in [
            "93.184.215.14",
            "8.8.8.8",
            "100.63.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn webhook_stands_at_a_public_https_address_or_at_none() {
        let strict = |url: &str| check(url, Private::Refused).map(|_| ());
        for good in [
            "https://hooks.example.com/m?x=1",
            "https://hooks.example.com:8443/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(strict(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("http://hooks.example.com/", Refused::Unencrypted),
            ("https://127.0.0.1/", Refused::Private),
            ("https://[::1]/", Refused::Private),
            ("https://169.254.169.254/latest/meta-data", Refused::Private),
            ("ftp://hooks.example.com/", Refused::NoUrl),
            ("https://user:secret@hooks.example.com/", Refused::NoUrl),
            ("https://hooks.example.com/#part", Refused::NoUrl),
            ("/relative", Refused::NoUrl),
            ("hooks.example.com", Refused::NoUrl),
            ("", Refused::NoUrl),
        ] {
            assert_eq!(strict(bad), Err(why), "{bad}");
        }
        let long = format!("https://hooks.example.com/{}", "x".repeat(2_048));
        assert_eq!(strict(&long), Err(Refused::NoUrl));
        let lax = |url: &str| check(url, Private::Allowed).map(|_| ());
        assert_eq!(lax("http://127.0.0.1:9/"), Ok(()));
    }
}
