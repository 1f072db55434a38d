//! One attempt of a call at one endpoint. The roster learns how it went; the session does only
//! if the attempt is the one that counts.

use std::time::Duration;

use http::Method;
use tokio::time::{Instant, timeout_at};

use crate::CallError;
use crate::call::Call;
use crate::client::Client;
use crate::roster::Failure;
use crate::session::{By, Seen, Session};
use crate::wire::Reply;

/// How long an endpoint is left alone that is overloaded, at most. Nodes want a second or a few
/// of it; longer waits are wanted by one listing, of which its node's others know nothing.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Attempt<T> {
    pub(crate) told: Result<T, CallError>,
    seen: Option<Seen>,
}

impl<T> Attempt<T> {
    /// None was made: there is no endpoint.
    pub(crate) fn nobody_to_ask() -> Self {
        let why = "no endpoint is configured".to_owned();
        Self::none(CallError::Unreachable(why))
    }

    /// None was made.
    const fn none(why: CallError) -> Self {
        Self {
            told: Err(why),
            seen: None,
        }
    }

    /// Has it count: the session goes on from it.
    pub(crate) fn used(self, session: &Session) -> Result<T, CallError> {
        if let Some(seen) = self.seen {
            session.go_on_from(seen);
        }
        self.told
    }
}

impl Client {
    /// Sends a call to an endpoint, and has its answer read.
    pub(crate) async fn attempt<T, Told>(
        &self,
        endpoint: &str,
        call: &Call<'_>,
        until: Instant,
        read: impl FnOnce(Reply) -> Told,
    ) -> Attempt<T>
    where
        Told: Future<Output = Result<T, CallError>>,
    {
        let carried = self.session.carried();
        let credential = self.shared.options.credential.as_ref();
        let request = match call.request(endpoint, carried.token(), credential) {
            Ok(request) => request,
            Err(error) => return Attempt::none(error),
        };
        let given_up = Instant::now() + self.shared.options.attempt;
        let mut seen = None;
        let asked = async {
            let reply = self.shared.wire.exchange(request).await?;
            let is_done = call.method != Method::GET && reply.status.is_success();
            let by = if is_done { By::Write } else { By::Read };
            seen = carried.seen(&reply.headers, by);
            read(reply).await
        };
        let told = match timeout_at(given_up.min(until), asked).await {
            Ok(told) => {
                self.tell(endpoint, &told);
                told
            }
            Err(_late) => {
                let failure = if given_up <= until {
                    Failure::Silent
                } else {
                    Failure::Broken
                };
                self.tell_failure(endpoint, failure);
                Err(CallError::Unknown("no answer in time".to_owned()))
            }
        };
        Attempt { told, seen }
    }

    fn tell<T>(&self, endpoint: &str, told: &Result<T, CallError>) {
        let now = Instant::now();
        match told {
            Err(CallError::Unreachable(_)) => self.tell_failure(endpoint, Failure::Refused),
            Err(CallError::Unknown(_)) => self.tell_failure(endpoint, Failure::Broken),
            Ok(_) | Err(CallError::Problem(_) | CallError::Decode(_)) => {
                self.shared.roster().answered(endpoint, now.into_std());
            }
        }
        if let Err(error) = told
            && error.code() == Some("overloaded")
            && let Some(wait) = error.retry_after()
        {
            let until = now + wait.min(BUSY_MAX);
            self.shared.roster().busy(endpoint, until.into_std());
        }
    }

    /// Tells the roster that an endpoint has not answered.
    pub(crate) fn tell_failure(&self, endpoint: &str, failure: Failure) {
        let now = Instant::now().into_std();
        self.shared.roster().failed(endpoint, failure, now);
    }
}
