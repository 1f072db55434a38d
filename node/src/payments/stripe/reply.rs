//! What Stripe answers, sorted by what may be concluded from it.

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::payments::PaymentError;

/// Longest answer that is read, in bytes; Stripe's have a few thousand.
const BODY_BYTES_MAX: usize = 256 * 1024;

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
pub(super) async fn read<T: DeserializeOwned>(
    sent: Result<Response, reqwest::Error>,
) -> Result<T, PaymentError> {
    let unknown = |cause: reqwest::Error| PaymentError::Unknown(cause.without_url().to_string());
    let mut response = sent.map_err(unknown)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unknown)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(PaymentError::Unknown("its answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|cause| {
            PaymentError::Unknown(format!("an answer of another shape: {cause}"))
        });
    }
    Err(failure(status, &body))
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
    use reqwest::StatusCode;

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
