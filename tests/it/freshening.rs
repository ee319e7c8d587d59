//! What an answer to a validation must not do to a stored response (RFC 9111 §4.3.3, §4.3.4).

use tower_keep::cache::CachePolicy;

use crate::support::{Harness, answered, response};

type Fields<'a> = &'a [(&'a str, &'a str)];

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const ETAG: (&str, &str) = ("etag", "\"1\"");
const MODIFIED: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");

/// RFC 9111 §4.3.4: a validator in the 304 selects the stored response that has it. A response without a tag
/// is not the one: pinned to it, the tag would keep an old body alive for ever.
#[tokio::test]
async fn a_tag_is_not_pinned_on_a_body_that_came_without_one() {
    for tag in ["\"2\"", "W/\"2\"", "bad"] {
        let cache = Harness::new(move |request, call| {
            let tagged = [FRESH, MODIFIED, ("etag", tag)];
            match request.headers().contains_key("if-modified-since") {
                true => answered(304, &tagged, ""),
                false if call > 0 => response(&tagged, "new"),
                false => response(&tagged[..2], "old"),
            }
        });
        cache.get("/", &[]).await;
        cache.advance(61);
        for is_hit in [false, true] {
            let got = cache.get("/", &[]).await;
            assert_eq!((got.is_hit(), got.body.as_str()), (is_hit, "new"), "{tag}");
            assert_eq!(got.field("etag"), Some(tag));
        }
    }
}

/// Whoever asked: `private` and `no-store` are the origin's word on the response itself.
#[tokio::test]
async fn what_a_304_forbids_storing_does_not_stand_in_for_a_failure_later() {
    let askers: [Fields<'_>; 4] = [
        &[],
        &[("cookie", "session=alice")],
        &[("if-none-match", "\"1\"")],
        &[("range", "bytes=0-1")],
    ];
    for asked in askers {
        for control in ["no-store", "private, no-store", "private", "max-age=60, private"] {
            let cache = Harness::with(
                |layer| layer.policy(CachePolicy::rfc9111()),
                move |_, call| match call {
                    0 => {
                        response(&[("cache-control", "max-age=1, stale-if-error=600"), ETAG], "old")
                    }
                    1 => answered(304, &[ETAG, ("cache-control", control)], ""),
                    _ => answered(503, &[], "down"),
                },
            );
            cache.get("/", &[]).await;
            cache.advance(5);
            cache.get("/", asked).await;
            let got = cache.get("/", &[]).await;
            assert_eq!(
                (got.status.as_u16(), got.body.as_str()),
                (503, "down"),
                "{asked:?} {control}"
            );
        }
    }
}
