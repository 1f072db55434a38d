//! Sending a call: attempt after attempt, until it has an answer or may not be repeated.

use std::pin::pin;

use futures::future::{Either, select};
use tokio::time::{Instant, timeout};

use crate::CallError;
use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::call::{Call, Hedge};
use crate::client::Client;
use crate::walk::Walk;
use crate::wire::Reply;

impl Client {
    /// Sends a call to the nearest endpoint, then to the others, as long as it may be
    /// repeated and time is left.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let mut walk = self.walk(call.repeat, self.order());
        loop {
            match self.ask(&walk, &call).await.used(&self.session) {
                Ok(answer) => return Ok(answer),
                Err(error) => walk.go_on(error).await?,
            }
        }
    }

    /// Asks the endpoint whose turn it is; if a read is slow, the next one too.
    async fn ask(&self, walk: &Walk<'_>, call: &Call<'_>) -> Attempt<Answer> {
        let (course, until) = (&walk.course, walk.until);
        let Some(endpoint) = course.endpoint() else {
            return Attempt::nobody_to_ask();
        };
        let first = self.attempt(endpoint, call, until, Reply::read);
        if call.hedge == Hedge::Never || !self.shared.options.retry {
            return first.await;
        }
        let started = Instant::now();
        let slow = self.shared.hedging().begin(endpoint);
        let next = course.next_endpoint();
        let next = next.filter(|next| self.shared.roster().is_up(next, started.into_std()));
        let answered = match (slow, next) {
            (Some(slow), Some(next)) => {
                let mut first = pin!(first);
                match timeout(slow, &mut first).await {
                    Ok(answered) => answered,
                    Err(_slow) if !self.shared.hedging().take() => first.await,
                    Err(_slow) => {
                        let second = pin!(self.attempt(next, call, until, Reply::read));
                        first_success(first, second).await
                    }
                }
            }
            _ => first.await,
        };
        // If the second one was faster, the first has taken longer than this.
        let took = started.elapsed();
        self.shared.hedging().took(endpoint, took);
        answered
    }
}

/// The first of two answers to one read that is a success, the other is dropped; if neither
/// is, what the first request was told. A refusal of the first that would be the same
/// everywhere is not waited on.
async fn first_success(
    first: impl Future<Output = Attempt<Answer>> + Unpin,
    second: impl Future<Output = Attempt<Answer>> + Unpin,
) -> Attempt<Answer> {
    match select(first, second).await {
        Either::Left((first, second)) => {
            if !first.told.as_ref().is_err_and(CallError::is_retryable) {
                return first;
            }
            let second = second.await;
            if second.told.is_ok() { second } else { first }
        }
        Either::Right((second, _)) if second.told.is_ok() => second,
        Either::Right((_, first)) => first.await,
    }
}

#[cfg(test)]
mod tests;
