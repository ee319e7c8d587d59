//! What a key may do: so much in a period, and so much at once.

mod error;

use std::fmt;
use std::time::Duration;

pub use error::{QuotaError, QuotaErrorKind};

/// So many units in a period, and so many at once.
///
/// A unit is a request, unless a cost says otherwise: then it may be a byte or a token of a model. Units come back one by one, evenly over
/// the period, and not all at its end: 60 in a minute are one each second. What is not used is kept, up to the burst, which is the amount
/// of one period unless another is set. So within one period a key that had rested is admitted the burst and the amount, and over
/// a long time the amount for each period and not one more. Rates that no whole number of nanoseconds makes, such as three in a second,
/// are kept exactly.
///
/// A quota of nothing, or of more than can be counted, is refused when a layer or [`Quotas`] is made of it; see [`Quota::check`].
///
/// ```
/// use tower_keep::limit::Quota;
///
/// const API: Quota = Quota::per_second(100).burst(20);
/// assert_eq!((API.amount(), API.burst_max()), (100, 20));
/// assert!(API.check().is_ok());
/// assert!(Quota::per_day(0).check().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    amount: u64,
    /// In nanoseconds.
    pub(super) period: u64,
    burst: u64,
    /// The burst; nothing, if this quota cannot be kept.
    pub(super) cost_max: u64,
    /// How many parts of a nanosecond are counted.
    pub(super) parts: u64,
    /// The time in which one unit comes back, in parts.
    pub(super) step: u64,
    /// The same.
    pub(super) interval: Span,
    /// The time in which a whole burst does.
    pub(super) full: Span,
    /// Tells quotas apart.
    pub(super) tag: u64,
}

/// A length of time, exact: nanoseconds, and parts of one, of which each quota has a number of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) nanos: u64,
    pub(crate) part: u64,
}

impl Quota {
    /// So many units in a second.
    pub const fn per_second(amount: u64) -> Self {
        Self::per(amount, Duration::from_secs(1))
    }

    /// So many units in a minute.
    pub const fn per_minute(amount: u64) -> Self {
        Self::per(amount, Duration::from_secs(60))
    }

    /// So many units in an hour.
    pub const fn per_hour(amount: u64) -> Self {
        Self::per(amount, Duration::from_secs(3_600))
    }

    /// So many units in a day of 24 hours.
    pub const fn per_day(amount: u64) -> Self {
        Self::per(amount, Duration::from_secs(86_400))
    }

    /// So many units in any period.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::limit::Quota;
    ///
    /// assert_eq!(Quota::per(10, Duration::from_secs(1)), Quota::per_second(10));
    /// ```
    pub const fn per(amount: u64, period: Duration) -> Self {
        let nanos = period.as_nanos();
        let period = if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 };
        Self::new(amount, period, amount)
    }

    /// At most so many units at once, or after any rest.
    #[must_use]
    pub const fn burst(self, burst: u64) -> Self {
        Self::new(self.amount, self.period, burst)
    }

    /// The units of one period.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The period; at most 584 years.
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// The most units at once.
    pub const fn burst_max(&self) -> u64 {
        self.burst
    }

    /// How long it takes until a key that has used its whole burst may use it again, rounded up to a nanosecond.
    ///
    /// ```
    /// use tower_keep::limit::Quota;
    ///
    /// assert_eq!(Quota::per_second(100).burst(20).refill().as_millis(), 200);
    /// ```
    pub const fn refill(&self) -> Duration {
        self.full.rounded_up()
    }

    /// This quota, if it is one that can be kept.
    ///
    /// What is not checked and cannot be kept admits nothing.
    ///
    /// # Errors
    /// An amount, period or burst of zero; more than 16,384 units in a nanosecond; a burst that takes more than [`REFILL_MAX`](Self::REFILL_MAX)
    /// to come back.
    pub const fn check(self) -> Result<Self, QuotaError> {
        match self.fault() {
            None => Ok(self),
            Some(kind) => Err(QuotaError::of(kind)),
        }
    }

    /// The longest that a whole burst may take to come back: 146 years.
    pub const REFILL_MAX: Duration = Duration::from_nanos(1 << 62);

    /// How far off a whole burst may be while so much is left, rounded down.
    pub(super) fn tolerance_nanos(&self, cost: u64) -> u64 {
        let needed = self.time_of(cost);
        let less = u64::from(needed.part > self.full.part);
        self.full.nanos.saturating_sub(needed.nanos).saturating_sub(less)
    }

    const fn new(amount: u64, period: u64, burst: u64) -> Self {
        let none = Span { nanos: 0, part: 0 };
        let (parts, step, tag) = (1, 0, 0);
        let quota = Self {
            amount,
            period,
            burst,
            cost_max: 0,
            parts,
            step,
            interval: none,
            full: none,
            tag,
        };
        if quota.fault().is_some() {
            return quota;
        }
        let (parts, step) = quota.in_parts();
        let interval = Span { nanos: step / parts, part: step % parts };
        let full = Span::of(step as u128 * burst as u128, parts);
        // Two quotas with one tag would have one number in a key: once in some 10^12 pairs.
        let tag = mixed(mixed(mixed(amount) ^ period) ^ burst);
        Self { cost_max: burst, parts, step, interval, full, tag, ..quota }
    }

    /// How many parts of a nanosecond to count, and how many of them it takes until a unit comes back.
    const fn in_parts(&self) -> (u64, u64) {
        let common = common_divisor(self.amount, self.period);
        let parts = self.amount / common;
        if parts <= PARTS_MAX {
            return (parts, self.period / common);
        }
        // Rounded up: never faster than it should be. As there are more units than parts, it is not more than the period.
        let step = (self.period as u128 * PARTS_MAX as u128).div_ceil(self.amount as u128);
        (PARTS_MAX, step as u64)
    }

    const fn fault(&self) -> Option<QuotaErrorKind> {
        if self.amount == 0 {
            return Some(QuotaErrorKind::NoAmount);
        }
        if self.period == 0 {
            return Some(QuotaErrorKind::NoPeriod);
        }
        if self.burst == 0 {
            return Some(QuotaErrorKind::NoBurst);
        }
        if self.amount as u128 > self.period as u128 * PARTS_MAX as u128 {
            return Some(QuotaErrorKind::AmountTooLarge);
        }
        let (parts, step) = self.in_parts();
        if (step as u128 * self.burst as u128) / parts as u128 >= Self::REFILL_MAX.as_nanos() {
            return Some(QuotaErrorKind::TooSlow);
        }
        None
    }
}

