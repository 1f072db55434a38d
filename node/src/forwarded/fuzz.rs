//! What proxies, and whoever is in front of them, say of the sender is read or not believed.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ipnetwork::IpNetwork;
use meridian_fuzz::{fuzz, text};

use super::{FORWARDED, X_FORWARDED_FOR, sender};

#[test]
fn forwarded() {
    let examples = [
        r#"for=192.0.2.60;proto=http, for="[2001:db8::17]:4711""#,
        "for=unknown, for=10.0.0.2",
    ];
    told("forwarded", &FORWARDED, &examples);
}

#[test]
fn x_forwarded_for() {
    let examples = ["192.0.2.60, 10.0.0.2", "2001:db8::17, 10.0.0.2, 10.0.0.3"];
    told("x-forwarded-for", &X_FORWARDED_FOR, &examples);
}

fn told(target: &str, name: &HeaderName, examples: &[&str]) {
    let proxies: IpNetwork = "10.0.0.0/8".parse().expect("a network");
    let proxy: IpAddr = "10.0.0.1".parse().expect("an address");
    let examples: Vec<Vec<u8>> = examples
        .iter()
        .map(|said| said.as_bytes().to_vec())
        .collect();
    let read = text(|said| {
        let Ok(value) = HeaderValue::from_str(said) else {
            return "no header".to_owned();
        };
        let headers: HeaderMap = [(name.clone(), value)].into_iter().collect();
        // Who is not behind a proxy of ours is himself, whatever he says.
        assert_eq!(sender(proxy, &headers, &[]), Some(proxy));
        match sender(proxy, &headers, &[proxies]) {
            None => "hidden".to_owned(),
            Some(found) if proxies.contains(found) => "a proxy".to_owned(),
            Some(found) => format!("a sender by IPv{}", if found.is_ipv4() { 4 } else { 6 }),
        }
    });
    fuzz(target, &examples, read);
}
