//! Keys from the network where there is more than one runtime.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;
use http::{Request, Response};
use tower_keep::auth::{JwksKeys, KeySource as _, Refreshed, TokenHeader};

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
