//! What registers say of endpoints and of their progress, fed with what was never written.

use meridian_fuzz::fuzz;

use super::endpoint::{Endpoint, Replay};
use super::progress::Progress;

#[test]
fn webhook_progress() {
    let progress = Progress::start("eu-west".parse().expect("a region"));
    fuzz("webhook-progress", &[progress.encode()], |input| {
        let Some(progress) = Progress::decode(input) else {
            return "none".to_owned();
        };
        assert_eq!(Progress::decode(&progress.encode()), Some(progress));
        "read".to_owned()
    });
}

#[test]
fn webhook_endpoint() {
    let endpoint = Endpoint {
        url: "https://hooks.example.com/".to_owned(),
        types: vec!["booking.held".to_owned()],
        secret: "whsec_1".to_owned(),
        enabled: true,
        created_ms: 5,
        since_ms: 4,
        replay: Some(Replay {
            number: 1,
            cursor: Some(String::new()),
        }),
    };
    fuzz("webhook-endpoint", &[endpoint.encode()], |input| {
        let Some(endpoint) = Endpoint::decode(input) else {
            return "none".to_owned();
        };
        assert_eq!(Endpoint::decode(&endpoint.encode()), Some(endpoint));
        "read".to_owned()
    });
}
