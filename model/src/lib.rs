//! The crate's own files with loom's locks and atomics, and models of what they promise, in every
//! interleaving: `RUSTFLAGS="--cfg keep_loom" cargo test --manifest-path model/Cargo.toml`
#![cfg(all(test, keep_loom))]
#![allow(dead_code, unused_imports)]

#[path = "../../src/cache"]
mod cache {
    pub(crate) mod collapse;
    pub(crate) mod flight;
    pub(crate) mod mark;
    pub(crate) mod stamps;
}
#[path = "../../src/digest.rs"]
mod digest;
#[path = "../../src/error.rs"]
mod error;
mod flights;
#[path = "../../src/limit"]
mod limit {
    pub(crate) mod gcra;
    #[path = "../../model/src/limit_key.rs"]
    pub(crate) mod key;
    pub(crate) mod quota;
    pub(crate) mod store;
    pub(crate) mod table;
    pub(crate) mod verdict;
}
mod limits;
#[path = "../../src/rules"]
mod rules {
    pub(crate) mod reason;
}
mod stamps;
mod store {
    /// Named by a trait that no model uses.
    #[derive(Debug)]
    pub(crate) struct StoreError;
}
#[path = "../../src/sync/mod.rs"]
mod sync;
#[path = "../../src/time.rs"]
mod time;
mod wakes;
