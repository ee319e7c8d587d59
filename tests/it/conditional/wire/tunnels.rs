//! Upgrades, tunnels and streams without an end.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::{Layer as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::conditional::{ConditionalLayer, EtagLayer};
use tower_keep::store::MemoryStore;

use super::super::boxed;
use super::stacks;
use crate::scripted::Step::Data;
use crate::scripted::{fresh, paused};
use crate::upgrades::serve;

/// Reads until this has come.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut bytes = [0; 1024];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut bytes));
        let count = read.await.expect("it comes in time").unwrap();
        assert_ne!(count, 0, "closed after {text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    text
}

#[tokio::test]
async fn upgrades_and_tunnels_pass_both_layers() {
    let asked = "If-None-Match: *\r\nRange: bytes=0-1\r\n";
    let upgrade =
        "GET /upgrade HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n";
    let connect = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n";
    for (name, service) in stacks() {
        let address = serve(service).await;
        for (head, status) in [(upgrade, 101), (connect, 200)] {
            for fields in ["", asked] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = format!("{head}{fields}\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let text = read_until(&mut stream, "welcome\n").await;
                assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {text}");
                assert!(!text.contains("etag"), "{name} {text}");
                stream.write_all(b"ping").await.unwrap();
                assert_eq!(read_until(&mut stream, "ping").await, "ping");
            }
        }
    }
}

#[tokio::test]
async fn an_event_stream_passes_at_once_whatever_is_asked() {
    for is_cached in [false, true] {
        for fields in ["", "Range: bytes=2-3\r\n", "If-None-Match: \"a\"\r\n"] {
            let (events, body, _) = paused();
            let body = Arc::new(Mutex::new(Some(body)));
            let inner = service_fn(move |_: Request<Body>| {
                let body = body.lock().unwrap().take().unwrap();
                let kind = ("content-type", "text/event-stream");
                std::future::ready(Ok::<_, Infallible>(fresh(&[kind], body)))
            });
            let inner = boxed(ConditionalLayer::new().layer(EtagLayer::new().layer(inner)));
            let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
            let address = match is_cached {
                true => serve(boxed(cache.layer(inner))).await,
                false => serve(inner).await,
            };
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let head = read_until(&mut stream, "\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 200 ") && !head.contains("etag"), "{head}");
            for event in ["data: 1\n\n", "data: 2\n\n"] {
                events.send(Data(event)).unwrap();
                read_until(&mut stream, event).await;
            }
            drop(events);
            read_until(&mut stream, "0\r\n\r\n").await;
        }
    }
}
