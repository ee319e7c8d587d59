//! Over real connections to an origin: how a broken message looks to a proxy.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::Body;
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;

use crate::scripted::Step::{self, Data, Pending};
use crate::scripted::{fresh, scripted};
use crate::support::request;

/// A client of this origin, as the inner service of a proxy would be.
fn proxy_to(
    origin: SocketAddr,
    is_http2: bool,
) -> impl Service<Request<Body>, Response = Response<Incoming>, Error = Error, Future: Send> + Clone + Send
{
    let client = Client::builder(TokioExecutor::new()).http2_only(is_http2).build_http();
    service_fn(move |mut request: Request<Body>| {
        let target = request.uri().path_and_query().unwrap();
        *request.uri_mut() = format!("http://{origin}{target}").parse::<Uri>().unwrap();
        client.request(request)
    })
}

/// Answers each connection with these bytes, and closes.
async fn origin_saying(response: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    address
}

/// Whether two requests get this body whole, the second of them from the store.
async fn is_stored<S>(inner: S) -> bool
where
    S: Service<Request<Body>, Response = Response<Incoming>, Error = Error>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let store = MemoryStore::with_bytes_max(1 << 20);
    let service = CacheLayer::new(store.clone()).layer(inner);
    let mut whole = 0;
    for _ in 0..2 {
        let response = service.clone().oneshot(request("GET", "/", &[])).await.unwrap();
        assert_eq!(response.status(), 200);
        if let Ok(body) = response.into_body().collect().await {
            assert_eq!(body.to_bytes(), "abcdef");
            whole += 1;
        }
    }
    assert!(whole == 0 || whole == 2);
    assert_eq!(store.is_empty(), whole == 0);
    whole == 2
}

#[tokio::test]
async fn c35_message_that_breaks_off_in_http1_is_never_stored() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";
    let messages = [
        ("Content-Length: 6\r\n\r\nabcdef", true),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", true),
        ("Content-Length: 6\r\n\r\n", false),
        ("Content-Length: 6\r\n\r\nabc", false),
        ("Transfer-Encoding: chunked\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n6\r\nabc", false),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n", false),
        ("Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n6\r\nabcdef\r\n0\r\nx-s", false),
    ];
    for (rest, expected) in messages {
        let message: &'static str = format!("{HEAD}{rest}").leak();
        let inner = proxy_to(origin_saying(message).await, false);
        assert_eq!(is_stored(inner).await, expected, "{rest:?}");
    }
}

/// A body in error is RST_STREAM; one that ends before its length is a malformed message.
#[tokio::test]
async fn c35_stream_that_is_reset_in_http2_is_never_stored() {
    let scripts: [(&str, &'static [Step], bool); 6] = [
        ("6", &[Data("abc"), Data("def")], true),
        ("", &[Data("abc"), Pending, Data("def")], true),
        ("", &[Data("abc"), Pending, Step::Error], false),
        ("6", &[Data("abc"), Pending, Step::Error], false),
        ("", &[Data("abcdef"), Pending, Step::Error], false),
        ("6", &[Data("abc")], false),
    ];
    for (length, steps, expected) in scripts {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = hyper::service::service_fn(move |_| async move {
            let fields = [("content-length", length)];
            let fields = if length.is_empty() { &[][..] } else { &fields };
            Ok::<_, Infallible>(fresh(fields, scripted(steps)))
        });
        tokio::spawn(async move {
            loop {
                let stream = TokioIo::new(listener.accept().await.unwrap().0);
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(stream, answer));
            }
        });
        assert_eq!(is_stored(proxy_to(address, true)).await, expected, "{length:?} {steps:?}");
    }
}
