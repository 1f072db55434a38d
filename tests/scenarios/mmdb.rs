//! Writes small databases in MaxMind's format (version 2.0 of its specification), for tests.
//!
//! Places by network, IPv4 beneath `::/96` of an IPv6 tree, as in the databases that are
//! sold. No pointers, no deduplication.

use std::net::{IpAddr, Ipv6Addr};

/// What stands in front of the metadata.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// Between the tree and the data.
const SEPARATOR_BYTES: usize = 16;
/// Field types, as far as they are written here.
const TEXT: u8 = 2;
const DOUBLE: u8 = 3;
const UINT16: u8 = 5;
const UINT32: u8 = 6;
const MAP: u8 = 7;
const UINT64: u8 = 9;
const ARRAY: u8 = 11;

/// A record: nothing, another node, or a place in the data.
#[derive(Clone, Copy)]
enum Slot {
    Empty,
    Node(usize),
    Data(usize),
}

/// Address, prefix length, and place (latitude and longitude); one without a place is there,
/// but nobody knows where.
pub(crate) type Network = (&'static str, u8, Option<(f64, f64)>);

/// A database of these networks.
pub(crate) fn database(networks: &[Network]) -> Vec<u8> {
    let mut tree = vec![[Slot::Empty; 2]];
    let mut data = Vec::new();
    for (address, prefix, place) in networks {
        let at = data.len();
        write_record(&mut data, *place);
        let (bits, length) = place_in_tree(address.parse().expect("an address"), *prefix);
        let mut node = 0;
        for depth in 0..length - 1 {
            let side = side(bits, depth);
            node = match tree[node][side] {
                Slot::Node(next) => next,
                Slot::Empty => {
                    tree.push([Slot::Empty; 2]);
                    let next = tree.len() - 1;
                    tree[node][side] = Slot::Node(next);
                    next
                }
                Slot::Data(_) => panic!("{address}/{prefix} lies in another network"),
            };
        }
        tree[node][side(bits, length - 1)] = Slot::Data(at);
    }
    let mut file = Vec::new();
    for slot in tree.iter().flatten() {
        let value = match slot {
            Slot::Empty => tree.len(),
            Slot::Node(node) => *node,
            Slot::Data(at) => tree.len() + SEPARATOR_BYTES + at,
        };
        let value = u32::try_from(value).expect("a small database");
        file.extend_from_slice(&value.to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; SEPARATOR_BYTES]);
    file.append(&mut data);
    file.extend_from_slice(MARKER);
    write_metadata(&mut file, tree.len());
    file
}

fn place_in_tree(address: IpAddr, prefix: u8) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 96 + prefix),
        IpAddr::V6(address) => (Ipv6Addr::to_bits(address), prefix),
    }
}

fn side(bits: u128, depth: u8) -> usize {
    usize::from((bits >> (127 - depth)) & 1 == 1)
}

fn write_record(into: &mut Vec<u8>, place: Option<(f64, f64)>) {
    let Some((latitude, longitude)) = place else {
        control(into, MAP, 0);
        return;
    };
    control(into, MAP, 1);
    text(into, "location");
    control(into, MAP, 2);
    for (key, degrees) in [("latitude", latitude), ("longitude", longitude)] {
        text(into, key);
        control(into, DOUBLE, 8);
        into.extend_from_slice(&degrees.to_be_bytes());
    }
}

fn write_metadata(into: &mut Vec<u8>, nodes: usize) {
    control(into, MAP, 9);
    for (key, kind, value) in [
        ("binary_format_major_version", UINT16, 2),
        ("binary_format_minor_version", UINT16, 0),
        ("build_epoch", UINT64, 1_700_000_000),
        ("ip_version", UINT16, 6),
        ("node_count", UINT32, nodes),
        ("record_size", UINT16, 24),
    ] {
        text(into, key);
        let bytes = value.to_be_bytes();
        let used = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        control(into, kind, used.len());
        into.extend_from_slice(used);
    }
    text(into, "database_type");
    text(into, "Synthetic-City");
    text(into, "description");
    control(into, MAP, 1);
    text(into, "en");
    text(into, "places of no truth");
    text(into, "languages");
    control(into, ARRAY, 1);
    text(into, "en");
}

fn text(into: &mut Vec<u8>, text: &str) {
    control(into, TEXT, text.len());
    into.extend_from_slice(text.as_bytes());
}

/// A control byte, and the byte after it for types beyond 7. Sizes stay below 29.
fn control(into: &mut Vec<u8>, kind: u8, size: usize) {
    let size = u8::try_from(size).expect("short");
    assert!(size < 29, "longer sizes are written in another way");
    if kind <= 7 {
        into.push((kind << 5) | size);
    } else {
        into.extend_from_slice(&[size, kind - 7]);
    }
}
