//! The look-up of a peer's name, shared by the dials that wait for it.
//!
//! A look-up takes a thread until the resolver answers, and nobody can end it. Dials begin faster
//! than a resolver that hangs gives up. Invariant kept here: one look-up of a name is under way,
//! however many dials there are, and however many of them have been given up.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

/// What a look-up came to; the error in words for an operator.
pub(crate) type Found = Result<Vec<SocketAddr>, String>;

/// See the module.
#[derive(Default)]
pub(crate) struct Lookup(Mutex<Option<Shared<BoxFuture<'static, Found>>>>);

impl Lookup {
    /// Joins the look-up that is under way, or begins one.
    pub(crate) fn join<F>(&self, begin: impl FnOnce() -> F) -> Shared<BoxFuture<'static, Found>>
    where
        F: Future<Output = Found> + Send + 'static,
    {
        // A panic cannot leave it half changed: whoever comes next goes on with it.
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(joined) = &*under_way
            && joined.peek().is_none()
        {
            return joined.clone();
        }
        let begun = begin().boxed().shared();
        *under_way = Some(begun.clone());
        begun
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::{Found, Lookup};

    #[tokio::test]
    async fn resolver_that_hangs_is_asked_once_for_all_dials() {
        let lookup = Lookup::default();
        let (answer, answered) = oneshot::channel::<Found>();
        let first = lookup.join(|| async { answered.await.expect("answered") });
        assert_eq!(first.clone().now_or_never(), None);
        drop(first);
        let again = || -> std::future::Ready<Found> { panic!("it is under way") };
        // The dials before have been given up by then.
        for _ in 0..5 {
            assert_eq!(lookup.join(again).now_or_never(), None);
        }
        let waiting = lookup.join(again);
        let found = Ok(vec!["127.0.0.1:1".parse().expect("an address")]);
        answer.send(found.clone()).expect("awaited");
        assert_eq!(waiting.await, found);
        // An address may have changed since.
        let next = Err("no such host".to_owned());
        let asked = lookup.join(|| std::future::ready(next.clone()));
        assert_eq!(asked.await, next);
    }
}
