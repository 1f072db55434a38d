//! What Stripe answers, sorted by what may be concluded from it.

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::wire::Answer;
use crate::payments::PaymentError;

#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) status: String,
}

#[derive(Debug, Deserialize)]
struct Failed {
    error: Failure,
}

#[derive(Debug, Deserialize)]
struct Failure {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

/// Reads an answer. Only an error that the provider itself words as final is one.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, PaymentError> {
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(|cause| {
            PaymentError::Unknown(format!("an answer of another shape: {cause}"))
        });
    }
    Err(failure(answer.status, &answer.body))
}

fn failure(status: StatusCode, body: &[u8]) -> PaymentError {
    let failed = serde_json::from_slice::<Failed>(body).map(|failed| failed.error);
    let (is_about_the_card, message) = failed.map_or((false, None), |error| {
        let is_card_error = error.kind.as_deref() == Some("card_error");
        let is_declined = error.code.as_deref() == Some("card_declined");
        (is_card_error || is_declined, error.message)
    });
    let message = message.unwrap_or_else(|| status.to_string());
    match status {
        StatusCode::PAYMENT_REQUIRED if is_about_the_card => {
            PaymentError::Declined { reason: message }
        }
        // The same key is under way, too many requests, or it is broken: ask again.
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            PaymentError::Unknown(message)
        }
        status if status.is_client_error() => PaymentError::Refused(message),
        _ => PaymentError::Unknown(message),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::failure;
    use crate::payments::PaymentError;

    #[test]
    fn only_a_card_error_is_a_decline_and_only_what_is_certain_is_refused() {
        let card =
            br#"{"error": {"type": "card_error", "code": "card_declined", "message": "no"}}"#;
        let declined = failure(StatusCode::PAYMENT_REQUIRED, card);
        assert!(matches!(declined, PaymentError::Declined { reason } if reason == "no"));
        for (status, certain) in [
            (400, true),
            (401, true),
            (409, false),
            (429, false),
            (500, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let told = failure(status, b"<html>");
            assert_eq!(matches!(told, PaymentError::Refused(_)), certain, "{told}");
        }
    }
}
