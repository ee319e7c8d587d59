//! Errors that the crate passes on.

/// Any error, for bodies and stores whose own error the crate does not know.
///
/// ```
/// let error: tower_keep::BoxError = "connection refused".into();
/// assert_eq!(error.to_string(), "connection refused");
/// ```
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
