//! How much memory the gateway takes while its store is filled ten times over, by real sockets. The one test
//! of its own program: nothing else allocates here but the origin and the client, which keep nothing.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "a test may, and not all of the gateway is used"
)]

#[path = "../examples/gateway/fields.rs"]
mod fields;
#[path = "../examples/gateway/front.rs"]
mod front;
#[path = "../examples/gateway/interim.rs"]
mod interim;
#[path = "../examples/gateway/proxy.rs"]
mod proxy;
#[path = "../examples/gateway/server.rs"]
mod server;
#[path = "../examples/gateway/upstream.rs"]
mod upstream;

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use http::Request;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use peak_alloc::PeakAlloc;
use tokio::net::TcpListener;
use tower::Layer as _;
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const NAME: &str = "gateway";
const BUDGET_BYTES: usize = 16 << 20;

fn complain(message: &str) {
    eprintln!("{message}");
}

/// A page as long as its path says, with eight fields.
async fn page(Path((bytes, n)): Path<(usize, usize)>) -> impl IntoResponse {
    let fields = [
        ("cache-control", "public, max-age=3600".to_owned()),
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("etag", format!("\"{n}\"")),
        ("last-modified", "Sat, 21 Nov 2026 04:00:00 GMT".to_owned()),
        ("x-request-id", format!("8e5b1a6c-{n}")),
        ("cache-groups", format!("\"page-{n}\"")),
        ("vary", if n.is_multiple_of(3) { "accept-encoding" } else { "" }.to_owned()),
        ("content-language", "en".to_owned()),
    ];
    (fields, "x".repeat(bytes))
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn the_gateway_stays_within_its_budget_while_it_is_filled_ten_times_over() {
    let (origin, origin_at) = listener().await;
    let pages = Router::new().route("/{bytes}/{n}", get(page));
    tokio::spawn(async move { axum::serve(origin, pages).await });
    let (public, public_at) = listener().await;
    let store = MemoryStore::with_bytes_max(BUDGET_BYTES as u64);
    let upstream = upstream::Upstream::parse(&format!("http://{origin_at}")).unwrap();
    let proxy = proxy::Proxy::new(upstream, Duration::from_secs(10));
    let service = CacheLayer::new(store.clone()).layer(proxy);
    tokio::spawn(server::serve(public, service, std::future::pending()));
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();

    let (mut sent, mut highest, mut n) = (0, 0, 0);
    let before = MEMORY.current_usage();
    while sent < 10 * BUDGET_BYTES {
        let bytes = [100, 2_000, 9_000, 60_000][n % 4];
        let uri = format!("http://{public_at}/{bytes}/{n}");
        let request = Request::get(uri).header("accept-encoding", "gzip").body(Body::empty());
        let response = client.request(request.unwrap()).await.unwrap();
        let stored = response.headers()["cache-status"].to_str().unwrap().contains("stored");
        assert!(stored, "{:?}", response.headers());
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), bytes);
        (sent, n) = (sent + bytes, n + 1);
        highest = highest.max(MEMORY.current_usage().saturating_sub(before));
    }
    println!(
        "{n} responses of {} MiB in all: at most {:.3} of the budget, {} entries now",
        sent >> 20,
        highest as f64 / BUDGET_BYTES as f64,
        store.entries()
    );
    assert!(store.bytes() > BUDGET_BYTES as u64 / 10 * 9, "it was filled");
    assert!(highest < BUDGET_BYTES / 10 * 11, "{highest}");
}
