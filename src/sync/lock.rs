//! Locks that a model checker can replace.

#[cfg(keep_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(keep_loom)]
pub(crate) use loom::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(keep_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(not(keep_loom))]
pub(crate) use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
