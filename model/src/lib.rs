//! The crate's own files with loom's locks and atomics, and models of what they promise, in every
//! interleaving: `RUSTFLAGS="--cfg keep_loom" cargo test --manifest-path model/Cargo.toml stamps::`
#![cfg(all(test, keep_loom))]
#![allow(dead_code, unused_imports)]

#[path = "../../src/cache"]
mod cache {
    pub(crate) mod mark;
    pub(crate) mod stamps;
}
#[path = "../../src/digest.rs"]
mod digest;
mod stamps;
#[path = "../../src/sync/mod.rs"]
mod sync;
#[path = "../../src/time.rs"]
mod time;
