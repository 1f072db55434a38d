//! Does what the sandbox is asked, and does it wrong where it is asked to.

use std::collections::HashSet;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meridian_consensus_core::PaymentStep;

use super::book::Book;
use super::fault::Fault;
use super::intent::{Deed, Intent, Refusal};

/// How late a late answer is: longer than a client waits, shorter than a saga does.
const LATE: Duration = Duration::from_secs(6);
/// First answers remembered as lost. Beyond it, answers are not lost any more.
const LOST_MAX: usize = 10_000;

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Done(Intent),
    Refused(Refusal),
    Unavailable,
}

/// A book, and who does what is asked of it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    book: Arc<Book>,
    lost: Arc<Mutex<HashSet<(String, &'static str)>>>,
}

impl Teller {
    pub(crate) fn new(book: Book) -> Self {
        Self {
            book: Arc::new(book),
            lost: Arc::default(),
        }
    }

    pub(super) async fn create(&self, wanted: Intent) -> Told {
        self.write(move |book| book.create(wanted)).await
    }

    pub(super) fn find(&self, id: &str) -> Option<Intent> {
        self.book.get(id)
    }

    /// Does a step, as its payment's method asks.
    pub(super) async fn step(&self, id: &str, step: PaymentStep, amount: u64) -> Told {
        let Some(intent) = self.find(id) else {
            return Told::Refused(Refusal::NotFound);
        };
        let deed = match step {
            PaymentStep::Authorize => Deed::Authorize,
            PaymentStep::Capture => Deed::Capture,
            PaymentStep::Void => Deed::Cancel,
            PaymentStep::Refund => Deed::Refund,
        };
        match Fault::of(&intent.method, step) {
            Some(Fault::Unavailable) => Told::Unavailable,
            Some(Fault::Timeout) => pending().await,
            Some(Fault::Declined(why)) => self.decline(intent, step, why).await,
            None if !intent.method.starts_with("card_") => {
                let why = "the sandbox takes methods that begin with `card_`";
                self.decline(intent, step, why).await
            }
            None => self.perform(id, deed, amount).await,
            Some(Fault::Twice) => {
                self.perform(id, deed, amount).await;
                self.perform(id, deed, amount).await
            }
            Some(Fault::Late) => {
                let told = self.perform(id, deed, amount).await;
                tokio::time::sleep(LATE).await;
                told
            }
            Some(Fault::Lost) => {
                let told = self.perform(id, deed, amount).await;
                if self.loses(id, step) {
                    return pending().await;
                }
                told
            }
        }
    }

    async fn perform(&self, id: &str, deed: Deed, amount: u64) -> Told {
        let id = id.to_owned();
        self.write(move |book| book.apply(&id, deed, amount)).await
    }

    async fn decline(&self, intent: Intent, step: PaymentStep, why: &'static str) -> Told {
        if step == PaymentStep::Authorize
            && let Told::Refused(refusal) = self.perform(&intent.id, Deed::Decline, 0).await
        {
            return Told::Refused(refusal);
        }
        Told::Refused(Refusal::Declined(why))
    }

    /// Whether this answer is the first of its kind, and so to be lost.
    fn loses(&self, id: &str, step: PaymentStep) -> bool {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.len() < LOST_MAX && lost.insert((id.to_owned(), step.name()))
    }

    /// Writes away from the threads that serve: an fsync blocks.
    async fn write(
        &self,
        write: impl FnOnce(&Book) -> Result<Intent, Refusal> + Send + 'static,
    ) -> Told {
        let book = Arc::clone(&self.book);
        match tokio::task::spawn_blocking(move || write(&book)).await {
            Ok(Ok(intent)) => Told::Done(intent),
            Ok(Err(refusal)) => Told::Refused(refusal),
            Err(panicked) => Told::Refused(Refusal::Book(panicked.to_string())),
        }
    }
}
