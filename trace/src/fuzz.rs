//! What clients and other nodes send as `traceparent`, fed with what none would send.

use meridian_fuzz::fuzz;

use crate::TraceParent;

/// What is read is written and read again as the same.
#[test]
fn traceparent() {
    let examples: Vec<Vec<u8>> = [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    fuzz("traceparent", &examples, |input| {
        let text = String::from_utf8_lossy(input);
        match TraceParent::read(&text) {
            Some(parent) => {
                let written = TraceParent::write(&parent.0);
                assert_eq!(TraceParent::read(&written), Some(parent));
                "read".to_owned()
            }
            None => "refused".to_owned(),
        }
    });
}
