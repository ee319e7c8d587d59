//! The Gregorian calendar, in which dates are written, against the count of seconds that they mean.

use crate::time::Timestamp;

/// A point in the Gregorian calendar, also before there was one. Compares in the order of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: usize,
    /// From 1.
    pub(crate) day: i64,
    /// Seconds since midnight.
    pub(crate) second: i64,
}

impl Civil {
    pub(crate) fn of(at: Timestamp) -> Self {
        let (days, second) = (at.as_secs().div_euclid(DAY_SECS), at.as_secs().rem_euclid(DAY_SECS));
        // Every 400 years have the same number of days. As no year has more than 366, the first guess
        // is never too late, and at most two too early.
        let mut year = 1970
            + 400 * days.div_euclid(DAYS_IN_400_YEARS)
            + days.rem_euclid(DAYS_IN_400_YEARS) / 366;
        while days_before_year(year + 1) <= days {
            year += 1;
        }
        let mut day = days - days_before_year(year);
        let mut month = 1;
        while day >= month_days(year, month) && month < 12 {
            day -= month_days(year, month);
            month += 1;
        }
        Self { year, month, day: day + 1, second }
    }

    /// RFC 9110 §5.6.7: a two-digit year that appears to be more than 50 years ahead is the most recent
    /// one in the past with the same digits.
    pub(crate) fn in_century_of(self, now: Timestamp) -> Self {
        let now = Self::of(now);
        let limit = Self { year: now.year + 50, ..now };
        let same_digits = limit.year - (limit.year - self.year).rem_euclid(100);
        let latest = Self { year: same_digits, ..self };
        if latest > limit { Self { year: same_digits - 100, ..self } } else { latest }
    }

    /// `None` for a day that is not in the calendar.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        if !(1..=month_days(self.year, self.month)).contains(&self.day) {
            return None;
        }
        let months = (1..self.month).map(|month| month_days(self.year, month)).sum::<i64>();
        let days = days_before_year(self.year) + months + self.day - 1;
        Some(Timestamp::from_secs(days * DAY_SECS + self.second))
    }
}

/// Days from the start of 1970 to the start of a year, negative before.
fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    (year - 1970) * 365 + leap_days - LEAP_DAYS_BEFORE_1970
}

fn month_days(year: i64, month: usize) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const DAY_SECS: i64 = 86_400;
const DAYS_IN_400_YEARS: i64 = 146_097;
const LEAP_DAYS_BEFORE_1970: i64 = 1969 / 4 - 1969 / 100 + 1969 / 400;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn civil(year: i64, month: usize, day: i64) -> Civil {
        Civil { year, month, day, second: 0 }
    }

    #[test]
    fn only_real_days_are_in_the_calendar() {
        assert_eq!(civil(2000, 2, 29).timestamp(), Some(Timestamp::from_secs(951_782_400)));
        assert_eq!(civil(1969, 12, 31).timestamp(), Some(Timestamp::from_secs(-86_400)));
        for unreal in
            [civil(1900, 2, 29), civil(1995, 2, 29), civil(2000, 4, 31), civil(2000, 1, 0)]
        {
            assert_eq!(unreal.timestamp(), None);
        }
    }

    #[test]
    fn consecutive_days_follow_each_other() {
        let mut before = civil(-1, 12, 31);
        for day in -719_528..2_932_897 {
            let at = Timestamp::from_secs(day * DAY_SECS);
            let this = Civil::of(at);
            let next_day = this.day == before.day + 1 && this.month == before.month;
            let next_month = this.day == 1 && before.day >= 28;
            assert!(this > before && (next_day || next_month), "{day}");
            assert_eq!(this.timestamp(), Some(at));
            before = this;
        }
        assert!(before == civil(9999, 12, 31));
    }

    proptest! {
        #[test]
        fn every_point_in_time_is_in_the_calendar(millis: i64) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(Civil::of(at).timestamp(), Some(Timestamp::from_secs(at.as_secs())));
        }
    }
}
