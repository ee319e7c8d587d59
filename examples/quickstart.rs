//! A slow handler, and the cache that makes it fast.
//!
//! ```text
//! cargo run --example quickstart              # serves; ask it twice with the curl lines that it prints
//! cargo run --example quickstart -- --check   # asks itself twice; exit status 0 if the second was a hit
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{Request, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;

/// How often the handler ran. A hit runs no handler.
type Runs = Arc<AtomicU32>;

fn app(runs: Runs) -> Router {
    let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).cache_status("quickstart");
    Router::new().route("/hello/{name}", get(hello)).layer(cache).with_state(runs)
}

/// Takes 300 ms, and says that the answer is good for a minute.
async fn hello(State(runs): State<Runs>, Path(name): Path<String>) -> impl IntoResponse {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
    ([(CACHE_CONTROL, "max-age=60")], format!("Hello, {name}! This is run {run} of the handler.\n"))
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        None => serve().await,
        Some("--check") => check().await,
        Some(_) => {
            eprintln!("quickstart takes no argument but --check");
            Ok(ExitCode::from(2))
        }
    }
}

async fn serve() -> Result<ExitCode, Box<dyn Error>> {
    let listener = listen(3000..=3009).await?;
    let address = listener.local_addr()?;
    println!("Ask twice. The first answer takes 300 ms, the second comes from the cache:\n");
    println!("    curl -i http://{address}/hello/world");
    println!("    curl -i http://{address}/hello/world\n");
    println!("Cache-Status tells which was which. Ctrl-C ends it.");
    axum::serve(listener, app(Runs::default())).await?;
    Ok(ExitCode::SUCCESS)
}

/// The same two requests, over a real socket, by the program itself.
async fn check() -> Result<ExitCode, Box<dyn Error>> {
    let listener = listen(0..=0).await?;
    let uri: Uri = format!("http://{}/hello/world", listener.local_addr()?).parse()?;
    let runs = Runs::default();
    tokio::spawn(axum::serve(listener, app(runs.clone())).into_future());

    let first = ask(&uri).await?;
    let second = ask(&uri).await?;
    let runs = runs.load(Ordering::Relaxed);
    if first.contains("; fwd=") && second.contains("; hit") && runs == 1 {
        println!("ok: a miss, then a hit that ran no handler");
        return Ok(ExitCode::SUCCESS);
    }
    println!("wrong: expected a miss, then a hit, and one run of the handler; it ran {runs} times");
    Ok(ExitCode::FAILURE)
}

/// Sends one GET, prints what came, and gives back its Cache-Status.
async fn ask(uri: &Uri) -> Result<String, Box<dyn Error>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let asked = Instant::now();
    let response = client.request(Request::get(uri).body(Body::empty())?).await?;
    let status = response.status();
    let cache_status = match response.headers().get("cache-status") {
        Some(value) => value.to_str()?.to_owned(),
        None => String::new(),
    };
    let body = response.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    println!("GET {uri}\n    {status} after {} ms", asked.elapsed().as_millis());
    println!("    Cache-Status: {cache_status}\n    {text}");
    Ok(cache_status)
}

/// The first port of these that is free on the loopback address.
async fn listen(ports: std::ops::RangeInclusive<u16>) -> std::io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = ports.map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
    TcpListener::bind(&addresses[..]).await
}
