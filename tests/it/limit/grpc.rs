//! A limit around a tonic service, asked by a tonic client.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::Channel;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_keep::limit::{ClientAddress, LimitBy, NoKey, Quota, RateLimitFields, RateLimitLayer};
use tower_keep::test_util::ManualClock;

type Limit = RateLimitLayer<tower_keep::limit::MemoryLimitStore, ManualClock>;

/// Ten in a minute and two at once, for each address, however it is asked.
fn limit(clock: &ManualClock) -> Limit {
    let client = ClientAddress::of_peer(|info: &ConnectInfo<SocketAddr>| info.0.ip())
        .or_of_peer(|info: &TcpConnectInfo| info.remote_addr().map(|address| address.ip()));
    let quota = Quota::per_minute(10).burst(2);
    RateLimitLayer::with_clock(quota, LimitBy::client(client), clock.clone()).unwrap()
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A client of a health service behind this limit.
async fn caller(limit: Limit) -> HealthClient<Channel> {
    let (listener, address) = bind().await;
    let (_, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder().layer(limit).add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    HealthClient::new(channel.connect().await.unwrap())
}

async fn call(client: &mut HealthClient<Channel>) -> Result<(), tonic::Status> {
    client.check(HealthCheckRequest::default()).await.map(|_| ())
}

/// The status and the fields of a page behind this limit.
async fn page(address: SocketAddr) -> (u16, HeaderMap) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let response = client.get(format!("http://{address}/").parse().unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    body.collect().await.unwrap();
    (head.status.as_u16(), head.headers)
}

async fn app(limit: Limit) -> SocketAddr {
    let (listener, address) = bind().await;
    let app = Router::new().route("/", get(async || "page")).layer(limit);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

#[tokio::test]
async fn r17_a_grpc_client_is_told_resource_exhausted_and_how_long_to_wait() {
    let clock = ManualClock::new();
    let mut client = caller(limit(&clock)).await;
    for _ in 0..2 {
        call(&mut client).await.unwrap();
    }
    // A unit comes back in 6 s, of which 0.25 s are over.
    clock.advance(Duration::from_millis(250));
    let status = call(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let (code, message, wait) = details(status.details());
    assert_eq!((code, &*message), (8, status.message()));
    assert_eq!(wait, Duration::from_millis(5_750));
    let said = |name: &str| status.metadata().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(said("grpc-retry-pushback-ms"), Some("5750"));
    assert_eq!(said("cache-control"), Some("no-store"));

    clock.advance(wait - Duration::from_nanos(1));
    assert_eq!(call(&mut client).await.unwrap_err().code(), Code::ResourceExhausted);
    clock.advance(Duration::from_nanos(1));
    call(&mut client).await.unwrap();
}

#[tokio::test]
async fn r17_over_http_and_grpc_there_is_one_budget() {
    let clock = ManualClock::new();
    let limit = limit(&clock).fields(RateLimitFields::Draft11);
    let address = app(limit.clone()).await;
    let mut client = caller(limit.clone()).await;

    let (status, fields) = page(address).await;
    assert_eq!(status, 200);
    assert_eq!(fields["ratelimit"], "\"10-in-60s-burst-2\";r=1;t=6");
    call(&mut client).await.unwrap();
    let status = call(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(details(status.details()).2, Duration::from_secs(6));
    let (status, fields) = page(address).await;
    assert_eq!(status, 429);
    assert_eq!(fields["retry-after"], "6");
    assert!(!fields.contains_key("grpc-status"));

    // What comes back is for either, and once.
    clock.advance(Duration::from_secs(6));
    call(&mut client).await.unwrap();
    assert_eq!(page(address).await.0, 429);
    clock.advance(Duration::from_secs(6));
    assert_eq!(page(address).await.0, 200);
    assert_eq!(call(&mut client).await.unwrap_err().code(), Code::ResourceExhausted);
    let stats = limit.handle().stats();
    assert_eq!((stats.admitted, stats.refused, stats.keyless), (4, 4, 0));
}

/// A limit that looks for axum's address alone has no key for tonic's requests, and says in gRPC's way whose fault that is.
#[tokio::test]
async fn r17_a_call_without_a_key_is_an_internal_error_of_the_server() {
    let axum_alone = LimitBy::peer(|info: &ConnectInfo<SocketAddr>| info.0.ip());
    let limit =
        RateLimitLayer::with_clock(Quota::per_minute(1), axum_alone, ManualClock::new()).unwrap();
    let mut client = caller(limit.clone()).await;
    let status = call(&mut client).await.unwrap_err();
    assert_eq!((status.code(), status.details().len()), (Code::Internal, 0));
    let mut client = caller(limit.no_key(NoKey::Allow)).await;
    for _ in 0..3 {
        call(&mut client).await.unwrap();
    }
}

/// The code, the message and the wait of a `google.rpc.Status` that holds one `google.rpc.RetryInfo`.
fn details(bytes: &[u8]) -> (u64, String, Duration) {
    let number = |bytes: &[u8], field: u64| match find(bytes, field) {
        None => 0,
        Some(Held::Number(number)) => number,
        Some(Held::Bytes(_)) => panic!("field {field} should be a number"),
    };
    let inside = |bytes, field| match find(bytes, field) {
        Some(Held::Bytes(bytes)) => bytes,
        _ => panic!("field {field} should be bytes"),
    };
    let any = inside(bytes, 3);
    assert_eq!(inside(any, 1), b"type.googleapis.com/google.rpc.RetryInfo");
    let delay = inside(inside(any, 2), 1);
    let wait = Duration::new(number(delay, 1), number(delay, 2).try_into().unwrap());
    (number(bytes, 1), String::from_utf8(inside(bytes, 2).to_vec()).unwrap(), wait)
}

enum Held<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// What a message of protocol buffers has in this field.
fn find(mut bytes: &[u8], field: u64) -> Option<Held<'_>> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let number = varint(&mut bytes);
        let held = match key & 7 {
            0 => Held::Number(number),
            2 => {
                let (held, rest) = bytes.split_at(number.try_into().unwrap());
                bytes = rest;
                Held::Bytes(held)
            }
            other => panic!("wire type {other}"),
        };
        if key >> 3 == field {
            return Some(held);
        }
    }
    None
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let length = bytes.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let (digits, rest) = bytes.split_at(length);
    *bytes = rest;
    digits.iter().rev().fold(0, |number, digit| (number << 7) | u64::from(digit & 0x7f))
}
