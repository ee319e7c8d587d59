//! Conditions of clients, in bulk: answered from what is stored, in linear time.

use std::convert::Infallible;

use http::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::{Layer as _, service_fn};
use tower_keep::cache::{CacheLayer, CachePolicy};
use tower_keep::store::MemoryStore;

use super::{ETAG, FRESH, Fields};
use crate::support::{Harness, answered, date_at, request, response};
use crate::upgrades::serve;

const TAGS: usize = 10_000;

async fn stored(fields: Fields<'_>) -> Harness {
    let cache = Harness::always(CachePolicy::shared(), 200, fields);
    cache.get("/", &[]).await;
    cache
}

/// Ten thousand members, made of their number.
fn listed(member: impl Fn(usize) -> String) -> String {
    (0..TAGS).map(member).collect::<Vec<_>>().join(", ")
}

/// A list with this member before, amid or after so many others.
fn with(member: &str, others: &str) -> [String; 3] {
    [
        format!("{member}, {others}"),
        format!("{others}, {member}, {others}"),
        format!("{others}, {member}"),
    ]
}

#[tokio::test]
async fn c47_each_of_ten_thousand_tags_counts_and_no_malformed_one_does() {
    let others: [fn(usize) -> String; 6] = [
        |at| format!("\"t{at}\""),
        |at| format!("W/\"t{at}\""),
        |at| format!("t{at}"),
        |at| format!("w/\"1{at}\""),
        |at| format!("\"1\"{at}"),
        |_| "*".to_owned(),
    ];
    let members = [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("1", 200),
        ("w/\"1\"", 200),
        ("'1'", 200),
        ("*", 200),
        ("", 200),
    ];
    for tag in ["\"1\"", "W/\"1\""] {
        let cache = stored(&[FRESH, ("etag", tag)]).await;
        for other in others {
            let others = listed(other);
            for (member, status) in members {
                for list in with(member, &others) {
                    let got = cache.get("/", &[("if-none-match", &list)]).await;
                    assert_eq!(got.status, status, "{member:?} among {}", other(7));
                    assert!(got.is_hit());
                }
            }
        }
        assert_eq!(cache.inner.calls(), 1);
    }
}

/// A megabyte of each, which a reader that looked twice at what it has read would never come to the end of:
/// its work would be the square of that.
#[tokio::test]
async fn c47_a_megabyte_of_tags_or_of_none_takes_linear_time() {
    let cache = stored(&[FRESH, ETAG]).await;
    let parts = [
        "W/\"a\", ",
        "\"1",
        "\"",
        "\",",
        "W/",
        "W/\"",
        "/",
        ",",
        " ",
        "\t,",
        "1,",
        "*,",
        "\"a\"b",
        "\\\"",
        "\"a b\",",
    ];
    for part in parts {
        let line = part.repeat((1 << 20) / part.len());
        for method in ["GET", "HEAD"] {
            let got = cache.send(request(method, "/", &[("if-none-match", &line)])).await;
            assert_eq!((got.status.as_u16(), got.is_hit()), (200, true), "{part}");
        }
        let line = format!("{line}{}", if part.contains('"') { "\"," } else { "," });
        let closed = format!("{line}{}\"1\"", if part == "\"1" { "\"" } else { "" });
        assert!(cache.get("/", &[("if-none-match", &closed)]).await.is_hit(), "{part}");
    }
    let bytes = [&[0x80_u8][..], &[b'"', 0xff], &[0xff, b',']].map(|part| part.repeat(1 << 19));
    for line in bytes {
        let mut request = request("GET", "/", &[]);
        request.headers_mut().insert("if-none-match", HeaderValue::from_bytes(&line).unwrap());
        assert_eq!(cache.send(request).await.status, 200);
    }
    // As many lines as a head can hold.
    let lines: Vec<_> = (0..30_000).map(|_| ("if-none-match", "\"2\", *")).collect();
    assert_eq!(cache.get("/", &lines).await.status, 200);
    assert_eq!(
        cache.get("/", &[&lines[..], &[("if-none-match", "W/\"1\"")]].concat()).await.status,
        304
    );
}

