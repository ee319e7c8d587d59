//! Keys from the network where there is more than one runtime.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Request, Response};
use tower_keep::auth::{JwksKeys, KeySource as _, Refreshed, TokenHeader};
use tower_keep::test_util::ManualClock;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn header() -> TokenHeader {
    TokenHeader::of(b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AA").unwrap()
}

/// A fetch that began on a runtime which is gone ends, and takes nobody with it.
#[test]
fn k09_a_fetch_of_a_runtime_that_is_gone_is_one_that_fails() {
    let client = tower::service_fn(|_: Request<String>| async {
        std::future::pending::<io::Result<Response<String>>>().await
    });
    let keys = JwksKeys::new("https://login.example/jwks", client).unwrap();
    let first = runtime();
    first.block_on(async {
        keys.start();
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    });
    assert_eq!(keys.stats().fetches, 1);
    drop(first);
    let second = runtime();
    for _ in 0..2 {
        let asked = catch_unwind(AssertUnwindSafe(|| {
            second.block_on(async {
                let header = header();
                let mut refreshed = keys.refreshed(&header).unwrap();
                // The task of this runtime has it first.
                for _ in 0..10 {
                    if let Some(answer) = (&mut refreshed).now_or_never() {
                        return Some(answer);
                    }
                    tokio::task::yield_now().await;
                }
                None
            })
        }));
        let asked = asked.expect("nobody panics who asks for keys");
        assert!(matches!(asked, Some(Refreshed::Unavailable { .. })), "{asked:?}");
    }
    assert_eq!(keys.stats().failures, 1);
}

/// Such as one that has loaded the keys before the service began, and is not run any more.
#[test]
fn k09_where_the_runtime_of_the_task_stands_still_one_who_waits_takes_over() {
    let client = tower::service_fn(|_: Request<String>| async {
        let response = Response::builder().header("content-type", "application/json");
        Ok::<_, io::Error>(response.body(SET.to_owned()).unwrap())
    });
    let clock = ManualClock::new();
    let options = JwksKeys::options().clock(clock.clone());
    let keys = options.at("https://login.example/jwks", client).unwrap();
    let (first, second) = (runtime(), runtime());
    first.block_on(keys.load()).unwrap();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(600));
        assert!(!keys.is_loaded());
        let header = header();
        let mut early = keys.refreshed(&header).unwrap();
        second.block_on(async { assert!((&mut early).now_or_never().is_none()) });
        clock.advance(Duration::from_secs(1));
        let late = second.block_on(keys.refreshed(&header).unwrap());
        assert!(matches!(late, Refreshed::Current(_)), "{late:?}");
        assert!(matches!(second.block_on(early), Refreshed::Current(_)));
        assert!(keys.is_loaded());
    }
    assert_eq!(keys.stats().fetches, 4);
    drop(first);
}

/// RFC 8037 §A.2.
const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
