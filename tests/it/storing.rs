//! What is stored, and for how long it is fresh (RFC 9111 §3, §4.2.1, §4.2.2).

mod content;
mod cookies;
mod dates;
mod defaults;
mod directives;
mod hints;
mod qualified;
mod statuses;
mod targeted;

use tower_keep::cache::CachePolicy;

use crate::support::{Harness, request};

/// What became of a response when the same was asked again at once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It was served again, fresh for so many seconds more.
    Reused(i64),
    /// It was stored, but the service was asked first.
    Asked,
    NotStored,
}

use Fate::{Asked, NotStored, Reused};

/// Of the answer to a plain GET.
async fn fate(policy: CachePolicy, status: u16, fields: &[(&str, &str)]) -> Fate {
    fate_for(policy, &[], status, fields).await
}

/// Of the answer to a GET with these request fields.
async fn fate_for(
    policy: CachePolicy,
    asked: &[(&str, &str)],
    status: u16,
    fields: &[(&str, &str)],
) -> Fate {
    fate_in(&Harness::always(policy, status, fields), asked).await
}

async fn fate_in(cache: &Harness, asked: &[(&str, &str)]) -> Fate {
    let first = cache.get("/x", asked).await;
    assert!(!first.is_hit());
    let is_kept = !cache.store.is_empty();
    let again = cache.send(request("GET", "/x", asked)).await;
    assert_eq!(cache.inner.calls(), if again.is_hit() { 1 } else { 2 });
    match (is_kept, again.is_hit()) {
        (true, true) => Reused(again.left().unwrap()),
        (true, false) => Asked,
        (false, false) => NotStored,
        (false, true) => panic!("a hit out of an empty store: {again:?}"),
    }
}

/// The policy with the safe defaults.
const SAFE: CachePolicy = CachePolicy::shared();
/// The policy that does all that the RFC allows.
const RFC: CachePolicy = CachePolicy::rfc9111();
const ETAG: (&str, &str) = ("etag", "\"1\"");
