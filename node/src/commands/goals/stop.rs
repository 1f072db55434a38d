//! Whether somebody wants a run to end: once, it begins nothing new; twice, it waits for nothing.

use futures::stream::{self, BoxStream, StreamExt};

use crate::demo::Interrupt;

/// How much somebody wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// Nobody does.
    None,
    /// What is under way is waited for.
    Orderly,
    /// It is not.
    Now,
}

/// What ends a run from outside.
pub(super) struct Stop {
    signals: BoxStream<'static, ()>,
    haste: Haste,
}

impl Stop {
    /// From here on Ctrl-C does not end the process by itself.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let interrupt = Interrupt::listen()?;
        let told = |mut interrupt: Interrupt| async move {
            interrupt.told().await;
            Some(((), interrupt))
        };
        Ok(Self::by(stream::unfold(interrupt, told).boxed()))
    }

    /// By signals of any kind.
    pub(super) fn by(signals: BoxStream<'static, ()>) -> Self {
        Self {
            signals,
            haste: Haste::None,
        }
    }

    /// By nothing.
    pub(super) fn never() -> Self {
        Self::by(stream::pending().boxed())
    }

    pub(super) const fn haste(&self) -> Haste {
        self.haste
    }

    /// Resolves with the next signal. One that came before is not lost, nor is one lost if this
    /// is given up.
    pub(super) async fn told(&mut self) {
        if self.signals.next().await.is_none() {
            std::future::pending::<()>().await;
        }
        self.haste = match self.haste {
            Haste::None => Haste::Orderly,
            Haste::Orderly | Haste::Now => Haste::Now,
        };
    }
}
