//! Databases of our own making, sound and not.

#[path = "../../../tests/scenarios/mmdb.rs"]
mod mmdb;

use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{GeoIp, GeoIpError, Place};
use crate::config::GeoIpSection;

/// Oslo, and Melbourne.
const NORTH: (f64, f64) = (59.91, 10.75);
const SOUTH: (f64, f64) = (-37.81, 144.96);

fn networks() -> Vec<u8> {
    mmdb::database(&[
        ("192.0.2.0", 24, Some(NORTH)),
        ("198.51.100.128", 25, Some(SOUTH)),
        ("2001:db8:1::", 48, Some(SOUTH)),
        ("203.0.113.0", 24, None),
    ])
}

fn open(path: &Path) -> Result<GeoIp, GeoIpError> {
    let section = GeoIpSection {
        database: path.to_path_buf(),
        ..GeoIpSection::default()
    };
    GeoIp::open(&section).map(|geoip| geoip.expect("it is configured"))
}

/// Writes a file and renames it to where it is to be, as updaters do.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes).expect("a writable folder");
    std::fs::rename(&beside, path).expect("the same folder");
}

fn found(geoip: &GeoIp, address: &str) -> Option<(f64, f64)> {
    let place = geoip.place(address.parse().expect("an address"));
    place.map(
        |Place {
             latitude,
             longitude,
         }| (latitude, longitude),
    )
}

#[test]
fn addresses_are_found_in_their_network_and_nowhere_else() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("city.mmdb");
    replace(&path, &networks());
    let geoip = open(&path).expect("sound");
    for (address, place) in [
        ("192.0.2.1", Some(NORTH)),
        ("192.0.2.255", Some(NORTH)),
        ("192.0.3.1", None),
        ("::ffff:192.0.2.1", Some(NORTH)),
        ("198.51.100.127", None),
        ("198.51.100.128", Some(SOUTH)),
        ("2001:db8:1:ffff::1", Some(SOUTH)),
        ("2001:db8:2::1", None),
        ("203.0.113.9", None),
        ("127.0.0.1", None),
        ("::1", None),
    ] {
        assert_eq!(found(&geoip, address), place, "{address}");
    }
}

#[test]
fn nothing_configured_is_nothing_opened() {
    assert!(matches!(GeoIp::open(&GeoIpSection::default()), Ok(None)));
}

#[test]
fn what_cannot_be_used_is_refused_with_the_file_and_the_way_out() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("city.mmdb");
    let refused = || open(&path).err().expect("refused").to_string();
    let told = refused();
    assert!(
        told.contains("city.mmdb") && told.contains("or none by"),
        "{told}"
    );
    let whole = networks();
    let without_places = mmdb::database(&[("192.0.2.0", 24, None)]);
    let nowhere = mmdb::database(&[("192.0.2.0", 24, Some((91.0, 0.0)))]);
    for (bytes, expected) in [
        (&b""[..], "fetch it again"),
        (b"not a database", "fetch it again"),
        (&whole[..whole.len() / 2], "fetch it again"),
        (&whole[7..], "fetch it again"),
        (&without_places, "use a database of cities"),
        (&nowhere, "use a database of cities"),
    ] {
        replace(&path, bytes);
        let told = refused();
        assert!(
            told.contains("city.mmdb") && told.contains(expected),
            "{told}"
        );
    }
}

#[test]
fn another_file_is_used_and_one_that_is_broken_is_not() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("city.mmdb");
    replace(&path, &networks());
    let geoip = open(&path).expect("sound");
    assert!(!geoip.refresh().expect("as it was"));

    replace(&path, b"an error page of a download");
    let broken = geoip.refresh();
    assert!(matches!(broken, Err(GeoIpError::Broken { .. })));
    assert!(!geoip.refresh().expect("told once"));
    assert_eq!(found(&geoip, "192.0.2.1"), Some(NORTH));

    std::fs::remove_file(&path).expect("it is there");
    assert!(matches!(
        geoip.refresh(),
        Err(GeoIpError::Unreadable { .. })
    ));
    assert_eq!(found(&geoip, "192.0.2.1"), Some(NORTH));

    replace(&path, &mmdb::database(&[("192.0.2.0", 24, Some(SOUTH))]));
    assert!(geoip.refresh().expect("sound"));
    assert_eq!(found(&geoip, "192.0.2.1"), Some(SOUTH));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        addresses in prop::collection::vec(any::<u32>(), 8),
    ) {
        let mut bytes = networks();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("city.mmdb");
        replace(&path, &bytes);
        if let Ok(geoip) = open(&path) {
            for address in addresses {
                geoip.place(std::net::Ipv4Addr::from_bits(address).into());
            }
        }
    }
}
