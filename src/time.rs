//! Points and lengths of time as values. Nothing here reads a clock.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point on the wall clock: milliseconds since the Unix epoch, negative before 1970.
///
/// ```
/// use tower_keep::time::Timestamp;
///
/// let sent = Timestamp::from_millis(784_111_777_000);
/// assert_eq!(sent.as_secs(), 784_111_777);
/// assert_eq!(sent, Timestamp::from_secs(784_111_777));
///
/// let minute = std::time::Duration::from_secs(60);
/// assert_eq!(sent.plus(minute).since(sent), minute);
/// assert_eq!(sent.minus(minute).as_millis(), 784_111_717_000);
/// assert!(sent.since(sent.plus(minute)).is_zero());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A point given in milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// A point given in whole seconds since the Unix epoch; saturates.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: the precision of every HTTP date.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time from `earlier` to `self`; zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(if millis > 0 { millis.unsigned_abs() } else { 0 })
    }

    /// This point moved forward; saturates.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This point moved back; saturates.
    #[must_use]
    pub fn minus(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// To the millisecond, rounded down; saturates.
impl From<SystemTime> for Timestamp {
    fn from(at: SystemTime) -> Self {
        match at.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(0).plus(since),
            Err(before) => {
                let before = before.duration();
                let rest = u64::from(before.subsec_nanos() % 1_000_000 != 0);
                Self(0).minus(before.saturating_add(Duration::from_millis(rest)))
            }
        }
    }
}

/// A reading of a monotonic clock: nanoseconds from a start that means nothing outside the process.
///
/// ```
/// use std::time::Duration;
/// use tower_keep::time::Ticks;
///
/// let (first, second) = (Ticks::from_nanos(1_000), Ticks::from_nanos(3_000));
/// assert_eq!(second.since(first), Duration::from_micros(2));
/// assert!(first.since(second).is_zero());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(u64);

impl Ticks {
    /// A reading given in nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The reading in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The reading so much later; saturates.
    pub(crate) fn plus(self, length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// One reading of both clocks.
///
/// Dates in messages are compared with `wall`; how long something was kept in this process is told by
/// `ticks`, which no operator and no time server sets back.
///
/// ```
/// use tower_keep::time::{Moment, Ticks, Timestamp};
///
/// let start = Moment { wall: Timestamp::from_secs(784_111_777), ticks: Ticks::from_nanos(0) };
/// assert_eq!(start.wall.as_millis(), 784_111_777_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// What the monotonic clock says.
    pub ticks: Ticks,
}

/// A count of seconds as HTTP writes it, at most 2^31.
///
/// RFC 9111 §1.2.2: a value too large for the recipient, and every overflow in arithmetic, is 2^31.
///
/// ```
/// use tower_keep::time::DeltaSeconds;
///
/// assert_eq!(DeltaSeconds::parse(b"60"), Some(DeltaSeconds::new(60)));
/// assert_eq!(DeltaSeconds::parse(b"99999999999999999999"), Some(DeltaSeconds::MAX));
/// assert_eq!(DeltaSeconds::parse(b"60s"), None);
/// assert_eq!(DeltaSeconds::new(u64::MAX).as_secs(), 1 << 31);
/// let length = std::time::Duration::from_millis(1_999);
/// assert_eq!(DeltaSeconds::from_duration(length).as_duration().as_secs(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeltaSeconds(u32);

impl DeltaSeconds {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// 2^31 seconds, some 68 years: what every larger value becomes.
    pub const MAX: Self = Self(1 << 31);

    /// So many seconds, at most [`DeltaSeconds::MAX`].
    pub const fn new(secs: u64) -> Self {
        if secs > Self::MAX.0 as u64 { Self::MAX } else { Self(secs as u32) }
    }

    /// The whole seconds of `length`, rounded down.
    pub const fn from_duration(length: Duration) -> Self {
        Self::new(length.as_secs())
    }

    /// Reads `1*DIGIT`; larger values saturate, anything else is `None`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let secs = bytes.iter().fold(0u64, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        });
        Some(Self::new(secs))
    }

    /// The number of seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }

    /// The same length as a [`Duration`].
    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl fmt::Display for DeltaSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_saturate_and_round_towards_the_past() {
        assert_eq!(Timestamp::from_millis(-1).as_secs(), -1);
        assert_eq!(Timestamp::from_secs(i64::MAX).as_millis(), i64::MAX);
        let late = Timestamp::from_millis(i64::MAX);
        assert_eq!(late.plus(Duration::MAX), late);
        assert_eq!(Timestamp::from_millis(i64::MIN).since(late), Duration::ZERO);
        assert!(late.since(Timestamp::from_millis(i64::MIN)) > Duration::from_secs(1 << 40));
    }

    #[test]
    fn delta_seconds_saturate_at_two_to_the_thirty_first() {
        assert_eq!(DeltaSeconds::parse(b"2147483648"), Some(DeltaSeconds::MAX));
        assert_eq!(DeltaSeconds::parse(b"2147483649"), Some(DeltaSeconds::MAX));
        assert_eq!(DeltaSeconds::parse(b"9223372036854775808"), Some(DeltaSeconds::MAX));
        for bad in [&b""[..], b"-1", b"+1", b"1.0", b" 1", b"1e9", b"\xff"] {
            assert_eq!(DeltaSeconds::parse(bad), None);
        }
    }
}
