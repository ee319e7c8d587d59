//! A key whose place a model chooses.

#[derive(Clone, Copy)]
pub(crate) struct LimitKey(pub(crate) u64);

impl LimitKey {
    /// Its name, which is read from the upper end, and the first set.
    pub(crate) fn halves(self) -> (u64, u64) {
        (self.0.rotate_right(8), 0)
    }
}
