//! Validation towards clients and inwards, freshening, invalidation, parts and variants (RFC 9111 §4.1,
//! §4.3, §4.4; RFC 9110 §13, §14).

mod clients;
mod freshening;
mod head;
mod invalidating;
mod inwards;
mod mismatch;
mod purging;
mod ranges;
mod variants;

use tower_keep::cache::CachePolicy;

use crate::support::{Harness, answered, response};

/// The policy with the safe defaults.
const SAFE: CachePolicy = CachePolicy::shared();
const ETAG: (&str, &str) = ("etag", "\"1\"");
const FRESH: (&str, &str) = ("cache-control", "max-age=60");

type Fields<'a> = &'a [(&'a str, &'a str)];

/// A page with some fields, stale by now; the next answer is that status with those fields, and all later
/// ones are a new page. Bodies are "page", "" and "new".
async fn stale(policy: CachePolicy, first: Fields<'_>, status: u16, then: Fields<'_>) -> Harness {
    let own = |fields: Fields<'_>| -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    };
    let (first, then) = (own(first), own(then));
    let cache = Harness::with(
        |layer| layer.policy(policy),
        move |_, call| {
            let lent = |fields: &[(String, String)], status, body| {
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                answered(status, &fields, body)
            };
            match call {
                0 => lent(&first, 200, "page"),
                1 => lent(&then, status, ""),
                _ => response(&[FRESH], "new"),
            }
        },
    );
    assert_eq!(cache.get("/", &[]).await.body, "page");
    assert!(!cache.store.is_empty());
    cache.advance(60);
    cache
}
