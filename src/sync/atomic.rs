//! Atomics that a model checker can replace.

#[cfg(keep_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(keep_loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
