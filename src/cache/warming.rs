//! Filling a cache before anybody asks: a list of URLs, or a sitemap, through the service itself.

mod fetch;
#[cfg(feature = "sitemap")]
mod gather;
mod in_flight;
pub(crate) mod progress;
#[cfg(feature = "sitemap")]
pub(crate) mod sitemap;

use std::future::poll_fn;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body::Body;
use tower_service::Service;

use crate::cache::warming::fetch::{request, warm};
use crate::cache::warming::in_flight::InFlight;
use crate::cache::warming::progress::{Report, WarmingProgress, WarmingStep};

/// Asks a service for many URLs, so that the cache inside it is warm before clients ask.
///
/// The service is whatever has the layer in it: a [`Cache`](crate::cache::Cache), an axum `Router`, a stack
/// of layers. Its rules say what is stored, as for every other request; what is stored already is a hit.
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use tower::{Layer, service_fn};
/// use tower_keep::cache::{CacheLayer, Warming};
/// use tower_keep::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let shop = service_fn(async |_: Request<String>| {
///     let response = Response::builder().header("cache-control", "max-age=60");
///     Ok::<_, Infallible>(response.body("a fine product".to_owned()).unwrap())
/// });
/// let service = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).layer(shop);
///
/// let urls = ["/", "/products/7"].map(|path| format!("http://shop.example{path}").parse().unwrap());
/// let warmed = Warming::new(urls)
///     .parallel(4)
///     .run(service, |step| println!("{} of {}", step.progress.done, step.progress.total))
///     .await;
/// assert_eq!((warmed.total, warmed.stored, warmed.failed), (2, 2, 0));
/// # });
/// ```
///
/// # What is sent
///
/// A `GET` as a server hands it on: the path and query as they are, the authority in `Host`, and the
/// [fields](Self::field). So give the URLs that clients use. One with `https` finds the same place in the store
/// as one with `http`, as a client's request does, since the scheme is the layer's.
///
/// What tells answers apart has to be there too: `Accept-Encoding` where responses vary by it, and what your
/// proxy adds to every request, such as `X-Forwarded-Proto`. Each selection is a warming of its own.
///
/// A redirect is an answer like any other, and is not followed.
///
/// # Time
///
/// No clock is asked: a URL may take as long as the service does. A deadline for each is a layer around the
/// service, such as tower's `Timeout` for the response and tower-http's `ResponseBodyDeadlineLayer` for its
/// body; one for all of it is a timeout around [`run`](Self::run). A body that never ends holds one of the
/// turns for ever.
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is run"]
pub struct Warming {
    source: Source,
    parallel: usize,
    fields: HeaderMap,
    urls_max: usize,
    #[cfg(feature = "sitemap")]
    sitemap_bytes_max: usize,
}

#[derive(Clone, Debug)]
enum Source {
    Urls(Vec<Uri>),
    #[cfg(feature = "sitemap")]
    Sitemap(Uri),
}

impl Warming {
    /// Of these URLs, each absolute, such as `http://shop.example/a`. They are collected here, so there has
    /// to be an end to them.
    ///
    /// One that is not absolute, has another scheme than `http` and `https`, or has userinfo, fails alone.
    ///
    /// ```
    /// use tower_keep::cache::Warming;
    ///
    /// let warming = Warming::new(["http://shop.example/".parse().unwrap()]);
    /// # let _ = warming;
    /// ```
    pub fn new(urls: impl IntoIterator<Item = Uri>) -> Self {
        Self::of(Source::Urls(urls.into_iter().collect()))
    }

