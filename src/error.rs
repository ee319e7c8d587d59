//! Errors that the crate passes on.

/// Any error, for bodies and stores whose own error the crate does not know.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
