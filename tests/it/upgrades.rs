//! Over real servers: other protocols, tunnels and endless streams pass as if there were no cache.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;

use crate::scripted::Step::{Data, Trailer};
use crate::scripted::{fresh, paused, scripted};

/// Serves HTTP/1.1 and HTTP/2 on loopback, one task for each connection.
pub async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower_keep::BoxError>> + Send + 'static,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service.clone();
            let service = hyper::service::service_fn(move |request: Request<_>| {
                service.clone().oneshot(request.map(Body::new))
            });
            tokio::spawn(async move {
                let mut server = Builder::new(TokioExecutor::new());
                server.http2().enable_connect_protocol();
                let stream = TokioIo::new(stream);
                let _ = server.serve_connection_with_upgrades(stream, service).await;
            });
        }
    });
    address
}

/// A cache that holds `/`, in front of a handler that upgrades and tunnels where it is asked to.
async fn echo_behind_a_cache() -> (SocketAddr, MemoryStore) {
    async fn handler(mut request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let mut response = fresh(&[], Body::from("plain"));
        if request.headers().contains_key("upgrade") {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("connection", "upgrade".parse().unwrap());
            response.headers_mut().insert("upgrade", "echo".parse().unwrap());
        } else if *request.method() != Method::CONNECT {
            return Ok(response);
        }
        *response.body_mut() = Body::empty();
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            stream.write_all(b"welcome\n").await.unwrap();
            let (mut from, mut to) = tokio::io::split(stream);
            tokio::io::copy(&mut from, &mut to).await.unwrap();
            to.shutdown().await.unwrap();
        });
        Ok(response)
    }
    let store = MemoryStore::with_bytes_max(1 << 20);
    let address = serve(CacheLayer::new(store.clone()).layer(service_fn(handler))).await;
    for expected in ["fwd=uri-miss", "hit"] {
        let head = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        let mut stream = open(address, head).await;
        let text = read_until(&mut stream, "plain").await;
        assert!(text.contains(expected), "{text}");
    }
    (address, store)
}

async fn open(to: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads until this has come.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut bytes = [0; 1024];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut bytes));
        let count = read.await.expect("it comes in time").unwrap();
        assert_ne!(count, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    text
}

