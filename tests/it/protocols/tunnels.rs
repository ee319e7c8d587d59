//! Interim responses, upgrades and tunnels, over real connections where it takes one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::{Layer as _, service_fn};
use tower_keep::cache::{CacheHint, CacheLayer, Forward, Reason};
use tower_keep::store::MemoryStore;

use super::{EAGER, ETAG, RFC, SAFE};
use crate::support::{Harness, answered, request, response};
use crate::upgrades::serve;

/// 1xx, whoever made a final answer of it, and whatever it says.
#[tokio::test]
async fn c43_an_interim_status_is_never_stored_nor_does_it_change_what_is() {
    for policy in [SAFE, RFC, SAFE.post_fills_get()] {
        for status in [100, 101, 102, 103, 104, 199] {
            let cache = Harness::with(
                |layer| layer.policy(policy.clone()),
                move |request, _| {
                    let own = [EAGER, ETAG, ("content-location", "/")];
                    if !request.headers().contains_key("odd") {
                        return response(&[("cache-control", "max-age=60"), ETAG], "page");
                    }
                    let mut made = answered(status, &own, "");
                    let hint = CacheHint::fresh_for(Duration::from_secs(60)).public();
                    made.extensions_mut().insert(hint);
                    made
                },
            );
            for method in ["GET", "HEAD", "POST", "GET"] {
                let got = cache.send(request(method, "/", &[("odd", "1")])).await;
                assert_eq!((got.status.as_u16(), got.is_hit()), (status, false));
                assert!(cache.store.is_empty(), "{method} {status}");
            }
            assert_eq!(cache.get("/", &[]).await.body, "page");
            cache.advance(60);
            assert_eq!(cache.get("/", &[("odd", "1")]).await.status, status, "to a condition");
            assert!(!cache.store.is_empty(), "{status} tells nothing of what is stored");
            assert!(!cache.get("/", &[("odd", "1")]).await.is_hit(), "{status} freshens nothing");
        }
    }
}

/// Served on loopback: a page that is stored, and tunnels where the request asks for one.
async fn tunnels() -> (SocketAddr, MemoryStore) {
    async fn handler(mut request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let headers = request.headers();
        let asked = headers.get("upgrade").cloned();
        if *request.method() == Method::CONNECT && headers.contains_key("x-refuse") {
            return Ok(answered(405, &[EAGER, ETAG], "no"));
        }
        if asked.is_none() && *request.method() != Method::CONNECT {
            return Ok(response(&[EAGER, ETAG], "page"));
        }
        let mut made = response(&[EAGER, ETAG, ("capsule-protocol", "?1")], "");
        if let Some(asked) = asked {
            *made.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let accept = format!("accepted {}", headers["sec-websocket-key"].to_str().unwrap());
            made.headers_mut().insert("sec-websocket-accept", accept.parse().unwrap());
            made.headers_mut().insert("connection", "upgrade".parse().unwrap());
            made.headers_mut().insert("upgrade", asked);
        }
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut from, mut to) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
            tokio::io::copy(&mut from, &mut to).await.unwrap();
        });
        Ok(made)
    }
    let store = MemoryStore::with_bytes_max(1 << 20);
    (serve(CacheLayer::new(store.clone()).layer(service_fn(handler))).await, store)
}

async fn open(to: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads up to where this has come.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &[u8]) -> String {
    let mut came = Vec::new();
    while !came.ends_with(end) {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_u8());
        came.push(read.await.expect("it comes in time").expect("it is not closed before"));
    }
    String::from_utf8_lossy(&came).into_owned()
}

async fn page(to: SocketAddr, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    read_until(&mut open(to, &head).await, b"page").await
}

/// The target of a handshake may be that of a page, which is stored, before and after it.
#[tokio::test]
async fn c43_websockets_and_connect_udp_of_http1_pass_untouched() {
    let (address, store) = tunnels().await;
    let masque = "/.well-known/masque/udp/192.0.2.6/443/";
    for (path, protocol) in [("/chat", "websocket"), (masque, "connect-udp")] {
        assert!(page(address, path).await.contains("fwd=uri-miss"));
        assert!(page(address, path).await.contains("; hit"));
        let entries = store.entries();
        for key in ["dGhlIHNhbXBsZSBub25jZQ==", "YW5vdGhlciBub25jZSEhIQ=="] {
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nEarly-Data: 1\r\n\r\n"
            );
            let mut stream = open(address, &head).await;
            let head = read_until(&mut stream, b"\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            for line in [
                &*format!("sec-websocket-accept: accepted {key}\r\n"),
                &format!("upgrade: {protocol}\r\n"),
                "connection: upgrade\r\n",
                "capsule-protocol: ?1\r\n",
                "cache-status: tower-keep; fwd=bypass; detail=upgrade\r\n",
            ] {
                assert!(head.contains(line), "{line} in {head}");
            }
            assert!(!head.contains("\r\nage: "), "{head}");
            // A text frame with its mask, a ping, and bytes that look like a request.
            for frame in [&b"\x81\x82abcdef"[..], b"\x89\x80abcd", b"GET / HTTP/1.1\r\n\r\n"] {
                stream.write_all(frame).await.unwrap();
                read_until(&mut stream, frame).await;
            }
        }
        assert_eq!(store.entries(), entries);
        assert!(page(address, path).await.contains("; hit"), "the page stays what it was");
    }
}