/// What is too long for a server never comes to the cache; what is not too long is answered from it.
#[tokio::test]
async fn c47_a_list_as_long_as_a_server_takes_is_answered_on_the_wire() {
    let inner =
        service_fn(|_| std::future::ready(Ok::<_, Infallible>(response(&[FRESH, ETAG], "page"))));
    let address = serve(CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).layer(inner)).await;
    let send = async |list: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nIf-None-Match: ";
        // A server that refuses may close before it has read all.
        let _ = stream.write_all(format!("{head}{list}\r\n\r\n").as_bytes()).await;
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text).await;
        String::from_utf8(text).unwrap()
    };
    send("\"2\"").await;
    let others = listed(|at| format!("\"t{at}\""));
    let last = format!("{others}, \"1\"");
    let (held, other) = (send(&last).await, send(&others).await);
    assert!(held.starts_with("HTTP/1.1 304 ") && held.contains("; hit"), "{held}");
    assert!(other.starts_with("HTTP/1.1 200 ") && other.contains("; hit"), "{other}");
    let refused = send(&last.repeat(20)).await;
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431 "), "{refused}");
    assert!(send("\"1\"").await.starts_with("HTTP/1.1 304 "));
}

/// RFC 9110 §13.2.2: which condition speaks, whatever the others say, and however badly.
#[tokio::test]
async fn c47_conditions_have_their_order_of_precedence() {
    const MATCH: &str = "if-none-match";
    const SINCE: &str = "if-modified-since";
    let [old, newer, older] = [-1000, -10, -2000].map(date_at);
    let many = listed(|at| format!("W/\"t{at}\""));
    let [_, held, _] = with("\"1\"", &many);
    let cases: [(Fields<'_>, u16); 16] = [
        (&[(SINCE, &newer)], 304),
        (&[(SINCE, &older)], 200),
        (&[(SINCE, "Sunday")], 200),
        (&[(SINCE, "Sun, 06 Nov 1994 08:49:37 GMT garbage")], 200),
        (&[(SINCE, "Sun, 31 Feb 2094 08:49:37 GMT")], 200),
        (&[(SINCE, "99999999999999999999")], 200),
        (&[(SINCE, &newer), (SINCE, "bad")], 200),
        (&[(MATCH, &many), (SINCE, &newer)], 200),
        (&[(MATCH, &held), (SINCE, &older)], 304),
        (&[(MATCH, &held), (SINCE, "bad")], 304),
        (&[(MATCH, "t1"), (SINCE, &newer)], 200),
        (&[(MATCH, "*"), (SINCE, &older)], 304),
        (&[(MATCH, &held), ("range", "bytes=0-0")], 304),
        (&[(MATCH, &many), ("range", "bytes=0-0")], 206),
        (&[(MATCH, &many), ("range", "bytes=0-0"), ("if-range", "\"2\"")], 200),
        (&[(MATCH, "*"), ("range", "bytes=99-"), ("if-range", "\"2\"")], 304),
    ];
    let cache = stored(&[FRESH, ETAG, ("last-modified", &old)]).await;
    for (asked, status) in cases {
        let got = cache.get("/", asked).await;
        let told: Vec<_> = asked.iter().map(|(name, value)| (name, value.len())).collect();
        assert_eq!((got.status.as_u16(), got.is_hit()), (status, true), "{told:?}");
        assert_eq!(got.body.is_empty(), status == 304);
    }
    // RFC 9110 §13.2.2, first: these are the origin's to check, whatever stands beside them.
    for origins in [("if-match", "\"1\""), ("if-unmodified-since", &*old)] {
        let got = cache.get("/", &[(MATCH, &*held), origins]).await;
        assert!(!got.is_hit() && got.status == 200, "{origins:?}");
    }
}

/// A list of the client's is compared with what was validated, and does not go inwards itself.
#[tokio::test]
async fn c47_a_long_list_does_not_travel_with_a_validation() {
    for (member, status) in [("W/\"1\"", 304), ("2", 200)] {
        let cache = Harness::new(|_, call| match call {
            0 => response(&[FRESH, ETAG], "page"),
            _ => answered(304, &[FRESH, ETAG], ""),
        });
        cache.get("/", &[]).await;
        cache.advance(60);
        let [_, list, _] = with(member, &listed(|at| format!("\"t{at}\"")));
        let got = cache.get("/", &[("if-none-match", &list), ("if-modified-since", "bad")]).await;
        assert_eq!(got.status, status);
        let inward = &cache.inner.seen()[1].headers;
        assert_eq!(inward["if-none-match"], "\"1\"");
        assert_eq!(
            (inward.get_all("if-none-match").iter().count(), inward.get("if-modified-since")),
            (1, None)
        );
    }
}