/// Both ways, and to the end.
async fn assert_echoes(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    for line in ["one\n", "two\n", "GET / HTTP/1.1\r\n\r\n"] {
        stream.write_all(line.as_bytes()).await.unwrap();
        assert_eq!(read_until(stream, line).await, line);
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn an_upgrade_works_both_ways_and_touches_nothing_stored() {
    let (address, store) = echo_behind_a_cache().await;
    let entries = store.entries();
    let head = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut stream = open(address, head).await;
    let text = read_until(&mut stream, "welcome\n").await;
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(text.contains("\r\nconnection: upgrade\r\n"), "{text}");
    assert!(text.contains("\r\nupgrade: echo\r\n"), "{text}");
    assert!(
        text.contains("\r\ncache-status: tower-keep; fwd=bypass; detail=upgrade\r\n"),
        "{text}"
    );
    assert_echoes(&mut stream).await;
    assert_eq!(store.entries(), entries);
}

#[tokio::test]
async fn a_tunnel_by_connect_works_both_ways_and_touches_nothing_stored() {
    let (address, store) = echo_behind_a_cache().await;
    let entries = store.entries();
    for target in ["a.test:443", "a.test:80"] {
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        let mut stream = open(address, &head).await;
        let text = read_until(&mut stream, "welcome\n").await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        assert!(text.contains("fwd=bypass; detail=upgrade\r\n"), "{text}");
        assert_echoes(&mut stream).await;
    }
    assert_eq!(store.entries(), entries);
}

/// RFC 8441: what a WebSocket is in HTTP/2.
#[tokio::test]
async fn an_extended_connect_works_both_ways_and_touches_nothing_stored() {
    let (address, store) = echo_behind_a_cache().await;
    let entries = store.entries();
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    // The server's settings come with its first answer.
    let plain = Request::get("http://a.test/").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(client.send_request(plain).await.unwrap().status(), 200);
    let connect = Request::connect("http://a.test/")
        .extension(Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    let response = client.send_request(connect).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-status"], "tower-keep; fwd=bypass; detail=upgrade");
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    assert_eq!(read_until(&mut stream, "\n").await, "welcome\n");
    assert_echoes(&mut stream).await;
    assert_eq!(store.entries(), entries);
}

/// The head before the first event, and each event before the next.
#[tokio::test]
async fn an_event_stream_passes_at_once_and_is_not_gathered() {
    for kind in [
        "text/event-stream",
        "Text/Event-Stream; charset=utf-8",
        "application/grpc",
        "application/grpc+proto",
        "multipart/x-mixed-replace;boundary=x",
    ] {
        let (events, body, made) = paused();
        let body = Arc::new(Mutex::new(Some(body)));
        let inner = service_fn(move |_| {
            let body = body.lock().unwrap().take().unwrap();
            std::future::ready(Ok::<_, Infallible>(fresh(&[("content-type", kind)], body)))
        });
        let store = MemoryStore::with_bytes_max(1 << 20);
        let address = serve(CacheLayer::new(store.clone()).layer(inner)).await;
        let mut stream = open(address, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        let head = read_until(&mut stream, "\r\n\r\n").await;
        let expected = "cache-status: tower-keep; fwd=uri-miss; detail=event-stream\r\n";
        assert!(head.contains(expected), "{head}");
        for (at, event) in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"].into_iter().enumerate() {
            events.send(Data(event)).unwrap();
            read_until(&mut stream, event).await;
            assert_eq!(made.load(Ordering::Relaxed), at + 1);
        }
        drop(events);
        read_until(&mut stream, "0\r\n\r\n").await;
        assert!(store.is_empty(), "{kind}");
    }
}

/// HTTP/1.1 frames by the length that is stored, or in chunks where trailers follow.
#[tokio::test]
async fn c62_hit_is_framed_for_the_wire() {
    let inner = service_fn(|request: Request<Body>| {
        let steps: &[_] = match request.uri().path() {
            "/sum" => &[Data("abc"), Data("def"), Trailer("x-sum", "7")],
            _ => &[Data("abc"), Data("def")],
        };
        std::future::ready(Ok::<_, Infallible>(fresh(&[], scripted(steps))))
    });
    let address = serve(CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).layer(inner)).await;
    let ends = [
        ("GET", "/", "\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"),
        ("GET", "/", "\r\n\r\nabcdef"),
        ("HEAD", "/", "\r\n\r\n"),
        ("GET", "/sum", "\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n"),
        ("GET", "/sum", "\r\n\r\n6\r\nabcdef\r\n0\r\nx-sum: 7\r\n\r\n"),
    ];
    for (at, (method, path, end)) in ends.into_iter().enumerate() {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n");
        let mut stream = open(address, &format!("{head}Connection: te, close\r\n\r\n")).await;
        let text = read_until(&mut stream, end).await;
        assert_eq!(text.contains("content-length: 6\r\n"), matches!(at, 1 | 2), "{text}");
        assert_eq!(text.contains("; hit"), matches!(at, 1 | 2 | 4), "{text}");
        let (mut bytes, before) = (String::new(), text.find("\r\n\r\n").unwrap());
        stream.read_to_string(&mut bytes).await.unwrap();
        assert!((text[before..].to_owned() + &bytes).starts_with(end), "{text}{bytes}");
    }
}

#[tokio::test]
async fn trailers_of_a_hit_reach_a_client_of_http2() {
    let inner = service_fn(|_| {
        let body = scripted(&[Data("abcdef"), Trailer("x-sum", "7")]);
        std::future::ready(Ok::<_, Infallible>(fresh(&[], body)))
    });
    let address = serve(CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).layer(inner)).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for is_hit in [false, true] {
        let plain = Request::get("http://a.test/").body(Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(plain).await.unwrap();
        let status = response.headers()["cache-status"].to_str().unwrap();
        assert_eq!(status.contains("hit"), is_hit);
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "7");
        assert_eq!(body.to_bytes(), "abcdef");
    }
}
