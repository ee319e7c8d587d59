//! How much a key may have used and still have what it asks for, in ten bits.

use crate::limit::quota::Quota;

/// How far off a key may have its whole burst and still be admitted the most that it was charged at once, in ten bits: six for the exponent and four for the rest. It is
/// rounded down by less than a sixteenth, so that a key may count as throttled a little longer than it is, and never shorter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tolerance(pub(super) u16);

impl Tolerance {
    /// Of a key that is charged so much at once.
    pub(super) fn of(quota: &Quota, cost: u64) -> Self {
        Self::from_nanos(quota.tolerance_nanos(cost))
    }

    pub(super) fn from_nanos(nanos: u64) -> Self {
        let Some(exponent) = nanos.checked_ilog2() else { return Self(0) };
        // The leading one is not written: what it leads has `exponent` bits, of which the first four are.
        let rest = nanos - (1 << exponent);
        let rest =
            if exponent > REST { rest >> (exponent - REST) } else { rest << (REST - exponent) };
        // The exponent is at most 61, since a burst comes back within 2^62 ns; so 0 is free to mean none.
        Self(((exponent + 1) as u16) << REST | rest as u16)
    }

    pub(super) fn nanos(self) -> u64 {
        let Some(exponent) = u32::from(self.0 >> REST).checked_sub(1) else { return 0 };
        let rest = u64::from(self.0 & 0xf);
        let rest =
            if exponent > REST { rest << (exponent - REST) } else { rest >> (REST - exponent) };
        (1 << exponent) + rest
    }
}

const REST: u32 = 4;
