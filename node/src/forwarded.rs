//! Who sent a request, where proxies stand in front of the node.
//!
//! Each proxy adds who it got the request from to the right of what is there; whoever sends
//! the first request can write there what he likes. So the list is read from the right, and
//! only as long as the one who has written a part of it is to be believed: the sender is the
//! first who is no trusted proxy. Reads `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Pure. An address is never told to anybody from here: nothing in it can be printed.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnetwork::IpNetwork;

const FORWARDED: HeaderName = axum::http::header::FORWARDED;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Proxies that are followed, one behind the other.
const HOPS_MAX: usize = 16;

/// Who sent a request that came from `peer`; `None` if that cannot be told: a proxy hides
/// it, or both headers are there and contradict each other.
pub(crate) fn sender(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNetwork]) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer.to_canonical();
    if !is_trusted(peer) {
        return Some(peer);
    }
    let told = [
        (FORWARDED, forwarded as Reading),
        (X_FORWARDED_FOR, x_forwarded_for),
    ];
    let mut senders = told
        .into_iter()
        .filter(|(name, _)| headers.contains_key(name))
        .map(|(name, hops)| {
            let mut values = headers.get_all(name).iter().rev();
            values.try_fold((peer, 0), |(behind, followed), value| {
                let hops = hops(value.to_str().ok()?)?;
                follow(behind, followed, &hops, is_trusted)
            })
        });
    let first = senders.next();
    match (first, senders.next()) {
        (None, _) => Some(peer),
        (Some(sender), None) => sender.map(|(address, _)| address),
        (Some(one), Some(other)) => {
            let (one, other) = (one?.0, other?.0);
            (one == other).then_some(one)
        }
    }
}

/// One that a proxy names, as it stands there.
type Hop<'a> = Cow<'a, str>;
/// All that a value of a header names; `None` if it cannot be read.
type Reading = fn(&str) -> Option<Vec<Hop<'_>>>;

/// Goes on from one that is to be believed through those that it names, from the right, until one
/// is no trusted proxy.
fn follow(
    behind: IpAddr,
    followed: usize,
    hops: &[Hop<'_>],
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<(IpAddr, usize)> {
    let (mut behind, mut followed) = (behind, followed);
    for hop in hops.iter().rev() {
        if !is_trusted(behind) {
            break;
        }
        if followed == HOPS_MAX {
            return None;
        }
        behind = address(hop)?.to_canonical();
        followed += 1;
    }
    Some((behind, followed))
}

/// The elements of one `X-Forwarded-For`.
fn x_forwarded_for(value: &str) -> Option<Vec<Hop<'_>>> {
    let hops = value.split(',');
    Some(hops.map(|hop| Cow::Borrowed(hop.trim())).collect())
}

/// The `for` of each element of one `Forwarded`: empty where there is none.
fn forwarded(value: &str) -> Option<Vec<Hop<'_>>> {
    let elements = split_unquoted(value, ',')?.into_iter();
    let hops = elements.map(|element| {
        let pairs = split_unquoted(element, ';')?.into_iter();
        let mut named = pairs.filter_map(|pair| pair.split_once('='));
        let named = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        Some(named.map_or(Cow::Borrowed(""), |(_, node)| unquoted(node.trim())))
    });
    hops.collect()
}

/// Parts of a text between separators that stand outside of quotes; `None` if a quote is not
/// closed: whoever has opened it may want to hide what proxies have added.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (place, at) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if at == '"' {
            quoted = !quoted;
        } else if quoted {
            escaped = at == '\\';
        } else if at == separator {
            parts.push(&text[start..place]);
            start = place + at.len_utf8();
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// What a quoted string says; any other text as it is.
fn unquoted(text: &str) -> Cow<'_, str> {
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let Some(inside) = inside else {
        return Cow::Borrowed(text);
    };
    let mut escaped = false;
    let said = inside.chars().filter(|at| {
        escaped = *at == '\\' && !escaped;
        !escaped
    });
    Cow::Owned(said.collect())
}

/// An address, with or without a port, IPv6 in brackets or without.
fn address(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    let (host, port) = match node.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => node.split_at(node.rfind(':')?),
    };
    let port_fits = match port.strip_prefix(':') {
        // RFC 7239 lets a proxy hide the port alone.
        Some(port) => port.starts_with('_') || port.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    let in_brackets = node.starts_with('[');
    let address: IpAddr = host.parse().ok()?;
    (port_fits && address.is_ipv6() == in_brackets).then_some(address)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
