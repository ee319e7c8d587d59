use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::task::{Context, Waker};
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::scripted::Step::{Data, Error, Panic, Pending, Trailer};
use crate::scripted::{Step, fresh, knowing, paused, read, scripted};
use crate::support::{Harness, request};

/// A Content-Length, if it is not empty, and what the body does.
type Script = (&'static str, &'static [Step]);

const CASES: [(Script, bool); 20] = [
    // Whole, so that nothing else in this table keeps a body out of the store.
    (("", &[Data("abc"), Data("def")]), true),
    (("6", &[Data("abc"), Pending, Data("def")]), true),
    (("6", &[Data("abcdef"), Trailer("x-sum", "7")]), true),
    (("0", &[]), true),
    // In error after a part, and after all of it.
    (("", &[Error]), false),
    (("", &[Data("abc"), Error]), false),
    (("6", &[Data("abc"), Error]), false),
    (("6", &[Data("abc"), Pending, Error]), false),
    (("6", &[Data("abcdef"), Error]), false),
    (("", &[Data("abcdef"), Error]), false),
    (("0", &[Error]), false),
    // A clean end too early.
    (("6", &[]), false),
    (("6", &[Data("abc")]), false),
    (("6", &[Data("abc"), Pending]), false),
    (("6", &[Data("abc"), Trailer("x-sum", "7")]), false),
    // More than was said.
    (("6", &[Data("abcdefghi")]), false),
    (("6", &[Data("abc"), Data("defghi")]), false),
    (("6", &[Data("abcdef"), Data("ghi")]), false),
    (("6", &[Data("abcdef"), Data(""), Data("ghi")]), false),
    (("0", &[Data("abc")]), false),
];

fn harness(length: &'static str, steps: &'static [Step]) -> Harness {
    harness_of(length, steps, scripted)
}

fn harness_of(length: &'static str, steps: &'static [Step], body: fn(&[Step]) -> Body) -> Harness {
    Harness::new(move |_, _| {
        let fields = [("content-length", length)];
        fresh(if length.is_empty() { &[] } else { &fields }, body(steps))
    })
}

/// Nothing lies in the store, and the next request is the inner service's.
async fn assert_not_stored(cache: &Harness, what: &str) {
    assert!(cache.store.is_empty(), "stored: {what}");
    let stats = cache.layer.handle().stats();
    assert_eq!((stats.stored, stats.not_stored), (0, 1), "{what}");
    let before = cache.inner.calls();
    drop(cache.start(request("GET", "/", &[])).await);
    assert_eq!(cache.inner.calls(), before + 1, "{what}");
}

#[tokio::test]
async fn c35_truncated_body_is_never_stored() {
    // Once as a stream, once as a body that knows its size and its end.
    let both = [scripted as fn(&[Step]) -> Body, knowing];
    for (((length, steps), is_stored), body) in
        CASES.into_iter().flat_map(|case| both.map(|body| (case, body)))
    {
        let what = format!("{length:?} {steps:?}");
        let cache = harness_of(length, steps, body);
        let got = read(cache.start(request("GET", "/", &[])).await.into_body()).await;
        let breaks = steps.iter().any(|step| matches!(step, Error));
        // RFC 9112 §6.3: whoever reads it is told, not only who has seen its Content-Length.
        let is_short = length.parse().is_ok_and(|length: usize| got.text().len() < length);
        assert_eq!(got.error.is_some(), breaks || is_short, "{what}");
        if is_stored {
            assert!(cache.get("/", &[]).await.is_hit(), "{what}");
        } else {
            assert_not_stored(&cache, &what).await;
        }
    }
}

/// RFC 9110 §8.6: one line of digits.
#[tokio::test]
async fn c35_content_length_that_is_no_number_is_never_stored() {
    let lengths = ["-6", "6 6", "6,6", "6, 6", "0x6", "6.0", "six", "", "18446744073709551622"];
    for length in lengths {
        let cache = Harness::new(move |_, _| {
            fresh(&[("content-length", length)], scripted(&[Data("abcdef")]))
        });
        assert_eq!(cache.get("/", &[]).await.body, "abcdef");
        assert_not_stored(&cache, length).await;
    }
    for second in ["6", "7"] {
        let fields = [("content-length", "6"), ("content-length", second)];
        let cache = Harness::new(move |_, _| fresh(&fields, scripted(&[Data("abcdef")])));
        assert_eq!(cache.get("/", &[]).await.body, "abcdef");
        assert_not_stored(&cache, second).await;
    }
}

/// Digits alone: a sign is what one parser takes and the next does not.
#[tokio::test]
async fn c35_content_length_with_a_sign_is_never_stored() {
    let fields = [("content-length", "+6")];
    let cache = Harness::new(move |_, _| fresh(&fields, scripted(&[Data("abcdef")])));
    assert_eq!(cache.get("/", &[]).await.body, "abcdef");
    assert_not_stored(&cache, "+6").await;
}

