//! Origins for the gateway to stand in front of, on the test's own runtime.

use std::net::SocketAddr;

use axum::Router;
use axum::handler::Handler;
use http::{HeaderMap, Method, Uri};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::wire::read_until;

/// Every request goes to this handler.
pub(super) async fn of<H: Handler<T, ()>, T: 'static>(handler: H) -> SocketAddr {
    let (listener, address) = bind().await;
    let app = Router::new().fallback(handler);
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// Answers with the request's head as it came.
pub(super) async fn echo() -> SocketAddr {
    of(async |method: Method, uri: Uri, fields: HeaderMap| {
        let mut text = format!("{method} {uri}\n");
        for (name, value) in &fields {
            text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
        }
        text
    })
    .await
}

/// Answers every connection's first request with these bytes, and closes.
pub(super) async fn saying(response: &'static str) -> SocketAddr {
    let (listener, address) = bind().await;
    tokio::spawn(async move {
        loop {
            answer(&listener, response).await;
        }
    });
    address
}

/// Answers one request with these bytes; after that nobody listens there.
pub(super) async fn saying_once(response: &'static str) -> SocketAddr {
    let (listener, address) = bind().await;
    tokio::spawn(async move {
        // Gone before the client has the answer, so that its next request finds nobody.
        let stream = accept(listener).await;
        write(stream, response).await;
    });
    address
}

/// An address where nobody listens.
pub(super) async fn nobody() -> SocketAddr {
    bind().await.1
}

pub(super) async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn answer(listener: &TcpListener, response: &str) {
    let (stream, _) = listener.accept().await.unwrap();
    write(stream, response).await;
}

async fn accept(listener: TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

async fn write(mut stream: TcpStream, response: &str) {
    read_until(&mut stream, "\r\n\r\n").await;
    stream.write_all(response.as_bytes()).await.unwrap();
}
