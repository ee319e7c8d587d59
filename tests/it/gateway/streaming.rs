use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::origin;
use super::program::{Gateway, soon};
use super::wire::{open, read_to_end, read_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";

/// An origin whose one response, with this field, is written chunk by chunk, when the test says so.
pub(super) async fn by_hand(
    field: (&'static str, &'static str),
) -> (std::net::SocketAddr, mpsc::Sender<io::Result<Bytes>>) {
    let (chunks, body) = mpsc::channel(1);
    let body = Arc::new(Mutex::new(Some(ReceiverStream::new(body))));
    let address = origin::of(move || async move {
        let body = body.lock().unwrap().take().expect("one request");
        Response::builder().header(field.0, field.1).body(Body::from_stream(body)).unwrap()
    })
    .await;
    (address, chunks)
}

#[tokio::test]
async fn the_first_chunk_arrives_before_the_origin_sends_its_second() {
    for cache_control in ["max-age=60", "no-store"] {
        let (address, chunks) = by_hand(("cache-control", cache_control)).await;
        let gateway = Gateway::before(address).await;
        let mut stream = open(gateway.public, GET).await;
        chunks.send(Ok("first".into())).await.unwrap();
        read_until(&mut stream, "first").await;
        chunks.send(Ok("second".into())).await.unwrap();
        drop(chunks);
        let rest = read_to_end(&mut stream).await;
        assert!(rest.contains("second"), "{rest:?}");
        assert!(rest.ends_with("\r\n0\r\n\r\n"), "{rest:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_does_not_end_cleanly() {
    let (address, chunks) = by_hand(("cache-control", "max-age=60")).await;
    let gateway = Gateway::before(address).await;
    let mut stream = open(gateway.public, GET).await;
    chunks.send(Ok("first".into())).await.unwrap();
    read_until(&mut stream, "first").await;
    chunks.send(Err(io::ErrorKind::Other.into())).await.unwrap();
    let rest = read_to_end(&mut stream).await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    assert_eq!(gateway.stats().await["stored"], 0);
}

#[tokio::test]
async fn a_request_streams_to_the_upstream() {
    let (seen, mut chunks) = mpsc::channel(8);
    let address = origin::of(move |mut body: Body| async move {
        while let Some(Ok(frame)) = body.frame().await {
            seen.send(frame.into_data().unwrap()).await.unwrap();
        }
        "done"
    })
    .await;
    let gateway = Gateway::before(address).await;
    let mut stream = open(gateway.public, POST).await;
    assert_eq!(soon(chunks.recv()).await.unwrap(), "first");
    stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(soon(chunks.recv()).await.unwrap(), "second");
    assert!(read_to_end(&mut stream).await.contains("done"));
}

#[tokio::test]
async fn trailers_reach_a_client_that_asked_for_them() {
    let response = "HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                    2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n";
    let gateway = Gateway::before(origin::saying(response).await).await;
    let reply = gateway.get_with("/", "TE: trailers\r\nConnection: te\r\n").await;
    assert!(reply.body.contains("x-sum: 7\r\n"), "{reply:?}");
}

#[tokio::test]
async fn a_slow_upstream_is_504() {
    let address = origin::of(std::future::pending::<()>).await;
    let gateway = Gateway::with(address, &["--upstream-timeout", "200ms"]).await;
    let reply = gateway.get("/").await;
    assert_eq!(reply.status(), 504);
    assert_eq!(reply.field("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_long_upload_is_no_slow_upstream() {
    let address = origin::of(async |body: Bytes| body.len().to_string()).await;
    let gateway = Gateway::with(address, &["--upstream-timeout=800ms"]).await;
    let mut stream = open(gateway.public, POST).await;
    for _ in 0..4 {
        // The program under test has a clock of its own.
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(b"5\r\nagain\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let reply = read_to_end(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.ends_with("25"), "{reply}");
}
