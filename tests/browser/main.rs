//! What a real browser does with the tags and the 304s: it keeps a dynamic page, asks each time, and takes the body only
//! when it has changed.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may"
)]

mod chromium;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use chromium::Chromium;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tower::ServiceBuilder;
use tower_keep::conditional::{ConditionalLayer, EtagLayer};

#[tokio::test]
#[ignore = "needs Chromium: .ci/run runs it"]
async fn a_browser_takes_a_body_once_and_again_when_it_has_changed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (site, mut reports) = Site::new();
    tokio::spawn(serve(listener, app(site.clone())).into_future());

    let mut browser = Chromium::open(&url);
    let loads = tokio::select! {
        loads = all(&mut reports) => Ok(loads),
        log = browser.ended() => Err(format!("Chromium ended early:\n{log}")),
        () = tokio::time::sleep(DEADLINE) => Err(format!("it is not done in {DEADLINE:?}")),
    };
    browser.close().await;
    let loads = loads.unwrap_or_else(|why| panic!("{why}\n{:#?}", site.exchanges.lock().unwrap()));

    let exchanges = site.exchanges.lock().unwrap();
    for (name, path) in [("page", "/"), ("data", "/data")] {
        let of: Vec<&Exchange> = exchanges.iter().filter(|seen| seen.path == path).collect();
        assert_eq!(of.len(), EXPECTED.len(), "{of:#?}");
        let mut last = None;
        for (n, (state, status)) in EXPECTED.into_iter().enumerate() {
            let Exchange { held, tag, .. } = of[n];
            let at = format!("{path}, load {n}: {:#?}\n{loads:#?}", of[n]);
            // It asks with the tag that it got last.
            assert_eq!((of[n].status, held), (status, &last), "{at}");
            let is_whole = of[n].bytes > BODY_BYTES;
            assert!(is_whole == (status == 200) && (is_whole || of[n].bytes == 0), "{at}");
            assert_eq!(tag == held, status == 304, "{at}");
            last.clone_from(tag);
            // By the browser's own account: what is shown is whole, and came or did not come over the network.
            assert_eq!(loads[n][name], format!("{name} {state}"), "{at}");
            let transferred = loads[n][format!("{name}_transferred")].as_u64().unwrap();
            assert_eq!(transferred > BODY_BYTES as u64, status == 200, "{at}");
        }
    }
}

/// What each load shows, and how it comes over the network.
const EXPECTED: [(usize, u16); 5] = [(1, 200), (1, 304), (1, 304), (2, 200), (2, 304)];
/// What the page does after each load.
const NEXT: [&str; EXPECTED.len()] = ["reload", "reload", "change", "reload", "end"];
const BODY_BYTES: usize = 20 << 10;
const DEADLINE: Duration = Duration::from_secs(60);

async fn all(reports: &mut UnboundedReceiver<Value>) -> Vec<Value> {
    let mut loads = Vec::new();
    while loads.len() < EXPECTED.len() {
        loads.push(reports.recv().await.expect("the site is there"));
    }
    loads
}

struct Site {
    state: AtomicUsize,
    loads: AtomicUsize,
    reports: UnboundedSender<Value>,
    exchanges: Mutex<Vec<Exchange>>,
}

/// A request and its response, as seen outside the layers.
#[derive(Debug)]
struct Exchange {
    path: String,
    /// The request's If-None-Match.
    held: Option<HeaderValue>,
    status: u16,
    tag: Option<HeaderValue>,
    bytes: usize,
}

impl Site {
    fn new() -> (Arc<Self>, UnboundedReceiver<Value>) {
        let (reports, received) = mpsc::unbounded_channel();
        let (state, loads) = (AtomicUsize::new(1), AtomicUsize::new(0));
        (Arc::new(Self { state, loads, reports, exchanges: Mutex::default() }), received)
    }

    fn state(&self) -> usize {
        self.state.load(Ordering::Relaxed)
    }
}

fn app(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/data", get(data))
        .layer(ServiceBuilder::new().layer(ConditionalLayer::new()).layer(EtagLayer::new()))
        .layer(from_fn_with_state(site.clone(), seen))
        .route("/report", post(report))
        .route("/change", post(change))
        .with_state(site)
}

/// A browser stores what says this, and asks each time before it uses it (RFC 9111 §5.2.2.4).
const ASK: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-cache")];

async fn page(State(site): State<Arc<Site>>) -> ([(HeaderName, &'static str); 1], Html<String>) {
    let page = include_str!("page.html").replace("STATE", &site.state().to_string());
    (ASK, Html(page.replace("PADDING", &"x".repeat(BODY_BYTES))))
}

async fn data(State(site): State<Arc<Site>>) -> ([(HeaderName, &'static str); 1], String) {
    (ASK, format!("data {}{}", site.state(), " ".repeat(BODY_BYTES)))
}

/// What the page shows; answered by what it is to do next.
async fn report(State(site): State<Arc<Site>>, body: String) -> &'static str {
    let _ = site.reports.send(serde_json::from_str(&body).unwrap());
    NEXT.get(site.loads.fetch_add(1, Ordering::Relaxed)).unwrap_or(&"end")
}

async fn change(State(site): State<Arc<Site>>) {
    site.state.fetch_add(1, Ordering::Relaxed);
}

async fn seen(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let of = |headers: &HeaderMap, name| headers.get(name).cloned();
    let (path, held) = (request.uri().path().to_owned(), of(request.headers(), IF_NONE_MATCH));
    let (head, body) = next.run(request).await.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let (status, tag, bytes) = (head.status.as_u16(), of(&head.headers, ETAG), body.len());
    site.exchanges.lock().unwrap().push(Exchange { path, held, status, tag, bytes });
    Response::from_parts(head, Body::from(body))
}
