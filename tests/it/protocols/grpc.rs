//! Trailers: those of gRPC, which hold the status of a call, and those of plain HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::{Layer as _, service_fn};
use tower_keep::cache::{CacheHint, CacheLayer, CachePolicy};
use tower_keep::store::MemoryStore;

use super::{EAGER, ETAG, RFC, SAFE};
use crate::scripted::Step::{Data, Pending, Trailer};
use crate::scripted::{Step, scripted};
use crate::support::{Got, Harness, request};
use crate::upgrades::serve;

const KINDS: [&str; 6] = [
    "application/grpc",
    "application/grpc+proto",
    "application/grpc;v=1",
    "Application/GRPC+json",
    "application/grpc-web+proto",
    "application/grpc-web-text",
];
const MESSAGE: &str = "\0\0\0\0\x05hello";

/// A response of this kind that says everything that a response can say for being stored.
fn made(kind: &str, fields: &[(&str, &str)], steps: &[Step]) -> Response<Body> {
    let mut made = Response::builder().header("content-type", kind);
    for (name, value) in [EAGER, ETAG, ("content-location", "/")].iter().chain(fields) {
        made = made.header(*name, *value);
    }
    let hint = CacheHint::fresh_for(Duration::from_secs(60)).public();
    made.extension(hint).body(scripted(steps)).unwrap()
}

fn status(got: &Got) -> Option<&str> {
    got.trailers.as_ref()?.get("grpc-status")?.to_str().ok()
}

#[tokio::test]
async fn c44_a_grpc_answer_is_never_stored_and_never_without_its_status() {
    for policy in [SAFE, RFC, SAFE.post_fills_get()] {
        for kind in KINDS {
            for (code, steps) in [
                ("0", &[Data(MESSAGE), Trailer("grpc-status", "0")][..]),
                ("0", &[Data(MESSAGE), Pending, Trailer("grpc-status", "0")]),
                ("5", &[Data(MESSAGE), Trailer("grpc-status", "5")]),
                ("14", &[Trailer("grpc-status", "14")]),
            ] {
                let cache = Harness::with(
                    |layer| layer.policy(policy.clone()),
                    move |_, _| made(kind, &[("trailer", "grpc-status")], steps),
                );
                for (at, method) in ["POST", "GET", "POST", "GET", "GET"].into_iter().enumerate() {
                    let got = cache.send(request(method, "/", &[("te", "trailers")])).await;
                    assert_eq!(
                        (status(&got), got.is_hit()),
                        (Some(code), false),
                        "{kind} {steps:?}"
                    );
                    assert_eq!(cache.inner.calls(), at + 1);
                    assert!(cache.store.is_empty(), "{method} {kind} {steps:?}");
                }
            }
        }
    }
}

/// The status among the header fields, and no body: as short as an answer can be, and still no entry.
#[tokio::test]
async fn c44_a_grpc_answer_of_trailers_only_is_never_stored() {
    for policy in [SAFE, RFC, SAFE.post_fills_get()] {
        for kind in KINDS {
            for code in ["0", "1", "13", "16"] {
                let cache = Harness::with(
                    |layer| layer.policy(policy.clone()),
                    move |_, _| {
                        let head = [("grpc-status", code), ("grpc-message", "no")];
                        made(kind, &head, &[]).map(|_| Body::empty())
                    },
                );
                for method in ["POST", "GET", "GET"] {
                    let got = cache.send(request(method, "/", &[])).await;
                    assert_eq!((got.field("grpc-status"), got.is_hit()), (Some(code), false));
                    assert!(cache.store.is_empty(), "{method} {kind} {code}");
                }
            }
        }
    }
}

/// Not by way of a 304 either: what was stored as a page is not served as a call.
#[tokio::test]
async fn c44_a_304_makes_no_grpc_answer_of_what_is_stored() {
    let cache = Harness::new(|_, call| match call {
        0 => made("text/plain", &[], &[Data("page")]),
        _ => {
            let mut made = made("application/grpc", &[("grpc-status", "0")], &[]);
            *made.status_mut() = http::StatusCode::NOT_MODIFIED;
            made
        }
    });
    cache.get("/", &[]).await;
    cache.advance(60);
    for _ in 0..2 {
        assert!(!cache.get("/", &[]).await.is_hit());
    }
    assert!(cache.store.is_empty());
}

async fn connected(to: std::net::SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(TcpStream::connect(to).await.unwrap());
    let (client, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn called(
    client: &mut SendRequest<Full<Bytes>>,
    method: &str,
    content: &'static str,
) -> (HeaderMap, Bytes, Option<HeaderMap>) {
    let request = Request::builder()
        .method(method)
        .uri("http://a.test/echo.Echo/Say")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::from(content))
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    (head.headers, body.to_bytes(), trailers)
}

/// A unary call over HTTP/2, as a gRPC client makes it: each one reaches the service.
#[tokio::test]
async fn c44_unary_calls_pass_with_their_status_in_trailers() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let counted = counted.clone();
        async move {
            counted.fetch_add(1, Ordering::Relaxed);
            let content = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(match content == "fail" {
                true => {
                    made("application/grpc", &[("grpc-status", "9")], &[]).map(|_| Body::empty())
                }
                false => {
                    made("application/grpc", &[], &[Data(MESSAGE), Trailer("grpc-status", "0")])
                }
            })
        }
    });
    let store = MemoryStore::with_bytes_max(1 << 20);
    let layer = CacheLayer::new(store.clone()).policy(CachePolicy::rfc9111());
    let mut client = connected(serve(layer.layer(inner)).await).await;
    for at in 0..3 {
        let (_, message, trailers) = called(&mut client, "POST", "say").await;
        assert_eq!(message, MESSAGE);
        assert_eq!(trailers.unwrap()["grpc-status"], "0");
        let (head, message, trailers) = called(&mut client, "POST", "fail").await;
        assert_eq!((message.len(), trailers), (0, None));
        assert_eq!(head["grpc-status"], "9");
        assert_eq!(calls.load(Ordering::Relaxed), 2 * at + 2);
    }
    assert!(store.is_empty());
}

/// RFC 9110 §6.5: the trailers of a plain response are a part of it, or it is no hit.
#[tokio::test]
async fn c44_plain_trailers_are_kept_and_come_with_every_hit() {
    let cache = Harness::new(|request, _| {
        let steps: &[Step] = match request.uri().path() {
            "/empty" => &[Trailer("x-sum", "7")],
            "/late" => &[Data("abc"), Data("def"), Pending, Trailer("x-sum", "7")],
            _ => &[Data("abcdef"), Trailer("x-sum", "7")],
        };
        let mut made = made("text/plain", &[], steps);
        if request.uri().path() == "/length" {
            made.headers_mut().insert("content-length", "6".parse().unwrap());
        }
        made
    });
    for (at, path) in ["/", "/empty", "/late", "/length"].into_iter().enumerate() {
        let whole = if path == "/empty" { "" } else { "abcdef" };
        for is_hit in [false, true, true] {
            let got = cache.get(path, &[]).await;
            let sum = got.trailers.as_ref().map(|trailers| trailers["x-sum"].to_str().unwrap());
            assert_eq!((got.is_hit(), &*got.body, sum), (is_hit, whole, Some("7")), "{path}");
            assert_eq!((got.headers.len() > 1, got.field("x-sum")), (true, None));
        }
        assert_eq!(cache.inner.calls(), at + 1);
    }
}
