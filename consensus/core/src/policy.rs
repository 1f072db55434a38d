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

    /// What a guest gets back of `price` who cancels at `now_ms`. The ledger knows no
    /// time zone, and every replica must count the same.
    pub(crate) fn refund(self, price: u64, stay: &Stay, now_ms: u64) -> u64 {
        if self.is_early(stay, now_ms) {
            return price;
        }
        let percent = u64::from(self.late_refund_percent).min(PERCENT);
        let part = u128::from(price) * u128::from(percent) / u128::from(PERCENT);
        u64::try_from(part).unwrap_or(price)
    }

    /// Whether everything is given back: by days of UTC before a night, and by so many
    /// times 24 hours before an hour.
    fn is_early(self, stay: &Stay, now_ms: u64) -> bool {
        let from_ms = match stay.hours {
            None => u64::try_from(day::of_instant(now_ms)).unwrap_or(0) * day::DAY_MS,
            Some(_) => now_ms,
        };
        let notice_ms = u64::from(self.full_refund_days) * day::DAY_MS;
        stay.starts_ms() >= from_ms.saturating_add(notice_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::CancelPolicy;
    use crate::command::Stay;
    use crate::day;
    use crate::slots::Hours;

    #[test]
    fn refund_is_whole_through_the_last_free_day_and_a_part_after_it() {
        let stay = Stay {
            check_in: 100,
            check_out: 103,
            guests: 1,
            hours: None,
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

    #[test]
    fn hours_are_given_back_whole_until_so_many_days_before_their_own_minute() {
        let hours = Hours { minute: 30 };
        let stay = Stay::of_hours(hours, 100 * 24, 100 * 24 + 2, 1);
        let policy = CancelPolicy {
            full_refund_days: 1,
            late_refund_percent: 50,
        };
        let last_moment = 99 * day::DAY_MS + 30 * 60 * 1_000;
        assert_eq!(policy.refund(301, &stay, last_moment), 301);
        assert_eq!(policy.refund(301, &stay, last_moment + 1), 150);
    }
}
