//! What the benchmarks measure: requests to one axum route, bare and behind the cache.
//!
//! Each is served as a server does it: by a clone of the service, made ready and called, and the body read
//! to its end.

mod case;
mod hand_written;
mod page;

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer as _, Service, ServiceExt as _};
use tower_keep::cache::{Cache, CacheLayer};
use tower_keep::clock::SystemClock;
use tower_keep::conditional::{Current, Etag, EtagLayer};
use tower_keep::store::MemoryStore;

pub(crate) use crate::cases::case::Case;
use crate::cases::hand_written::HandWritten;
use crate::cases::page::{ETAG, Page, answer_lean, answer_page};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The bodies, in bytes.
pub(crate) const BODIES: [usize; 2] = [1 << 10, 64 << 10];

/// A case made ready: its service, with what must be stored in the store.
pub(crate) struct Bench {
    case: Case,
    service: Subject,
    runtime: Runtime,
    made: u64,
}

impl Bench {
    pub(crate) fn new(case: Case, body_bytes: usize) -> Result<Self, BoxError> {
        let store = MemoryStore::with_bytes_max(STORE_BYTES);
        let service = Subject::new(case, body_bytes, &store)?;
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let mut bench = Self { case, service, runtime, made: 0 };
        let warm_up = match case {
            // A full store: from here on each response that is stored puts out another.
            Case::MissStored | Case::MissAlone => usize::try_from(STORE_BYTES)? / body_bytes,
            _ => BATCH,
        };
        let request = bench.request(Method::GET, None)?;
        bench.serve(vec![request])?;
        for _ in 0..warm_up.div_ceil(BATCH) {
            let requests = bench.requests(BATCH)?;
            bench.serve(requests)?;
        }
        bench.check(body_bytes)?;
        Ok(bench)
    }

    /// So many requests of this case. Making them is not what is measured.
    pub(crate) fn requests(&mut self, count: usize) -> Result<Vec<Request<Body>>, BoxError> {
        (0..count).map(|_| self.next_request()).collect()
    }

    /// Serves them, one after the other.
    pub(crate) fn serve(&self, requests: Vec<Request<Body>>) -> Result<(), BoxError> {
        self.runtime.block_on(async {
            match &self.service {
                Subject::Router(router) => serve_each(router, requests).await,
                Subject::HandWritten(service) => serve_each(service, requests).await,
                Subject::Cached(cache) => serve_each(cache, requests).await,
                Subject::Tagged(tagged) => serve_each(tagged, requests).await,
            }
        })
    }

    fn next_request(&mut self) -> Result<Request<Body>, BoxError> {
        self.made += 1;
        match self.case {
            Case::Post => self.request(Method::POST, None),
            Case::MissStored | Case::MissAlone => self.request(Method::GET, Some(self.made)),
            _ => self.request(Method::GET, None),
        }
    }

    fn request(&self, method: Method, number: Option<u64>) -> Result<Request<Body>, BoxError> {
        let uri = match number {
            Some(number) => Uri::try_from(format!("/pages/one?number={number}"))?,
            None if self.case == Case::BareLean => Uri::from_static("/lean/one"),
            None => Uri::from_static("/pages/one"),
        };
        let coding = match self.case {
            Case::HitVariant if self.made.is_multiple_of(2) => "br",
            _ => "gzip",
        };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("shop.example"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11; Linux)"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
        // The first request of all is the one that fills the store.
        let held = match self.case {
            Case::NotModified if self.made > 0 => Some(ETAG),
            Case::VersionNotModified => Some(VERSION_ETAG),
            _ => None,
        };
        if let Some(held) = held {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(held));
        }
        Ok(request)
    }

    /// A case that measures something else than it says is an error.
    fn check(&mut self, body_bytes: usize) -> Result<(), BoxError> {
        // As many as there are variants.
        for _ in 0..2 {
            let request = self.next_request()?;
            let (is_shown, length) = self.runtime.block_on(async {
                match &self.service {
                    Subject::Router(router) => answer(self.case, router, request).await,
                    Subject::HandWritten(service) => answer(self.case, service, request).await,
                    Subject::Cached(cache) => answer(self.case, cache, request).await,
                    Subject::Tagged(tagged) => answer(self.case, tagged, request).await,
                }
            })?;
            let expected = match self.case {
                Case::NotModified | Case::VersionNotModified => 0,
                _ => body_bytes,
            };
            if !is_shown || length != expected {
                let name = self.case.name();
                return Err(format!("{name}: not what was to be measured, {length} bytes").into());
            }
        }
        Ok(())
    }
}

enum Subject {
    Router(Router),
    HandWritten(HandWritten),
    Cached(Cache<Router, MemoryStore, SystemClock>),
    Tagged(Etag<Router, SystemClock>),
}

impl Subject {
    fn new(case: Case, body_bytes: usize, store: &MemoryStore) -> Result<Self, BoxError> {
        // Shared: axum clones the state several times for a request, which is no part of an answer.
        let page = Arc::new(Page::new(case, body_bytes)?);
        let router = Router::new()
            .route("/pages/{name}", get(answer_page).post(answer_page))
            .route("/lean/{name}", get(answer_lean))
            .with_state(page);
        let layer = CacheLayer::new(store.clone());
        Ok(match case {
            Case::HandWritten => {
                Self::HandWritten(HandWritten::new(&Page::new(case, body_bytes)?)?)
            }
            Case::Bare | Case::BareLean | Case::BareAgain => Self::Router(router),
            Case::HitInside => Self::Router(router.layer(layer)),
            Case::Tagged => Self::Tagged(EtagLayer::new().layer(router)),
            Case::VersionNotModified => {
                let etag = EtagLayer::new().by_version(|_| Some(Current::tagged(VERSION)));
                Self::Tagged(etag.layer(router))
            }
            Case::MissAlone => Self::Cached(layer.without_collapsing().layer(router)),
            Case::HitWithoutCacheStatus => Self::Cached(layer.without_cache_status().layer(router)),
            _ => Self::Cached(layer.layer(router)),
        })
    }
}

/// One that reads what it is given: `Router` and `Cache` differ in their bodies.
trait Served<B>:
    Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Future> + Clone
{
}

impl<S, B> Served<B> for S where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone
{
}

async fn serve_each<S, B>(service: &S, requests: Vec<Request<Body>>) -> Result<(), BoxError>
where
    S: Served<B>,
    B: http_body::Body<Error: Into<BoxError>> + Unpin,
{
    for request in requests {
        let response = service.clone().oneshot(request).await.map_err(Into::into)?;
        let (head, mut body) = response.into_parts();
        black_box(head);
        while let Some(frame) = body.frame().await {
            black_box(frame.map_err(Into::into)?);
        }
    }
    Ok(())
}

/// Whether the case is what the answer shows, and how many bytes its body has.
async fn answer<S, B>(
    case: Case,
    service: &S,
    request: Request<Body>,
) -> Result<(bool, usize), BoxError>
where
    S: Served<B>,
    B: http_body::Body<Error: Into<BoxError>>,
{
    let response = service.clone().oneshot(request).await.map_err(Into::into)?;
    let is_shown = case.is_shown_by(&response);
    let body = response.into_body().collect().await.map_err(Into::into)?;
    Ok((is_shown, body.to_bytes().len()))
}

/// How many requests are made before they are served, and served before the clock is read.
pub(crate) const BATCH: usize = 64;

const VERSION: u64 = 7;

/// As who takes a content coding gets it.
const VERSION_ETAG: &str = "W/\"7\"";

const STORE_BYTES: u64 = 16 << 20;
