//! Other protocols through HTTP: what passes untouched, and what is never stored of them.

mod early;
mod grpc;
mod tunnels;

use tower_keep::cache::CachePolicy;

/// The policy with the safe defaults.
const SAFE: CachePolicy = CachePolicy::shared();
/// The policy that does all that the RFC allows.
const RFC: CachePolicy = CachePolicy::rfc9111();
/// As much of a word for storing as a response can have.
const EAGER: (&str, &str) =
    ("cache-control", "public, max-age=60, s-maxage=60, stale-if-error=600");
const ETAG: (&str, &str) = ("etag", "\"1\"");
