//! One budget for each client, over HTTP and over gRPC: an axum router and a tonic service behind the same limit.
//!
//! ```text
//! cargo run --example one_budget              # serves; ask it with the curl line that it prints, and with any client of grpc.health.v1
//! cargo run --example one_budget -- --check   # asks itself over both; exit status 0 if what one spends the other lacks
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::RETRY_AFTER;
use axum::http::{Request, Uri};
use axum::routing::get;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_keep::limit::{
    ClientAddress, LimitBy, Quota, QuotaError, RateLimitFields, RateLimitLayer,
};

/// Each server tells in its own way from where a request comes. A clone of the layer is the same limit, so both spend one budget.
fn limit() -> Result<RateLimitLayer, QuotaError> {
    let client = ClientAddress::of_peer(|info: &ConnectInfo<SocketAddr>| info.0.ip())
        .or_of_peer(|info: &TcpConnectInfo| info.remote_addr().map(|address| address.ip()));
    let limit =
        RateLimitLayer::new(Quota::per_minute(BURST).burst(BURST), LimitBy::client(client))?;
    Ok(limit.fields(RateLimitFields::Draft11))
}

/// Serves both, until one of them fails.
async fn serve(http: TcpListener, grpc: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let limit = limit()?;
    let app = Router::new().route("/hello", get(async || "hello\n")).layer(limit.clone());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    // The health service of gRPC; yours takes its place, or stands beside it.
    let (_, health) = tonic_health::server::health_reporter();
    let calls = tonic::transport::Server::builder().layer(limit).add_service(health);
    let calls = calls.serve_with_incoming(TcpIncoming::from(grpc));
    tokio::select! {
        ended = axum::serve(http, app).into_future() => Ok(ended?),
        ended = calls => Ok(ended?),
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    match std::env::args().nth(1).as_deref() {
        None => {
            let (http, grpc) = (listen(3000..=3009).await?, listen(50051..=50060).await?);
            println!("{BURST} requests in a minute, over both together:\n");
            println!("    curl -i http://{}/hello", http.local_addr()?);
            println!("    grpcurl -plaintext {} grpc.health.v1.Health/Check\n", grpc.local_addr()?);
            println!("(grpcurl needs the .proto of grpc.health.v1, with -proto.) Ctrl-C ends it.");
            serve(http, grpc).await?;
            Ok(ExitCode::SUCCESS)
        }
        Some("--check") => tokio::time::timeout(CHECK_MAX, check()).await?,
        Some(_) => {
            eprintln!("one_budget takes no argument but --check");
            Ok(ExitCode::from(2))
        }
    }
}

/// Spends the budget over HTTP and gRPC in turn, then asks once more over each.
async fn check() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let (http, grpc) = (listen(0..=0).await?, listen(0..=0).await?);
    let page: Uri = format!("http://{}/hello", http.local_addr()?).parse()?;
    let calls = format!("http://{}", grpc.local_addr()?);
    tokio::spawn(serve(http, grpc));
    let browser = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let mut caller = HealthClient::new(Channel::from_shared(calls)?.connect().await?);

    let mut answers = Vec::new();
    for at in 0..BURST + 2 {
        let answer = if at % 2 == 0 {
            let response = browser.request(Request::get(&page).body(Body::empty())?).await?;
            let wait = response.headers().get(RETRY_AFTER);
            let wait = wait.and_then(|secs| secs.to_str().ok()).unwrap_or("-");
            format!("HTTP {}, Retry-After: {wait}", response.status().as_u16())
        } else {
            match caller.check(HealthCheckRequest::default()).await {
                Ok(_) => "gRPC Ok, RetryInfo: false".to_owned(),
                Err(status) => {
                    let has_wait = String::from_utf8_lossy(status.details()).contains(RETRY_INFO);
                    format!("gRPC {:?}, RetryInfo: {has_wait}", status.code())
                }
            }
        };
        println!("{answer}");
        answers.push(answer);
    }
    let (let_in, refused) = answers.split_at(usize::try_from(BURST)?);
    let is_let_in = |answer: &String| answer.contains("HTTP 200") || answer.contains("gRPC Ok");
    let is_refused = matches!(refused, [page, call]
        if page.starts_with("HTTP 429, Retry-After: ") && !page.ends_with('-')
            && call == "gRPC ResourceExhausted, RetryInfo: true");
    if let_in.iter().all(is_let_in) && is_refused {
        println!("ok: {BURST} in all, and then neither is let in");
        return Ok(ExitCode::SUCCESS);
    }
    println!("wrong: expected {BURST} that are let in, and then a 429 and a RESOURCE_EXHAUSTED");
    Ok(ExitCode::FAILURE)
}

/// The first port of these that is free on the loopback address.
async fn listen(ports: RangeInclusive<u16>) -> std::io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = ports.map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
    TcpListener::bind(&addresses[..]).await
}

/// At once, and in a minute.
const BURST: u64 = 4;

/// The type of the details from which a gRPC client learns how long to wait.
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The first unit comes back after 15 s; what takes that long has hung.
const CHECK_MAX: Duration = Duration::from_secs(10);
