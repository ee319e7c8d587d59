//! x

#[cfg(feature = "axum")]
pub mod axum;
pub mod cache;
pub mod clock;
mod digest;
mod error;
mod fields;
pub mod head;
mod rules;
pub mod store;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod time;

pub use error::BoxError;
