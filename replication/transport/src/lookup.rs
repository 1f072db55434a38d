//! The look-up of a peer's name, shared by the dials that wait for it.
//!
//! A look-up takes a thread until the resolver answers, and nobody can end it. Dials begin faster
//! than a resolver that hangs gives up. Invariants kept here:
//! - One look-up of a name is under way, however many dials there are, and however many of them
//!   have been given up.
//! - An answer is for the dials that wait for it. One that comes after all of them have gone is
//!   used by nobody: an address may change while a node is away.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::task::{AbortHandle, spawn_blocking};

/// What a look-up came to; the error in words for an operator.
pub(crate) type Found = Result<Vec<SocketAddr>, String>;

/// See the module.
#[derive(Default)]
pub(crate) struct Lookup(Mutex<Option<UnderWay>>);

struct UnderWay {
    answer: Shared<BoxFuture<'static, Found>>,
    /// Knows when the thread is done, also if nobody asks for the answer.
    thread: AbortHandle,
}

impl Lookup {
    /// Joins the look-up that is under way, or begins one; `ask` blocks.
    pub(crate) fn join(
        &self,
        ask: impl FnOnce() -> Found + Send + 'static,
    ) -> Shared<BoxFuture<'static, Found>> {
        // A panic cannot leave it half changed: whoever comes next goes on with it.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(UnderWay { answer, thread }) = &*last
            && !thread.is_finished()
        {
            return answer.clone();
        }
        let asked = spawn_blocking(ask);
        let thread = asked.abort_handle();
        let answer = async { asked.await.unwrap_or_else(|cause| Err(cause.to_string())) };
        let answer = answer.boxed().shared();
        *last = Some(UnderWay {
            answer: answer.clone(),
            thread,
        });
        answer
    }

    #[cfg(test)]
    fn is_under_way(&self) -> bool {
        let last = self.0.lock().expect("no panic");
        last.as_ref().is_some_and(|last| !last.thread.is_finished())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::timeout;

    use super::{Found, Lookup};

    /// A resolver that hangs until it is told what to answer.
    fn resolver() -> (mpsc::Sender<Found>, impl FnOnce() -> Found + Send + 'static) {
        let (answer, answered) = mpsc::channel();
        (answer, move || answered.recv().expect("answered"))
    }

    fn found(port: u16) -> Found {
        Ok(vec![([127, 0, 0, 1], port).into()])
    }

    async fn until_done(lookup: &Lookup) {
        let done = async {
            while lookup.is_under_way() {
                tokio::task::yield_now().await;
            }
        };
        let done = timeout(Duration::from_secs(20), done).await;
        done.expect("the thread ends");
    }

    #[tokio::test]
    async fn resolver_that_hangs_is_asked_once_for_all_dials() {
        let lookup = Lookup::default();
        let (answer, resolver) = resolver();
        let first = lookup.join(resolver);
        assert_eq!(first.clone().now_or_never(), None);
        drop(first);
        let again = || -> Found { panic!("it is under way") };
        // The dials before have been given up by then.
        for _ in 0..5 {
            assert_eq!(lookup.join(again).now_or_never(), None);
        }
        let waiting = lookup.join(again);
        answer.send(found(1)).expect("awaited");
        assert_eq!(waiting.await, found(1));
        // An address may have changed since.
        let next = Err("no such host".to_owned());
        let asked = lookup.join(|| Err("no such host".to_owned()));
        assert_eq!(asked.await, next);
    }

    #[tokio::test]
    async fn answer_that_comes_when_all_dials_have_gone_is_not_used_by_later_ones() {
        let lookup = Lookup::default();
        let (answer, resolver) = resolver();
        // Looked at once, as by a dial that waits; and given up.
        assert_eq!(lookup.join(resolver).now_or_never(), None);
        answer.send(found(1)).expect("awaited");
        until_done(&lookup).await;
        assert_eq!(lookup.join(|| found(2)).await, found(2));
    }
}
