//! A key whose place a model chooses.

#[derive(Clone, Copy)]
pub(crate) struct LimitKey(pub(crate) u64);

impl LimitKey {
    /// Its name, and the beginning of the first set.
    pub(crate) fn halves(self) -> (u64, u64) {
        (self.0, 0)
    }
}
