//! What a guest gets back who cancels.

use prost::Message;

use crate::command::Stay;
use crate::day;

const PERCENT: u64 = 100;

/// Flexible by default: everything until a day before check-in, then nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct CancelPolicy {
    /// Through so many days before check-in everything is given back.
    #[prost(uint32, tag = "1")]
    pub full_refund_days: u32,
    /// Percent of the price that is given back after that.
    #[prost(uint32, tag = "2")]
    pub late_refund_percent: u32,
}

impl CancelPolicy {
    /// What holds where the listing says nothing.
    pub const FLEXIBLE: Self = Self {
        full_refund_days: 1,
        late_refund_percent: 0,
    };

    /// What a guest gets back of `price` who cancels at `now_ms`. Days are those of
    /// UTC: the ledger knows no time zone, and every replica must count the same.
    pub(crate) fn refund(self, price: u64, stay: &Stay, now_ms: u64) -> u64 {
        let days = i64::from(stay.check_in) - i64::from(day::of_instant(now_ms));
        if days >= i64::from(self.full_refund_days) {
            return price;
        }
        let percent = u64::from(self.late_refund_percent).min(PERCENT);
        let part = u128::from(price) * u128::from(percent) / u128::from(PERCENT);
        u64::try_from(part).unwrap_or(price)
    }
}

#[cfg(test)]
mod tests {
    use super::CancelPolicy;
    use crate::command::Stay;
    use crate::day;

    #[test]
    fn refund_is_whole_through_the_last_free_day_and_a_part_after_it() {
        let stay = Stay {
            check_in: 100,
            check_out: 103,
            guests: 1,
        };
        let policy = CancelPolicy {
            full_refund_days: 2,
            late_refund_percent: 50,
        };
        let last_moment = 99 * day::DAY_MS - 1;
        assert_eq!(policy.refund(301, &stay, last_moment), 301);
        assert_eq!(policy.refund(301, &stay, last_moment + 1), 150);
        assert_eq!(policy.refund(u64::MAX, &stay, u64::MAX), u64::MAX / 2);
        assert_eq!(
            CancelPolicy::FLEXIBLE.refund(301, &stay, 100 * day::DAY_MS),
            0
        );
    }
}
