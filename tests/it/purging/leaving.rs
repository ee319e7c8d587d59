//! A client that leaves while the ledger is asked, and a ledger that fails: what a response declares to have
//! changed is purged all the same, or its failure is told.

use axum::body::Body;
use http::{Request, Response};
use tower::ServiceExt as _;
use tower_keep::cache::{CachePolicy, PurgesTag, Reason};
use tower_keep::test_util::MemoryLedger;

use super::sharing::{Shared, Slow};
use super::{AnyLayer, FRESH, Fields, Hit, Miss, page, settled};
use crate::support::{Got, request, response};

/// `/saving` declares; a page's path is its group and its tag.
fn declaring(request: &Request<Body>, call: usize) -> Response<Body> {
    if request.uri().path() != "/saving" || !request.headers().contains_key("x-save") {
        let group = format!("\"{}\"", request.uri().path());
        return page(request, call, &[("cache-groups", &group)]);
    }
    let mut declared = match request.method().as_str() {
        "POST" => response(
            &[("cache-group-invalidation", "\"/grouped\""), ("location", "/located")],
            "saved",
        ),
        _ => response(&[FRESH], "saved"),
    };
    declared.extensions_mut().insert(PurgesTag::new("/tagged"));
    declared
}

fn bypassing(layer: AnyLayer) -> AnyLayer {
    layer.policy(CachePolicy::shared().bypass_on_cookie())
}

/// What goes to the service, and whether it is a write.
const SAVING: [(&str, Fields<'static>); 6] = [
    ("POST", &[("x-save", "1")]),
    ("GET", &[("x-save", "1"), ("cache-control", "no-cache")]),
    ("GET", &[("x-save", "1"), ("cookie", "a=1")]),
    ("HEAD", &[("x-save", "1"), ("cache-control", "no-cache")]),
    ("OPTIONS", &[("x-save", "1")]),
    ("GET", &[("x-save", "1"), ("upgrade", "h2c"), ("connection", "upgrade")]),
];

#[tokio::test]
async fn what_a_response_declares_is_purged_though_its_client_leaves_meanwhile() {
    let paths = ["/grouped", "/located", "/saving", "/tagged", "/kept"];
    for (method, fields) in SAVING {
        let slow = Slow::default();
        let shop = Shared::with(slow.clone()).shop(bypassing, declaring);
        shop.warm(&paths).await;
        slow.close(true);
        let client = tokio::spawn(shop.service.clone().oneshot(request(method, "/saving", fields)));
        settled().await;
        assert!(slow.begun() > 0, "{method} {fields:?}: the ledger is asked");
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled(), "{method} {fields:?}: it waits");
        slow.close(false);
        settled().await;
        let mut expected = [Hit, Hit, Hit, Miss, Hit];
        if method == "POST" {
            expected = [Miss, Miss, Miss, Miss, Hit];
        }
        assert_eq!(shop.each(&paths).await, expected, "{method} {fields:?}");
    }
}

/// The control: it stays, and all is purged when it has its answer.
#[tokio::test]
async fn what_a_response_declares_is_purged_when_its_client_has_the_answer() {
    for (method, fields) in SAVING {
        let shop = Shared::with(Slow::default()).shop(bypassing, declaring);
        shop.warm(&["/tagged", "/kept"]).await;
        let got = shop.send(method, "/saving", fields).await;
        assert_ne!(got.reason(), Some(Reason::InvalidationFailed), "{method} {fields:?}");
        assert_eq!(shop.each(&["/tagged", "/kept"]).await, [Miss, Hit], "{method} {fields:?}");
    }
}

/// Elsewhere it may still be served: who asked is told, where there is Cache-Status to tell it.
#[tokio::test]
async fn a_tag_that_could_not_be_purged_is_told() {
    for (method, fields) in SAVING {
        let ledger = MemoryLedger::new();
        let shop = Shared::with(ledger.clone()).shop(bypassing, declaring);
        shop.warm(&["/tagged"]).await;
        ledger.fail(true);
        let got: Got = shop.send(method, "/saving", fields).await;
        assert_eq!(got.reason(), Some(Reason::InvalidationFailed), "{method} {fields:?}");
        let told = got.field("cache-status").unwrap();
        assert!(told.contains("invalidation-failed"), "{method} {fields:?}: {told}");
    }
}
