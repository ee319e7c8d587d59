//! Over real connections: clients that go away, handlers that panic, streams that are cancelled.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tower::{Layer as _, service_fn};
use tower_keep::limit::KeyedConcurrencyLayer;

use super::{at_once, from, in_flight, soon, until};
use crate::scripted::Step::{self, Data};
use crate::scripted::paused;
use crate::upgrades::serve;

/// Serves a body that never ends, or what the path says. The bodies are held open by the second.
async fn server(
    layer: &KeyedConcurrencyLayer,
) -> (SocketAddr, Arc<Mutex<Vec<UnboundedSender<Step>>>>) {
    let open = Arc::new(Mutex::new(Vec::new()));
    let scripts = open.clone();
    let service = service_fn(move |request: Request<Body>| {
        let scripts = scripts.clone();
        async move {
            match request.uri().path() {
                "/pending" => std::future::pending::<()>().await,
                "/panic" => panic!("the handler panics"),
                "/switch" => {
                    let response = Response::builder().status(101);
                    let response = response.header("connection", "upgrade");
                    return response
                        .header("upgrade", "echo")
                        .body(Body::empty())
                        .map_err(|_| unreachable!());
                }
                _ => {}
            }
            let (script, body, _) = paused();
            script.send(Data("first")).unwrap();
            scripts.lock().unwrap().push(script);
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    (serve(layer.layer(service)).await, open)
}

/// Sends a request of HTTP/1.1, and reads until these words.
async fn open(to: SocketAddr, line: &str, fields: &str, until: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nHost: a.test\r\nWho: ada\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(until) {
        read.push(soon(stream.read_u8()).await.unwrap());
    }
    stream
}

#[tokio::test]
async fn r12_a_client_that_goes_away_in_mid_body_is_in_flight_no_longer() {
    let layer = at_once(1);
    let (address, _open) = server(&layer).await;
    let client = open(address, "GET /", "", "first").await;
    assert_eq!(in_flight(&layer), (1, 1));
    open(address, "GET /", "", "429 Too Many Requests").await;
    drop(client);
    until(&layer, 0).await;
    open(address, "GET /", "", "200 OK").await;
}

#[tokio::test]
async fn r12_a_client_that_goes_away_before_the_head_is_in_flight_no_longer() {
    let layer = at_once(1);
    let (address, _open) = server(&layer).await;
    let client = open(address, "GET /pending", "", "").await;
    until(&layer, 1).await;
    drop(client);
    until(&layer, 0).await;
}

#[tokio::test]
async fn r12_a_handler_that_panics_in_a_server_leaves_nothing_behind() {
    let layer = at_once(1);
    let (address, _open) = server(&layer).await;
    for admitted in 1..=3 {
        let mut client = open(address, "GET /panic", "", "").await;
        assert_eq!(soon(client.read(&mut [0; 64])).await.unwrap_or(0), 0, "no answer");
        until(&layer, 0).await;
        assert_eq!(layer.handle().stats().admitted, admitted);
    }
}

#[tokio::test]
async fn r12_the_body_of_an_answer_to_head_is_dropped_and_a_tunnel_is_not_counted() {
    let layer = at_once(1);
    let (address, _open) = server(&layer).await;
    let _client = open(address, "HEAD /", "", "\r\n\r\n").await;
    until(&layer, 0).await;
    let switch = "Connection: upgrade\r\nUpgrade: echo\r\n";
    let _tunnel = open(address, "GET /switch", switch, "101 Switching").await;
    until(&layer, 0).await;
    assert_eq!(layer.handle().stats().admitted, 2);
}

async fn connect(address: SocketAddr) -> SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    client
}

fn get(path: &str) -> Request<Body> {
    let mut request = from("ada");
    *request.uri_mut() = format!("http://a.test{path}").parse().unwrap();
    request
}

#[tokio::test]
async fn r19_each_stream_of_a_connection_is_a_request_and_a_cancelled_one_is_none() {
    let layer = at_once(100);
    let (address, _open) = server(&layer).await;
    let mut client = connect(address).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut response = soon(client.send_request(get("/"))).await.unwrap();
        assert_eq!(response.status(), 200);
        response.body_mut().frame().await.unwrap().unwrap();
        streams.push(response);
    }
    assert_eq!(in_flight(&layer), (1, 100));
    assert_eq!(soon(client.send_request(get("/"))).await.unwrap().status(), 429);
    streams.truncate(60);
    until(&layer, 60).await;
    assert_eq!(soon(client.send_request(get("/"))).await.unwrap().status(), 200);
    drop(client);
    drop(streams);
    until(&layer, 0).await;
}

#[tokio::test]
async fn r19_streams_that_are_reset_before_their_head_leave_nothing_behind() {
    let layer = at_once(1_000);
    let (address, _open) = server(&layer).await;
    for _ in 0..20 {
        let mut client = connect(address).await;
        let calls: Vec<_> = (0..50).map(|_| client.send_request(get("/pending"))).collect();
        until(&layer, 50).await;
        drop(calls);
        until(&layer, 0).await;
    }
    assert_eq!(layer.handle().stats().admitted, 1_000);
}
