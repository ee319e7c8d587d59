//! The gateway's own code for purging, in this process: with a store that fails and a clock that stands still.

#[path = "../../../../examples/gateway/purging/mod.rs"]
mod purging;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::FutureExt as _;
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tower_keep::cache::CacheLayer;
use tower_keep::store::{CacheKey, Entry, MemoryStore, Store, StoreError, StoreErrorKind};
use tracing_subscriber::fmt::MakeWriter;

use super::{SECRET, SecretFile};
use purging::Secret;

fn desk(store: impl Store) -> Router {
    let file = SecretFile::of(&format!("{SECRET}\r\n"));
    let secret = Secret::read(file.path().as_ref()).unwrap();
    purging::routes(CacheLayer::new(store).handle(), secret)
}

fn request(query: &str, secret: &str) -> Request<Body> {
    let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
    Request::post(format!("/purge?{query}"))
        .header("authorization", format!("Bearer {secret}"))
        .extension(ConnectInfo(peer))
        .body(Body::empty())
        .unwrap()
}

async fn status(desk: &Router, query: &str, secret: &str) -> u16 {
    desk.clone().oneshot(request(query, secret)).await.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn c52_ten_wide_purges_pass_in_a_second_and_strangers_use_none_of_them() {
    let desk = desk(MemoryStore::with_bytes_max(1 << 20));
    for round in 0..3 {
        for _ in 0..20 {
            assert_eq!(status(&desk, "all=1", "not the secret").await, 401);
            assert_eq!(status(&desk, "url=http://a.test/", SECRET).await, 200);
            assert_eq!(status(&desk, "all=0", SECRET).await, 400);
        }
        for at in 0..10 {
            let query = ["all=1", "tag=a", "prefix=http://a.test/"][at % 3];
            assert_eq!(status(&desk, query, SECRET).await, 200, "{round} {at}");
        }
        for query in ["all=1", "tag=a", "prefix=http://a.test/"] {
            assert_eq!(status(&desk, query, SECRET).await, 429, "{round}");
        }
        assert_eq!(status(&desk, "url=http://a.test/", SECRET).await, 200);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(status(&desk, "tag=a", SECRET).await, 429, "{round}");
        tokio::time::advance(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn c52_strangers_fill_no_log() {
    let log = Log::default();
    let _noted = log.noted();
    let desk = desk(MemoryStore::with_bytes_max(1 << 20));
    for _ in 0..2 {
        for _ in 0..50 {
            assert_eq!(status(&desk, "all=1", "not the secret").await, 401);
        }
        let lines = log.take();
        assert_eq!(lines.len(), 10, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("no more of these")).count(), 1);
        assert!(lines[9].contains("no more of these"), "{lines:?}");
        // Nobody hides behind them.
        assert_eq!(status(&desk, "all=1", SECRET).await, 200);
        assert_eq!(log.take().len(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn c52_a_store_that_fails_is_503_and_says_that_it_may_still_be_served() {
    let log = Log::default();
    let _noted = log.noted();
    let desk = desk(Failing);
    let response = desk.oneshot(request("url=http://a.test/", SECRET)).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(told["detail"].as_str().unwrap().contains("may still be served"), "{told}");
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(r#"peer=192.0.2.1:1 what="url" value="http://a.test/""#),
        "{lines:?}"
    );
    assert!(lines[0].contains(r#"outcome="failed""#), "{lines:?}");
}

#[tokio::test]
async fn c52_a_client_that_hangs_up_neither_stops_the_purge_nor_keeps_it_out_of_the_log() {
    let log = Log::default();
    let _noted = log.noted();
    let store = crate::doubles::Keeping::slow();
    let desk = desk(store.clone());
    let mut response = Box::pin(desk.oneshot(request("url=http://a.test/", SECRET)));
    assert!(response.as_mut().now_or_never().is_none());
    drop(response);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(store.asked().removals > 0);
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(r#"outcome="done""#), "{lines:?}");
}

struct Failing;

impl Store for Failing {
    async fn get(&self, _: &CacheKey) -> Result<Option<Entry>, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unavailable))
    }

    async fn put(&self, _: &CacheKey, _: Entry, _: Duration) -> Result<(), StoreError> {
        Err(StoreError::new(StoreErrorKind::Unavailable))
    }

    async fn remove(&self, _: &CacheKey) -> Result<(), StoreError> {
        Err(StoreError::new(StoreErrorKind::Unavailable))
    }
}

/// What is logged on this thread, on which a test's whole runtime runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn noted(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_writer(self.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The lines about purges since this was asked last.
    fn take(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        text.lines().filter(|line| line.contains("gateway::audit")).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
