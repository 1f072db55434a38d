//! Sending a call: attempt after attempt, until it has an answer or may not be repeated.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::CallError;
use crate::answer::{Answer, header};
use crate::call::{Call, Hedge, SESSION};
use crate::client::Client;
use crate::course::{Course, Step};
use crate::roster::Failure;
use crate::wire::Request;

impl Client {
    /// Sends a call to the nearest endpoint, then to the others, as long as it may be
    /// repeated and time is left.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, CallError> {
        self.tend();
        let options = &self.shared.options;
        let until = Instant::now() + options.deadline;
        let mut course = Course::new(call.repeat, options.retry, self.order());
        loop {
            let error = match self.ask(&course, &call, until).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = match course.after(&error, rand::random()) {
                Step::Next => Duration::ZERO,
                Step::After(pause) => pause,
                Step::End => return Err(course.verdict(error)),
            };
            if Instant::now() + pause + course.room() >= until {
                return Err(course.verdict(error));
            }
            if !pause.is_zero() {
                sleep(pause).await;
            }
            if course.is_round_over() {
                course.begin_round(self.order());
            }
        }
    }

    /// Every endpoint, the one to ask first in front.
    pub(crate) fn order(&self) -> Vec<String> {
        self.shared.roster().order(Instant::now().into_std())
    }

    /// Asks the endpoint whose turn it is; if a read is slow, the next one too.
    async fn ask(
        &self,
        course: &Course,
        call: &Call<'_>,
        until: Instant,
    ) -> Result<Answer, CallError> {
        let endpoint = course
            .endpoint()
            .ok_or_else(|| CallError::Unreachable("no endpoint is configured".to_owned()))?;
        let first = self.attempt(endpoint, call, until);
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
                        let second = pin!(self.attempt(next, call, until));
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

    /// A call as it is sent to an endpoint now.
    pub(crate) fn request(&self, endpoint: &str, call: &Call<'_>) -> Result<Request, CallError> {
        let credential = self.shared.options.credential.as_ref();
        call.request(endpoint, self.session.token().as_deref(), credential)
    }

    /// One attempt at one endpoint; the roster learns how it went.
    async fn attempt(
        &self,
        endpoint: &str,
        call: &Call<'_>,
        until: Instant,
    ) -> Result<Answer, CallError> {
        let request = self.request(endpoint, call)?;
        let given_up = Instant::now() + self.shared.options.attempt;
        let asked = async {
            let reply = self.shared.wire.exchange(request).await?;
            if let Some(token) = header(&reply.headers, SESSION.as_str()) {
                self.session.remember(&token);
            }
            reply.read().await
        };
        let answered = timeout_at(given_up.min(until), asked).await;
        let now = Instant::now();
        let mut roster = self.shared.roster();
        let Ok(answered) = answered else {
            let silent = given_up <= until;
            let failure = if silent {
                Failure::Silent
            } else {
                Failure::Broken
            };
            roster.failed(endpoint, failure, now.into_std());
            return Err(CallError::Unknown("no answer in time".to_owned()));
        };
        match &answered {
            Err(CallError::Unreachable(_)) => {
                roster.failed(endpoint, Failure::Refused, now.into_std());
            }
            Err(CallError::Unknown(_)) => roster.failed(endpoint, Failure::Broken, now.into_std()),
            Ok(_) | Err(CallError::Problem(_) | CallError::Decode(_)) => {
                roster.answered(endpoint, now.into_std());
            }
        }
        if let Err(error) = &answered
            && error.code() == Some("overloaded")
            && let Some(wait) = error.retry_after()
        {
            roster.busy(endpoint, (now + wait).into_std());
        }
        answered
    }
}

/// The first of two answers to one read that is a success, the other is dropped; if neither
/// is, what the first request was told. A refusal of the first that would be the same
/// everywhere is not waited on.
async fn first_success(
    first: impl Future<Output = Result<Answer, CallError>> + Unpin,
    second: impl Future<Output = Result<Answer, CallError>> + Unpin,
) -> Result<Answer, CallError> {
    match select(first, second).await {
        Either::Left((Err(error), second)) if error.is_retryable() => {
            second.await.map_err(|_| error)
        }
        Either::Left((answered, _)) => answered,
        Either::Right((Ok(answer), _)) => Ok(answer),
        Either::Right((Err(_), first)) => first.await,
    }
}

#[cfg(test)]
mod tests;
