//! What a payment provider answers, fed with what none would answer.

use axum::http::StatusCode;
use meridian_fuzz::fuzz;

use super::reply::{Intent, read};
use super::wire::Answer;
use crate::payments::PaymentError;

/// The status stands in the first byte. Nothing but a card's error declines, and nothing
/// that is not certain is told as final.
#[test]
fn provider_reply() {
    let statuses = [200, 402, 400, 409, 500].map(|code| StatusCode::from_u16(code).expect("valid"));
    let bodies = [
        r#"{"id": "pi_1", "status": "succeeded"}"#,
        r#"{"error": {"type": "card_error", "code": "card_declined", "message": "no"}}"#,
    ];
    let examples: Vec<Vec<u8>> = (0_u8..)
        .zip(bodies)
        .map(|(status, body)| [&[status], body.as_bytes()].concat())
        .collect();
    fuzz("provider-reply", &examples, |input| {
        let (place, body) = input.split_first().unwrap_or((&0, &[]));
        let status = statuses[usize::from(*place) % statuses.len()];
        let body = body.to_vec().into();
        match read::<Intent>(&Answer { status, body }) {
            Ok(_) => assert!(status.is_success()),
            Err(PaymentError::Declined { .. }) => {
                assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
            }
            Err(PaymentError::Refused(_)) => assert!(status.is_client_error()),
            Err(_) => assert_ne!(status, StatusCode::BAD_REQUEST),
        }
        status.to_string()
    });
}
