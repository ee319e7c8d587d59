//! So many requests of a key at once.

mod body;
mod counts;
mod future;
mod layer;
mod service;

pub use body::KeyedConcurrencyBody;
pub use counts::ConcurrencyStats;
pub use future::KeyedConcurrencyFuture;
pub use layer::{ConcurrencyHandle, KeyedConcurrencyLayer};
pub use service::KeyedConcurrency;
