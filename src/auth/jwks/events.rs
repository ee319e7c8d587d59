//! What is told in traces: neither a key nor its id.

use crate::auth::jwks::error::JwksError;
use crate::auth::jwks::fetch::Fetched;

#[cfg(feature = "tracing")]
pub(super) fn fetched(result: &Result<Fetched, JwksError>) {
    use std::error::Error as _;

    match result {
        Ok(Fetched { keys: Some((keys, left_out)), .. }) => {
            tracing::debug!(target: TARGET, keys = keys.keys().len(), left_out, "keys fetched");
            if keys.keys().is_empty() {
                tracing::warn!(target: TARGET, left_out, "the key set has no key that can be used");
            }
        }
        Ok(_) => tracing::debug!(target: TARGET, "keys not modified"),
        Err(error) => {
            // The client's own words: why there was no connection is told nowhere else.
            let mut cause = String::new();
            let mut next = error.source();
            while let Some(error) = next.filter(|_| cause.len() < CAUSE_BYTES_MAX) {
                cause = format!("{cause}: {error}");
                next = error.source();
            }
            tracing::warn!(target: TARGET, kind = ?error.kind(), "keys not fetched: {error}{cause}");
        }
    }
}

#[cfg(not(feature = "tracing"))]
pub(super) fn fetched(_: &Result<Fetched, JwksError>) {}

#[cfg(feature = "tracing")]
const TARGET: &str = "tower_keep::auth";
#[cfg(feature = "tracing")]
const CAUSE_BYTES_MAX: usize = 500;