/// RFC 8441, RFC 9298: the tunnels of HTTP/2, to a target that is stored.
#[tokio::test]
async fn c43_c60_extended_connect_is_never_looked_up_nor_stored() {
    let (address, store) = tunnels().await;
    for path in ["/chat", "/udp"] {
        page(address, path).await;
    }
    let entries = store.entries();
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let plain = Request::get("http://a.test/chat").body(Empty::<Bytes>::new()).unwrap();
    client.send_request(plain).await.unwrap();
    for (path, protocol) in [("/chat", "websocket"), ("/udp", "connect-udp")] {
        for is_refused in [true, false, false] {
            let mut connect = Request::connect(format!("http://a.test{path}"))
                .extension(Protocol::from_static(protocol));
            if is_refused {
                connect = connect.header("x-refuse", "1");
            }
            let response = client.send_request(connect.body(Empty::new()).unwrap()).await.unwrap();
            assert_eq!(response.status(), if is_refused { 405 } else { 200 });
            let told = &response.headers()["cache-status"];
            assert_eq!(told, "tower-keep; fwd=bypass; detail=upgrade");
            if is_refused {
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "no");
                continue;
            }
            let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
            stream.write_all(b"ping").await.unwrap();
            assert_eq!(read_until(&mut stream, b"ping").await, "ping");
        }
        assert_eq!(store.entries(), entries, "{protocol}");
        assert!(page(address, path).await.contains("; hit"), "a refusal removes nothing");
    }
}

/// With any target, and whatever comes back: not even as a write, which would drop what is stored.
#[tokio::test]
async fn c43_connect_neither_asks_nor_changes_the_store() {
    let cache = Harness::with(
        |layer| layer.policy(RFC.post_fills_get()),
        |request, _| match *request.method() == Method::CONNECT {
            true => response(&[EAGER, ETAG, ("content-location", "/")], "tunnel"),
            false => response(&[EAGER, ETAG], "page"),
        },
    );
    cache.get("/", &[]).await;
    let (entries, bytes) = (cache.store.entries(), cache.store.bytes());
    for target in ["/", "a.test:80", "a.test:443", "http://a.test/"] {
        for fields in [&[][..], &[("upgrade", "websocket")], &[("x-http-method-override", "GET")]] {
            let got = cache.send(request("CONNECT", target, fields)).await;
            assert_eq!((&*got.body, got.reason()), ("tunnel", Some(Reason::Upgrade)), "{target}");
            assert_eq!(got.forward(), Some(Forward::Bypass));
            assert_eq!((cache.store.entries(), cache.store.bytes()), (entries, bytes));
        }
    }
    assert!(cache.get("/", &[]).await.is_hit());
}

/// The inner service may leave the offer alone and answer as it always does: that is not stored either.
#[tokio::test]
async fn c43_an_offer_to_upgrade_that_is_ignored_goes_past_the_cache() {
    for offer in ["websocket", "connect-udp", "h2c", "", "websocket, foo/2"] {
        let cache = Harness::new(|_, call| response(&[EAGER, ETAG], format!("call {call}")));
        let fields = [("connection", "upgrade"), ("upgrade", offer)];
        for method in ["GET", "HEAD", "GET"] {
            let got = cache.send(request(method, "/", &fields)).await;
            assert_eq!((got.is_hit(), got.reason()), (false, Some(Reason::Upgrade)), "{offer}");
            assert!(cache.store.is_empty(), "{offer}");
        }
        assert_eq!(cache.get("/", &[]).await.body, "call 3");
        assert_eq!(cache.get("/", &fields).await.body, "call 4", "{offer}");
        assert_eq!(cache.get("/", &[]).await.body, "call 3");
    }
}

/// hyper has no call for a 1xx that a service returns: no client sees it, and nobody is served it later.
#[tokio::test]
async fn c43_an_interim_response_that_a_server_cannot_relay_leaves_nothing_stored() {
    let inner = service_fn(|request: Request<Body>| {
        let is_odd = request.headers().contains_key("x-odd");
        let made = answered(if is_odd { 103 } else { 200 }, &[EAGER, ETAG], "page");
        std::future::ready(Ok::<_, Infallible>(if is_odd {
            made.map(|_| Body::empty())
        } else {
            made
        }))
    });
    let store = MemoryStore::with_bytes_max(1 << 20);
    let address = serve(CacheLayer::new(store.clone()).layer(inner)).await;
    let head = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Odd: 1\r\nConnection: close\r\n\r\n";
    let mut text = String::new();
    open(address, head).await.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 500 "), "{text}");
    assert!(store.is_empty());
    assert!(page(address, "/").await.contains("fwd=uri-miss"));
    assert!(page(address, "/").await.contains("; hit"));
}
