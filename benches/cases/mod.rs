//! What the benchmarks measure: requests to one axum route, bare and behind the cache.
//!
//! Each is served as a server does it: by a clone of the service, made ready and called, and the body read
//! to its end.

mod hand_written;
mod page;

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer as _, Service, ServiceExt as _};
use tower_keep::cache::{Cache, CacheLayer};
use tower_keep::clock::SystemClock;
use tower_keep::store::MemoryStore;

use crate::cases::hand_written::HandWritten;
use crate::cases::page::{ETAG, Page, answer_lean, answer_page};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The bodies, in bytes.
pub(crate) const BODIES: [usize; 2] = [1 << 10, 64 << 10];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Bare,
    /// A route that only clones a map of fields: as cheap as axum makes one.
    BareLean,
    /// What a hit costs at the least: see [`hand_written`].
    HandWritten,
    HitOutside,
    HitInside,
    HitWithoutCacheStatus,
    NotModified,
    HitVariant,
    MissStored,
    /// The same where each request goes by itself: what a flight costs that nobody joins.
    MissAlone,
    Post,
    GetNoStore,
    /// The first once more: how far it is from 1 is how far the others may be off.
    BareAgain,
}

impl Case {
    pub(crate) const ALL: [Self; 13] = [
        Self::Bare,
        Self::BareLean,
        Self::HandWritten,
        Self::HitOutside,
        Self::HitInside,
        Self::HitWithoutCacheStatus,
        Self::NotModified,
        Self::HitVariant,
        Self::MissStored,
        Self::MissAlone,
        Self::Post,
        Self::GetNoStore,
        Self::BareAgain,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareLean => "bare-lean",
            Self::HandWritten => "hand-written",
            Self::HitOutside => "hit-outside",
            Self::HitInside => "hit-inside",
            Self::HitWithoutCacheStatus => "hit-without-cache-status",
            Self::NotModified => "not-modified",
            Self::HitVariant => "hit-variant",
            Self::MissStored => "miss-stored",
            Self::MissAlone => "miss-alone",
            Self::Post => "post",
            Self::GetNoStore => "get-no-store",
            Self::BareAgain => "bare-again",
        }
    }

    /// Whether the response is what this case is about.
    fn is_shown_by<B>(self, response: &Response<B>) -> bool {
        let status = response.status();
        let text =
            |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap_or(""));
        let (told, has_age) = (text("cache-status"), response.headers().contains_key(header::AGE));
        let is_hit = told.contains("; hit") && has_age;
        let is_miss = told.contains("; fwd=uri-miss");
        match self {
            Self::Bare | Self::BareLean | Self::BareAgain => told.is_empty() && !has_age,
            Self::HandWritten | Self::HitWithoutCacheStatus => told.is_empty() && has_age,
            Self::HitOutside | Self::HitInside | Self::HitVariant => {
                is_hit && status == StatusCode::OK
            }
            Self::NotModified => is_hit && status == StatusCode::NOT_MODIFIED,
            Self::MissStored | Self::MissAlone => is_miss && told.contains("; stored"),
            Self::Post => told.contains("; fwd=method"),
            Self::GetNoStore => is_miss && !told.contains("; stored"),
        }
    }
}

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
        if self.case == Case::NotModified && self.made > 0 {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(ETAG));
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
                }
            })?;
            let expected = if self.case == Case::NotModified { 0 } else { body_bytes };
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

const STORE_BYTES: u64 = 16 << 20;