    /// Of the URLs that a sitemap lists. Needs the feature `sitemap`.
    ///
    /// The sitemap is asked for through the service itself, and so is answered, stored and counted as every
    /// other URL is; its own is absolute. Where it is an index, the first 1,000 of the sitemaps that it lists
    /// are read, one after the other; an index among those fails. Then the pages are asked for.
    ///
    /// Only URLs of the sitemap's own origin are taken, scheme and all: give it the URL that clients see. The
    /// others count as [skipped](WarmingProgress::skipped), and so do those that are no URLs.
    ///
    /// A sitemap is in UTF-8 and not compressed: `.xml.gz` is not read, and `Accept-Encoding` is left out when
    /// a sitemap is asked for. One document is in memory at a time, and is parsed without a pause: one of
    /// 50 MiB holds the task for some 0.3 s.
    ///
    /// ```
    /// use tower_keep::cache::Warming;
    ///
    /// let warming = Warming::sitemap("https://shop.example/sitemap.xml".parse().unwrap());
    /// # let _ = warming;
    /// ```
    #[cfg(feature = "sitemap")]
    pub fn sitemap(url: Uri) -> Self {
        Self::of(Source::Sitemap(url))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            parallel: 8,
            fields: HeaderMap::new(),
            urls_max: 50_000,
            #[cfg(feature = "sitemap")]
            sitemap_bytes_max: 50 << 20,
        }
    }

    /// How many URLs are asked for at the same time: by default 8, at least 1 and at most 256.
    ///
    /// ```
    /// use tower_keep::cache::Warming;
    ///
    /// let gently = Warming::new([]).parallel(1);
    /// # let _ = gently;
    /// ```
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.clamp(1, 256);
        self
    }

    /// One more line that every request has. `Host` is always the URL's own. More lines than a `HeaderMap`
    /// can hold are left out.
    ///
    /// ```
    /// use http::{HeaderValue, header};
    /// use tower_keep::cache::Warming;
    ///
    /// let warming = Warming::new([]).field(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    /// # let _ = warming;
    /// ```
    pub fn field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        let _ = self.fields.try_append(name, value);
        self
    }

    /// How many URLs are asked for, sitemaps not counted: by default the first 50,000. The rest count as
    /// [skipped](WarmingProgress::skipped).
    ///
    /// ```
    /// use tower_keep::cache::Warming;
    ///
    /// let warming = Warming::new([]).urls_max(1_000);
    /// # let _ = warming;
    /// ```
    pub fn urls_max(mut self, urls_max: usize) -> Self {
        self.urls_max = urls_max;
        self
    }

    /// How many bytes a sitemap may have: by default 50 MiB, the protocol's own bound. A longer one fails.
    ///
    /// ```
    /// use tower_keep::cache::Warming;
    ///
    /// let url = "http://shop.example/sitemap.xml".parse().unwrap();
    /// let warming = Warming::sitemap(url).sitemap_bytes_max(1 << 20);
    /// # let _ = warming;
    /// ```
    #[cfg(feature = "sitemap")]
    pub fn sitemap_bytes_max(mut self, sitemap_bytes_max: usize) -> Self {
        self.sitemap_bytes_max = sitemap_bytes_max;
        self
    }

    /// Asks for them all, and returns how it went.
    ///
    /// `progress` is called after every URL, in the order in which they end. Each body is read to its end and
    /// not kept. That of an answer with a status of 400 or more is not read, and so not stored unless it is
    /// empty.
    ///
    /// All is done in the calling task, on any executor: at most [`parallel`](Self::parallel) requests at a
    /// time, each by a clone of the service that was made ready. A panic of the service passes through.
    /// Dropping the future stops it: what was whole by then stays stored. The future is `Send` where the
    /// service, its futures and bodies and `progress` are.
    ///
    /// What was stored, and what was there before, is known from the
    /// [`CacheOutcome`](crate::cache::CacheOutcome) in the response's extensions, else from the last member of
    /// `Cache-Status`; without both, neither is counted. It was said when the response began:
    /// [`CacheStats`](crate::cache::CacheStats) has what came of it.
    ///
    /// A service that takes any body, such as axum's `Router`, is told which one:
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use axum::{Router, body::Body, routing::get};
    /// use tower_keep::cache::{CacheLayer, Warming};
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
    /// let news = get(|| async { ([("cache-control", "max-age=60")], "news") });
    /// let app: Router = Router::new().route("/news", news).layer(cache);
    /// let urls = ["https://shop.example/news".parse().unwrap()];
    /// let warmed = Warming::new(urls).run::<Body>(app, |_| {}).await;
    /// assert_eq!((warmed.ok, warmed.stored), (1, 1));
    /// # });
    /// ```
    pub async fn run<ReqBody: Default>(
        self,
        service: impl Service<Request<ReqBody>, Response = Response<impl Body>> + Clone,
        progress: impl FnMut(WarmingStep<'_>),
    ) -> WarmingProgress {
        let mut report = Report::to(progress);
        let Self { source, parallel, fields, urls_max, .. } = self;
        #[cfg_attr(
            not(feature = "sitemap"),
            allow(clippy::infallible_destructuring_match, reason = "there may be a second source")
        )]
        let mut urls = match source {
            Source::Urls(urls) => urls,
            #[cfg(feature = "sitemap")]
            Source::Sitemap(url) => {
                let bounds = gather::Bounds { urls_max, bytes_max: self.sitemap_bytes_max };
                gather::gather(service.clone(), &url, &fields, bounds, &mut report).await
            }
        };
        report.progress.skipped += urls.len().saturating_sub(urls_max) as u64;
        urls.truncate(urls_max);
        report.progress.total += urls.len() as u64;
        let mut waiting = urls.into_iter();
        let mut in_flight = InFlight::new();
        loop {
            while in_flight.len() < parallel
                && let Some(url) = waiting.next()
            {
                let request = request(&url, &fields);
                in_flight.start(warm(service.clone(), url, request));
            }
            match poll_fn(|cx| in_flight.poll_next(cx)).await {
                Some((url, result)) => report.done(&url, &result),
                None => return report.progress,
            }
        }
    }
}
