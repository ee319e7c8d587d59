//! x

#[cfg(feature = "axum")]
pub mod axum;
pub mod cache;
pub mod clock;
mod digest;
mod fields;
pub mod head;
mod rules;
pub mod store;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod time;

/// Any error, for bodies and stores whose own error the crate does not know.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