impl Span {
    /// So much, where `parts` are a nanosecond; saturates.
    pub(super) const fn of(length: u128, parts: u64) -> Self {
        let nanos = length / parts as u128;
        if nanos > u64::MAX as u128 {
            return Self { nanos: u64::MAX, part: 0 };
        }
        Self { nanos: nanos as u64, part: (length % parts as u128) as u64 }
    }

    pub(crate) const fn rounded_up(self) -> Duration {
        Duration::from_nanos(self.rounded_up_nanos())
    }

    pub(crate) const fn rounded_up_nanos(self) -> u64 {
        self.nanos.saturating_add((self.part > 0) as u64)
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, burst) = (self.amount, self.burst);
        write!(f, "Quota({amount} in {:?}, {burst} at once)", self.period())
    }
}

/// At most [`Quotas::MAX`] quotas that hold at the same time for one key: the strictest decides, and all of them are charged or none.
///
/// ```
/// use tower_keep::limit::{Quota, Quotas};
///
/// // No more than ten at once, and no more than a thousand a day.
/// let quotas = Quotas::new([Quota::per_second(10), Quota::per_day(1_000)])?;
/// assert_eq!(quotas.as_slice().len(), 2);
/// # Ok::<(), tower_keep::limit::QuotaError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Quotas {
    list: [Quota; Self::MAX],
    count: usize,
}

impl Quotas {
    /// Four.
    pub const MAX: usize = 4;

    /// These quotas. One that stands there twice counts once.
    ///
    /// # Errors
    /// What [`Quota::check`] says of each of them; none, or more than [`Quotas::MAX`].
    pub fn new(quotas: impl IntoIterator<Item = Quota>) -> Result<Self, QuotaError> {
        let nothing = Quota::per_second(0);
        let mut made = Self { list: [nothing; Self::MAX], count: 0 };
        for quota in quotas {
            let quota = quota.check()?;
            if made.as_slice().contains(&quota) {
                continue;
            }
            let Some(place) = made.list.get_mut(made.count) else {
                return Err(QuotaError::of(QuotaErrorKind::TooMany));
            };
            *place = quota;
            made.count += 1;
        }
        match made.count {
            0 => Err(QuotaError::of(QuotaErrorKind::Empty)),
            _ => Ok(made),
        }
    }

    /// One quota alone, which is one of others that were checked.
    pub(crate) fn one(quota: Quota) -> Self {
        Self { list: [quota; Self::MAX], count: 1 }
    }

    /// The quotas, in the order in which they were given.
    pub fn as_slice(&self) -> &[Quota] {
        self.list.get(..self.count).unwrap_or(&self.list)
    }
}

impl TryFrom<Quota> for Quotas {
    type Error = QuotaError;

    fn try_from(quota: Quota) -> Result<Self, QuotaError> {
        Self::new([quota])
    }
}

impl<const N: usize> TryFrom<[Quota; N]> for Quotas {
    type Error = QuotaError;

    fn try_from(quotas: [Quota; N]) -> Result<Self, QuotaError> {
        Self::new(quotas)
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// Spreads the bits of a number over all of it, and can be undone.
const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let number = (number ^ (number >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    number ^ (number >> 32)
}

const fn common_divisor(one: u64, other: u64) -> u64 {
    let (mut one, mut other) = (one, other);
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The most parts of a nanosecond: a number below it takes fourteen bits.
pub(super) const PARTS_MAX: u64 = 1 << 14;
