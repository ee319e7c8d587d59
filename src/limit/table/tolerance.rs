//! How much a key may have used and still have a unit, in 16 bits.

use crate::limit::quota::Quota;

/// How far off a key may have its whole burst and still have one unit, in 16 bits: six for the exponent and ten for the rest. It is
/// rounded down by less than a thousandth, so that a key may count as throttled a little longer than it is, and never shorter.
#[derive(Clone, Copy)]
pub(super) struct Tolerance(pub(super) u16);

impl Tolerance {
    pub(super) fn of(quota: &Quota) -> Self {
        Self::from_nanos(quota.tolerance_nanos())
    }

    pub(super) fn from_nanos(nanos: u64) -> Self {
        let Some(exponent) = nanos.checked_ilog2() else { return Self(0) };
        // The leading one is not written: what it leads has `exponent` bits, of which the first ten are.
        let rest = nanos - (1 << exponent);
        let rest = if exponent > 10 { rest >> (exponent - 10) } else { rest << (10 - exponent) };
        // The exponent is at most 61, since a burst comes back within 2^62 ns; so 0 is free to mean none.
        Self(((exponent + 1) as u16) << 10 | rest as u16)
    }

    pub(super) fn nanos(self) -> u64 {
        let Some(exponent) = u32::from(self.0 >> 10).checked_sub(1) else { return 0 };
        let rest = u64::from(self.0 & 0x3ff);
        let rest = if exponent > 10 { rest << (exponent - 10) } else { rest >> (10 - exponent) };
        (1 << exponent) + rest
    }
}
