//! What the sandbox is asked to do wrong.

use meridian_consensus_core::PaymentStep;

/// A way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// `declined`, `insufficient_funds`: refuses, and does nothing.
    Declined(&'static str),
    /// `unavailable`: says that it is out of order, and does nothing.
    Unavailable,
    /// `timeout`: never answers, and does nothing.
    Timeout,
    /// `late`: does it, and answers seconds later.
    Late,
    /// `twice`: does it twice, as a network does that repeats a request.
    Twice,
    /// `lost`: does it, and loses its answer the first time.
    Lost,
}

impl Fault {
    /// What a payment method asks for at a step; `None` for nothing wrong.
    pub(super) fn of(method: &str, step: PaymentStep) -> Option<Self> {
        let rest = method.strip_prefix("card_")?;
        let name = match step {
            PaymentStep::Authorize => rest,
            other => rest.strip_prefix(other.name())?.strip_prefix('_')?,
        };
        Some(match name {
            "declined" => Self::Declined("the card was declined"),
            "insufficient_funds" => Self::Declined("the card has insufficient funds"),
            "unavailable" => Self::Unavailable,
            "timeout" => Self::Timeout,
            "late" => Self::Late,
            "twice" => Self::Twice,
            "lost" => Self::Lost,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use meridian_consensus_core::PaymentStep;

    use super::Fault;

    #[test]
    fn fault_is_asked_for_at_one_step_alone() {
        use PaymentStep as S;
        let at = Fault::of;
        assert_eq!(at("card_ok", S::Authorize), None);
        assert_eq!(at("card_lost", S::Authorize), Some(Fault::Lost));
        assert_eq!(at("card_lost", S::Capture), None);
        assert_eq!(
            at("card_refund_unavailable", S::Refund),
            Some(Fault::Unavailable)
        );
        assert_eq!(at("card_refund_unavailable", S::Authorize), None);
        assert_eq!(at("pm_lost", S::Authorize), None);
    }
}
