//! The failpoints around a step of a payment.

use meridian_consensus_core::PaymentStep;
use meridian_failpoints::Failpoint;

/// When a driver may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The provider has not been asked.
    CallBefore,
    /// It has given a certain answer, which is in nobody's journal.
    CallAfter,
    /// The answer is in the journal.
    EntryAfter,
}

impl Moment {
    /// Its failpoint at a step.
    pub(super) const fn of(self, step: PaymentStep) -> Failpoint {
        use Failpoint as F;
        use PaymentStep as S;
        match (step, self) {
            (S::Authorize, Self::CallBefore) => F::AuthorizeCallBefore,
            (S::Authorize, Self::CallAfter) => F::AuthorizeCallAfter,
            (S::Authorize, Self::EntryAfter) => F::AuthorizeEntryAfter,
            (S::Capture, Self::CallBefore) => F::CaptureCallBefore,
            (S::Capture, Self::CallAfter) => F::CaptureCallAfter,
            (S::Capture, Self::EntryAfter) => F::CaptureEntryAfter,
            (S::Void, Self::CallBefore) => F::VoidCallBefore,
            (S::Void, Self::CallAfter) => F::VoidCallAfter,
            (S::Void, Self::EntryAfter) => F::VoidEntryAfter,
            (S::Refund, Self::CallBefore) => F::RefundCallBefore,
            (S::Refund, Self::CallAfter) => F::RefundCallAfter,
            (S::Refund, Self::EntryAfter) => F::RefundEntryAfter,
        }
    }
}
