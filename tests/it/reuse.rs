//! Whether a stored response may answer a request (RFC 9111 §4, §4.2, §5.2.1; RFC 5861; RFC 8246).

mod age;
mod directives;
mod disconnected;
mod ignoring;
mod only_stored;
mod stale;

use tower_keep::cache::CachePolicy;

use crate::support::{Harness, answered, response};

/// The policy with the safe defaults.
const SAFE: CachePolicy = CachePolicy::shared();
const ETAG: (&str, &str) = ("etag", "\"1\"");

/// A page, stored, with this Cache-Control and so old by now; whoever asks further in gets this status and
/// the word "inner".
async fn aged(policy: CachePolicy, control: &str, age: u64, inner: u16) -> Harness {
    let control = control.to_owned();
    let cache = Harness::with(
        |layer| layer.policy(policy),
        move |_, call| match call {
            0 => response(&[("cache-control", &control), ETAG], "page"),
            _ => answered(inner, &[], "inner"),
        },
    );
    cache.get("/", &[]).await;
    cache.advance(age);
    cache
}

/// Whether a GET with this Cache-Control is served the stored page, by itself or after a failure.
async fn is_page(cache: &Harness, control: &str) -> bool {
    let got = cache.get("/", &[("cache-control", control)]).await;
    assert_eq!(got.body == "page", got.status == 200, "{got:?}");
    got.body == "page"
}
