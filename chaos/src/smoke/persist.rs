//! Asking again, as a client does whose answer was lost or who was told to wait.

use std::time::Duration;

use meridian_client::CallError;

use crate::until::until;

/// Asks until there is an answer that asking again would not change, at most for
/// `patience`; then the last one stands.
pub(super) async fn persist<T>(
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, CallError>,
) -> Result<T, CallError> {
    let mut last = None;
    let answered = until(patience, "an answer", async || match ask().await {
        Err(error) if error.is_retryable() => {
            last = Some(error);
            None
        }
        answer => Some(answer),
    })
    .await;
    answered
        .unwrap_or_else(|late| Err(last.unwrap_or_else(|| CallError::Unknown(late.to_string()))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_client::CallError;

    use super::persist;

    #[tokio::test]
    async fn lost_answer_is_asked_for_again_and_the_last_one_stands() {
        let lost = || CallError::Unknown("lost".to_owned());
        let mut asked = 0;
        let answer = persist(Duration::from_secs(1), async || {
            asked += 1;
            if asked < 3 { Err(lost()) } else { Ok(asked) }
        });
        assert_eq!(answer.await, Ok(3));
        let answer: Result<(), _> = persist(Duration::ZERO, async || Err(lost())).await;
        assert_eq!(answer, Err(lost()));
        let refused = CallError::Decode("nonsense".to_owned());
        let answer: Result<(), _> =
            persist(Duration::from_secs(1), async || Err(refused.clone())).await;
        assert_eq!(answer, Err(refused));
    }
}
