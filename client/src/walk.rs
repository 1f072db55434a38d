//! The way of one call from endpoint to endpoint. What comes after an attempt is decided in
//! `course`; here it is waited for, as long as the call has time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::CallError;
use crate::client::Client;
use crate::course::{Course, Repeat, Step};

/// A call on its way.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    client: &'a Client,
    pub(crate) course: Course,
    /// When the call's time is over.
    pub(crate) until: Instant,
}

impl Client {
    /// A call that sets out to these endpoints, in this order.
    pub(crate) fn walk(&self, repeat: Repeat, order: Vec<String>) -> Walk<'_> {
        self.tend();
        let options = &self.shared.options;
        Walk {
            client: self,
            course: Course::new(repeat, options.retry, order),
            until: Instant::now() + options.deadline,
        }
    }

    /// Every endpoint, the one to ask first in front.
    pub(crate) fn order(&self) -> Vec<String> {
        self.shared.roster().order(Instant::now().into_std())
    }
}

impl Walk<'_> {
    /// Goes on to the next attempt after one that has failed, when it is time for it.
    ///
    /// # Errors
    /// What the call is told, if that was the last one.
    pub(crate) async fn go_on(&mut self, error: CallError) -> Result<(), CallError> {
        let pause = match self.course.after(&error, rand::random()) {
            Step::Next => Duration::ZERO,
            Step::After(pause) => pause,
            Step::End => return Err(self.course.verdict(error)),
        };
        // What an endpoint wants may be longer than any time.
        let needed = pause.saturating_add(self.course.room());
        if needed >= self.until.saturating_duration_since(Instant::now()) {
            return Err(self.course.verdict(error));
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
        if self.course.is_round_over() {
            self.course.begin_round(self.client.order());
        }
        Ok(())
    }
}
