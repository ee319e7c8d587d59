//! Where locks and atomics come from: the standard library, or loom when a model is checked.

pub(crate) mod atomic;
pub(crate) mod lock;
pub(crate) mod relax;
