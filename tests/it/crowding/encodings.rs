//! `Accept-Encoding` that is no list of codings: nothing that the cache has to understand, and no way past it.

use std::time::Duration;

use http::HeaderValue;
use tower_keep::cache::CachePolicy;

use super::{FRESH, RFC, SAFE};
use crate::support::{Harness, request, response};

const GZIP: (&str, &str) = ("accept-encoding", "gzip");
const MALFORMED: [&str; 24] = [
    "gzip;q=x",
    "gzip;q=",
    "gzip;q",
    "gzip;",
    "gzip;;q=1",
    "gzip;q=1.0001",
    "gzip;q=-1",
    "gzip;q=2",
    "gzip;q=1e3",
    "gzip;q=NaN",
    "gzip;q=0.5;q=0.6",
    "gzip;x=1",
    "gzip q=1",
    "gzip/1",
    "\"gzip\"",
    "\"gzip",
    "\\gzip",
    "gz\tip",
    ";q=1",
    "=",
    "*;q=*",
    "gzip;q=0.99999999999999999999999999999999999999",
    "identity;q=0, *;q=0",
    "gzip br",
];

/// What a service sends that codes for whoever asks for `gzip` and nothing else.
fn coding(policy: CachePolicy) -> Harness {
    Harness::with(
        |layer| layer.policy(policy),
        |request, call| {
            let vary = [FRESH, ("vary", "accept-encoding")];
            match request.headers().get("accept-encoding") {
                Some(value) if value == "gzip" => response(&vary, "coded"),
                None => response(&vary, "plain"),
                Some(_) => response(&vary, format!("odd {call}")),
            }
        },
    )
}

/// CVE-2024-35296: a field that cannot be read made a cache pass every request on.
#[tokio::test]
async fn c31_a_malformed_encoding_passes_nothing_that_is_stored() {
    let over_8_kb = "gzip;q=x, ".repeat(900);
    let bytes = [&b"gzip\xff"[..], b"\x80", b"gzip;q=\xc3\xa9", b"", b",", b",,,", b" ", b"\t"];
    let long = over_8_kb.as_bytes();
    for vary in ["", "accept", "accept-language, x"] {
        for policy in [SAFE, RFC] {
            let cache = Harness::with(
                |layer| layer.policy(policy),
                move |_, _| response(&[FRESH, ("vary", vary)], "page"),
            );
            cache.get("/", &[]).await;
            let texts = MALFORMED.iter().map(|text| text.as_bytes());
            for value in texts.chain(bytes).chain([long]) {
                let mut request = request("GET", "/", &[]);
                let value = HeaderValue::from_bytes(value).unwrap();
                request.headers_mut().append("accept-encoding", value.clone());
                request.headers_mut().append("accept-encoding", value.clone());
                assert!(cache.send(request).await.is_hit(), "{vary}: {value:?}");
            }
            assert_eq!(cache.inner.calls(), 1);
        }
    }
}

/// Each is its own variant: it gets what was made for it, again, and nobody else does.
#[tokio::test]
async fn c31_a_malformed_encoding_is_a_variant_of_its_own() {
    for policy in [SAFE, RFC] {
        for odd in MALFORMED {
            let cache = coding(policy.clone());
            let asked = [("accept-encoding", odd)];
            assert_eq!(cache.get("/", &asked).await.body, "odd 0", "{odd}");
            assert!(cache.get("/", &asked).await.is_hit(), "it is no way past the cache: {odd}");
            assert_eq!(cache.get("/", &[GZIP]).await.body, "coded", "{odd}");
            assert_eq!(cache.get("/", &[]).await.body, "plain", "{odd}");
            let well_formed = [("accept-encoding", "gzip;q=0.5")];
            assert!(!cache.get("/", &well_formed).await.is_hit(), "{odd}");
            assert_eq!(cache.get("/", &asked).await.body, "odd 0", "{odd}");
        }
    }
}

#[tokio::test]
async fn c31_malformed_encodings_in_bulk_stay_under_the_cap() {
    let cache = coding(SAFE);
    cache.get("/other", &[GZIP]).await;
    cache.get("/", &[]).await;
    cache.get("/", &[GZIP]).await;
    for at in 0..2000 {
        cache.clock.advance(Duration::from_micros(1));
        let odd = match at % 4 {
            0 => format!("gzip;q=x{at}"),
            1 => format!("gzip;q={at}.5"),
            2 => format!("gzip;q=x, {}", "br;q=y, ".repeat(at / 4)),
            _ => format!("\"{at}"),
        };
        cache.get("/", &[("accept-encoding", &odd)]).await;
        // One index with 32 variants, and the other URL's index with its one.
        assert!(cache.store.entries() <= 1 + 32 + 2, "{at}: {}", cache.store.entries());
        let (coded, plain) = (cache.get("/", &[GZIP]).await, cache.get("/", &[]).await);
        assert!(coded.is_hit() && coded.body == "coded", "{at}");
        assert!(plain.is_hit() && plain.body == "plain", "{at}");
    }
    assert!(cache.get("/other", &[GZIP]).await.is_hit());
    assert!(cache.store.bytes() < 33 * 16_384, "{}", cache.store.bytes());
}

/// Else whoever sends 8 KB of it reaches the inner service with every request.
#[tokio::test]
async fn c31_a_malformed_encoding_of_8_kilobytes_asked_again_is_a_hit() {
    for bytes in [3000, 4097, 8192, 60_000] {
        let cache = coding(SAFE);
        let long = "gzip;q=x, ".repeat(bytes / 10);
        cache.get("/", &[GZIP]).await;
        for _ in 0..3 {
            cache.get("/", &[("accept-encoding", &long)]).await;
        }
        assert_eq!(cache.inner.calls(), 2, "of {bytes} bytes");
        assert!(cache.get("/", &[GZIP]).await.is_hit());
    }
}