#[tokio::test]
async fn c35_body_that_errs_passes_its_error_and_what_came_before() {
    let cache = harness("6", &[Data("abc"), Error]);
    let mut body = cache.start(request("GET", "/", &[])).await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
    assert!(!body.is_end_stream());
    let error: Box<dyn std::error::Error> = body.frame().await.unwrap().unwrap_err().into();
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.to_string() == "the origin broke off" {
            return;
        }
        source = inner.source();
    }
    panic!("the inner body's own error is lost: {error:?}");
}

#[tokio::test]
async fn c35_handler_panic_in_mid_body_is_never_stored() {
    let scripts: [Script; 6] = [
        ("", &[Data("abc"), Panic]),
        ("6", &[Data("abc"), Panic]),
        ("", &[Panic]),
        ("6", &[Panic]),
        ("6", &[Data("abcdef"), Panic]),
        ("6", &[Data("abcdef"), Pending, Panic]),
    ];
    for (length, steps) in scripts {
        let cache = harness(length, steps);
        let body = cache.start(request("GET", "/", &[])).await.into_body();
        let task = tokio::spawn(body.collect());
        assert!(task.await.unwrap_err().is_panic());
        assert_not_stored(&cache, &format!("{length:?} {steps:?}")).await;
    }
}

/// Whoever catches the panic may go on polling, and the rest of the body may then look like an end.
#[tokio::test]
async fn c35_body_that_is_polled_on_after_a_panic_is_never_stored() {
    let scripts: [Script; 4] = [
        ("", &[Data("abc"), Panic]),
        ("", &[Panic]),
        ("6", &[Data("abc"), Panic, Data("def")]),
        ("6", &[Data("abcdef"), Panic]),
    ];
    for (length, steps) in scripts {
        let cache = harness(length, steps);
        let mut body = Box::pin(cache.start(request("GET", "/", &[])).await.into_body());
        let mut panics = 0;
        for _ in 0..6 {
            let poll =
                || body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())).is_pending();
            panics += usize::from(catch_unwind(AssertUnwindSafe(poll)).is_err());
        }
        assert_eq!(panics, 1);
        drop(body);
        assert_not_stored(&cache, &format!("{length:?} {steps:?}")).await;
    }
}

const LEFT: [(&str, usize); 5] = [("", 0), ("", 1), ("", 2), ("6", 0), ("6", 1)];

/// Its client reads so many frames, and leaves.
async fn left(length: &'static str, frames: usize) -> Harness {
    let cache = harness(length, &[Data("abc"), Data("def")]);
    let mut body = cache.start(request("GET", "/", &[])).await.into_body();
    for _ in 0..frames {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    cache
}

#[test]
fn c35_body_whose_client_left_is_never_stored_where_nothing_reads_on() {
    for (length, frames) in LEFT {
        let cache = left(length, frames).now_or_never().unwrap();
        let what = format!("{length:?} {frames}");
        assert_not_stored(&cache, &what).now_or_never().unwrap();
    }
}

#[tokio::test]
async fn c36_body_whose_only_reader_left_goes_on_and_is_stored_whole() {
    for (length, frames) in LEFT {
        let cache = left(length, frames).await;
        cache.layer.handle().drain(Duration::MAX).await.unwrap();
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.is_hit(), &*hit.body), (true, "abcdef"), "{length:?} {frames}");
        assert_eq!(cache.inner.calls(), 1);
    }
}

/// RFC 9112 §6.3: HTTP/1.1 servers drop a body at its Content-Length, and a stream may not be ready to
/// say that it ends there.
#[tokio::test]
async fn a_body_that_is_pending_after_its_content_length_is_stored() {
    let (script, body, _) = paused();
    let body = Mutex::new(Some(body));
    let cache = Harness::new(move |_, _| {
        fresh(&[("content-length", "6")], body.lock().unwrap().take().unwrap_or(Body::empty()))
    });
    let mut body = cache.start(request("GET", "/", &[])).await.into_body();
    script.send(Data("abcdef")).unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abcdef");
    drop(body);
    let hit = cache.get("/", &[]).await;
    assert!(hit.is_hit());
    assert_eq!(hit.body, "abcdef");
}

/// HTTP/1.1 servers would not ask for what comes after the last byte.
#[tokio::test]
async fn c35_what_follows_the_content_length_is_seen_without_being_asked_for() {
    for more in [Data("ghi"), Error] {
        let steps: &[Step] = &[Data("abcdef"), more];
        let steps = steps.to_vec();
        let cache = Harness::new(move |_, _| fresh(&[("content-length", "6")], scripted(&steps)));
        let mut body = cache.start(request("GET", "/", &[])).await.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abcdef");
        drop(body);
        assert_not_stored(&cache, &format!("{more:?}")).await;
    }
}
