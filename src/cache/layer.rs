//! The layer: its configuration, and nothing that changes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use tower_layer::Layer;

use crate::cache::core::Core;
use crate::cache::handle::CacheHandle;
use crate::cache::key_parts::KeyParts;
use crate::cache::partition::Partition;
use crate::cache::service::Cache;
use crate::cache::spawn::Spawn;
use crate::cache::telling::Telling;
use crate::clock::{Clock, SystemClock};
use crate::entropy::random;
use crate::fields::cache_status::CacheName;
use crate::head::RequestHead;
use crate::rules::partial::Terms;
use crate::rules::policy::{CachePolicy, Class};
use crate::store::Store;

/// A shared HTTP cache (RFC 9111) in front of the service that it wraps.
///
/// Clones share the store and all counts, whatever else is set on them: give each route its policy with a
/// clone.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::cache::{CacheControl, CacheLayer};
/// use tower_keep::store::MemoryStore;
/// use std::time::Duration;
///
/// async fn price() -> ([(http::HeaderName, http::HeaderValue); 1], &'static str) {
///     let fresh = CacheControl::public().max_age(Duration::from_secs(1));
///     ([(http::header::CACHE_CONTROL, fresh.to_value())], "42")
/// }
///
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
/// let app: Router = Router::new().route("/price", get(price)).layer(cache);
/// # let _ = app;
/// ```
pub struct CacheLayer<St, C = SystemClock> {
    core: Arc<Core<St, C>>,
    config: Arc<Config>,
}

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) telling: Arc<Telling>,
    pub(crate) policy: Arc<CachePolicy>,
    pub(crate) status_name: Option<CacheName>,
    pub(crate) status_key: bool,
    pub(crate) outcome_in_extensions: bool,
    pub(crate) body_bytes_max: u64,
    pub(crate) ranges: Terms,
    pub(crate) store_deadline: Duration,
    pub(crate) collapses: bool,
    /// Whether a request is turned away while the inner service is spared.
    pub(crate) backs_off: bool,
    pub(crate) flight_deadline: Duration,
    /// Whether an answer needs nothing that a usual one does not.
    pub(crate) is_plain: bool,
}

impl<St: Store> CacheLayer<St> {
    /// A cache that keeps what it stores there, with the policy [`CachePolicy::shared`].
    ///
    /// Clones of a layer share what it stores. Layers that are each made over one store, in this process or
    /// in others, do so where it has a [`Ledger`](crate::store::Ledger); without one each validates what
    /// another has stored, because it does not know what was purged there. In front of different services
    /// each needs a [`scope`](Self::scope) of its own.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
    /// assert_eq!(cache.handle().stats().stored, 0);
    /// ```
    pub fn new(store: St) -> Self {
        Self::with_clock(store, SystemClock::new())
    }
}

impl<St: Store, C: Clock> CacheLayer<St, C> {
    /// A cache that asks another clock than the system's, for tests: such as the `ManualClock` of the
    /// `test-util` feature, whose module shows one at work.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::clock::SystemClock;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let store = MemoryStore::with_bytes_max(64 << 20);
    /// let cache: CacheLayer<MemoryStore, SystemClock> = CacheLayer::with_clock(store, SystemClock::new());
    /// ```
    pub fn with_clock(store: St, clock: C) -> Self {
        let config = Config {
            telling: Arc::new(Telling::new()),
            policy: Arc::new(CachePolicy::shared()),
            status_name: Some(CacheName::new("tower-keep")),
            status_key: false,
            outcome_in_extensions: false,
            body_bytes_max: 1 << 20,
            ranges: Terms::new(random),
            store_deadline: Duration::from_millis(50),
            collapses: true,
            backs_off: true,
            flight_deadline: Duration::from_secs(60),
            is_plain: true,
        };
        Self { core: Arc::new(Core::new(store, clock)), config: Arc::new(config) }
    }

    /// What may be stored and reused. By default [`CachePolicy::shared`].
    ///
    /// ```
    /// use tower_keep::cache::{CacheLayer, CachePolicy};
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20))
    ///     .policy(CachePolicy::shared().bypass_on_cookie());
    /// ```
    #[must_use]
    pub fn policy(self, policy: CachePolicy) -> Self {
        // Whose cache it is depends on its partition, not on the policy.
        self.set(|config| {
            config.policy = Arc::new(CachePolicy { class: config.policy.class, ..policy });
        })
    }

    /// What the key of a request is made of. By default its scheme, authority, path and query as the
    /// service sees them. **Inside [`axum::Router::nest`] that is not what arrived**: there, use
    /// `tower_keep::axum::target` or a [`scope`](Self::scope) for each nested router.
    ///
    /// [`axum::Router::nest`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.nest
    ///
    /// ```
    /// use tower_keep::cache::{CacheLayer, KeyParts};
    /// use tower_keep::store::MemoryStore;
    ///
    /// // The service reads no query.
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20))
    ///     .key(|head| KeyParts::from(head).target(head.uri.path()));
    /// ```
    #[must_use]
    pub fn key(
        self,
        key: impl for<'a> Fn(RequestHead<'a>) -> KeyParts<'a> + Send + Sync + 'static,
    ) -> Self {
        self.tell(|telling| telling.key = Some(Arc::new(key)))
    }

    /// Keeps what this clone stores apart from that of other scopes. By default the scope is empty, and one
    /// for all. A write drops what is stored in its own scope only.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
    /// let (shop, blog) = (cache.clone().scope("shop"), cache.scope("blog"));
    /// ```
    #[must_use]
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.tell(|telling| telling.scope = scope.as_ref().into())
    }

    /// The scheme of requests whose URI has none, as most have not. By default `http`.
    ///
    /// ```
    /// use http::uri::Scheme;
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).scheme(Scheme::HTTPS);
    /// ```
    #[must_use]
    pub fn scheme(self, scheme: Scheme) -> Self {
        self.tell(|telling| telling.scheme = scheme)
    }

    /// The hosts, without ports, for which anything is looked up or stored. By default any. Case
    /// does not count. A request for another host passes through, with [`Reason::Host`].
    ///
    /// [`Reason::Host`]: crate::cache::Reason::Host
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::CacheLayer, store::MemoryStore};
    /// # let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).hosts(["shop.example"]);
    /// let request = Request::get("http://evil.example/").body(String::new()).unwrap();
    /// let response = cache.layer(silent).oneshot(request).await.unwrap();
    /// assert_eq!(response.headers()["cache-status"], "tower-keep; fwd=bypass; detail=host");
    /// # });
    /// ```
    #[must_use]
    pub fn hosts<H: AsRef<str>>(self, hosts: impl IntoIterator<Item = H>) -> Self {
        let hosts = hosts.into_iter().map(|host| host.as_ref().to_ascii_lowercase()).collect();
        self.tell(|telling| telling.hosts = Some(hosts))
    }

    /// Divides what is stored, so that no partition is served what was stored for another. Requests that belong to none share one
    /// area with each other. It stays a
    /// shared cache: `private` responses, and those to requests with Authorization, are stored as in any.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_keep::cache::{CacheLayer, Partition};
    /// use tower_keep::store::MemoryStore;
    ///
    /// let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).partition_by(tenant);
    /// ```
    #[must_use]
    pub fn partition_by(self, partition: Partition) -> Self {
        self.tell(|telling| telling.partition = Some(partition)).whose(Class::Shared)
    }

    /// Makes it a private cache for each partition: what a response says is `private` is stored, and so is
    /// the answer to a request with Authorization. **The partition must tell one user from every other.**
    /// A request that belongs to no partition is neither looked up nor stored.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::{CacheLayer, Partition}, store::MemoryStore};
    /// # let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let user = Partition::header(http::header::AUTHORIZATION);
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).private_by(user);
    /// let request = Request::get("http://shop.example/").body(String::new()).unwrap();
    /// let response = cache.layer(silent).oneshot(request).await.unwrap();
    /// assert_eq!(response.headers()["cache-status"], "tower-keep; fwd=bypass; detail=no-partition");
    /// # });
    /// ```
    #[must_use]
    pub fn private_by(self, partition: Partition) -> Self {
        self.tell(|telling| telling.partition = Some(partition)).whose(Class::Private)
    }

    /// The name of this cache in Cache-Status: a Token where it is one, else a String (RFC 9211 §2). By
    /// default `tower-keep`.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::CacheLayer, store::MemoryStore};
    /// # let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).cache_status("edge");
    /// let request = Request::get("http://shop.example/a?b").body(String::new()).unwrap();
    /// let response = cache.layer(silent).oneshot(request).await.unwrap();
    /// assert_eq!(response.headers()["cache-status"], "edge; fwd=uri-miss; detail=no-freshness");
    /// # });
    /// ```
    #[must_use]
    pub fn cache_status(self, name: &str) -> Self {
        self.set(|config| config.status_name = Some(CacheName::new(name)))
    }

    /// Adds no Cache-Status: for clients who are not to know what others have asked for. `Age` still tells.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::CacheLayer, store::MemoryStore};
    /// # let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).without_cache_status();
    /// let request = Request::get("http://shop.example/a?b").body(String::new()).unwrap();
    /// let response = cache.layer(silent).oneshot(request).await.unwrap();
    /// assert!(!response.headers().contains_key("cache-status"));
    /// # });
    /// ```
    #[must_use]
    pub fn without_cache_status(self) -> Self {
        self.set(|config| config.status_name = None)
    }

    /// Shows the target in Cache-Status, query and all (`key`, RFC 9211 §2.7). For finding faults.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::CacheLayer, store::MemoryStore};
    /// # let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).cache_status_with_key();
    /// let request = Request::get("http://shop.example/a?b").body(String::new()).unwrap();
    /// let response = cache.layer(silent).oneshot(request).await.unwrap();
    /// let status = response.headers()["cache-status"].to_str().unwrap();
    /// assert!(status.contains(r#"key="http://shop.example/a?b""#));
    /// # });
    /// ```
    #[must_use]
    pub fn cache_status_with_key(self) -> Self {
        self.set(|config| config.status_key = true)
    }

    /// Puts a [`CacheOutcome`](crate::cache::CacheOutcome) into the extensions of every response, for
    /// services further out that do not see the [`CacheBody`](crate::cache::CacheBody) which has it too:
    /// axum's `Router` puts every body into a box. It costs a hit three allocations.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use {http::{Request, Response}, std::convert::Infallible, tower::{Layer, ServiceExt, service_fn}};
    /// # use tower_keep::{cache::{CacheLayer, CacheOutcome, Reason}, store::MemoryStore};
    /// # let silent = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).outcome_in_extensions();
    /// let request = Request::get("http://shop.example/a?b").body(String::new()).unwrap();
    /// let response = cache.layer(silent).oneshot(request).await.unwrap();
    /// let outcome = response.extensions().get::<CacheOutcome>().unwrap();
    /// assert_eq!(outcome.reason(), Some(Reason::NoFreshness));
    /// # });
    /// ```
    #[must_use]
    pub fn outcome_in_extensions(self) -> Self {
        self.set(|config| config.outcome_in_extensions = true)
    }

    /// How many bytes the body of a stored response may have. By default a megabyte (2^20), and never more
    /// than the store keeps. A longer one passes through.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let store = MemoryStore::with_bytes_max(256 << 20).entry_bytes_max(9 << 20);
    /// let cache = CacheLayer::new(store).body_bytes_max(8 << 20);
    /// ```
    #[must_use]
    pub fn body_bytes_max(self, body_bytes_max: u64) -> Self {
        self.set(|config| config.body_bytes_max = body_bytes_max)
    }

    /// How many ranges of a stored response a request may ask for, counting those that it does not have. By default 8, and
    /// never more than 64. Who asks for more gets all of it, and so does who asks for ranges that overlap or do not
    /// ascend (RFC 9110 §14.2). Several are answered as `multipart/byteranges`: with 1 nobody gets that, with 0
    /// nobody gets a part.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).ranges_max(1);
    /// # let _ = cache;
    /// ```
    #[must_use]
    pub fn ranges_max(self, ranges_max: usize) -> Self {
        self.set(|config| config.ranges = config.ranges.ranges_max(ranges_max))
    }

    /// How long one question to the store may take before the request goes to the inner service instead.
    /// By default 50 ms. Needs the `rt` feature and a tokio runtime with its timer;
    /// outside of one, the store's own limits are what counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20))
    ///     .store_deadline(Duration::from_millis(20));
    /// ```
    #[must_use]
    pub fn store_deadline(self, deadline: Duration) -> Self {
        self.set(|config| config.store_deadline = deadline)
    }

    /// Lets each request that finds nothing go to the inner service by itself. By default *one* goes, and the
    /// others that want the same read its response while it comes (RFC 9111 §4: collapsed requests); none but
    /// those who may be served it from the store.
    ///
    /// The outermost clone that a request passes decides: on a clone inside another one this does nothing. Give
    /// such a route a router of its own and merge it.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// // On a clone it holds for the routes of that clone.
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
    /// let reports = cache.clone().without_collapsing();
    /// ```
    #[must_use]
    pub fn without_collapsing(self) -> Self {
        self.set(|config| config.collapses = false)
    }

    /// Never answers 503 by itself. By default, when the inner service has failed for a key (an error, a panic, a
    /// deadline, or a 502, 503 or 504 that cannot be stored) and failed again, it is spared for a second, for that key
    /// alone, and for twice as long each time after that, up to 30: who may not be served a stale response meanwhile
    /// gets an empty 503 with `Retry-After`. Another 5xx turns away only those who waited for it. With this, such
    /// requests go to the inner service after all. The outermost clone that a request passes decides.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).without_back_off();
    /// ```
    #[must_use]
    pub fn without_back_off(self) -> Self {
        self.set(|config| config.backs_off = false)
    }

    /// How long requests wait for the head of a response that another request fetches. By default 60 seconds; then
    /// one of them asks for itself, and the others wait once more, for as long. It is also the time that a fetch
    /// has when its client left and others wait, and that a refresh has. Who has waited so long in vain counts it as a
    /// failure: see [`without_back_off`](Self::without_back_off). The outermost clone decides. Needs a clock that can [`sleep`](crate::clock::Clock::sleep).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20))
    ///     .flight_deadline(Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn flight_deadline(self, deadline: Duration) -> Self {
        self.set(|config| config.flight_deadline = deadline)
    }

    /// For all clones, also those made before: how many bytes of bodies that are still coming are kept at a time. By
    /// default 64 megabytes (2^26). Beyond that, bodies are not stored, and those who read one together go at one
    /// pace, as with a body that is longer than [`body_bytes_max`](Self::body_bytes_max).
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).in_flight_bytes_max(8 << 20);
    /// ```
    #[must_use]
    pub fn in_flight_bytes_max(self, bytes: u64) -> Self {
        self.core.set_in_flight_bytes_max(bytes);
        self
    }

    /// For all clones, also those made before: how many pieces of work may run in the background at a time, refreshes of
    /// stale responses and what is left of fetches whose clients left. By default 1024. What would be one more is
    /// not begun.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).background_max(64);
    /// ```
    #[must_use]
    pub fn background_max(self, max: usize) -> Self {
        self.core.background.set_max(max);
        self
    }

    /// For all clones, also those made before: what runs the work that no client waits for, such as the handle of a
    /// runtime that outlives this one. By default the current tokio runtime. The first one that is set stays. See
    /// [`Spawn`] for an example.
    ///
    /// Where nothing runs it, a stale response is validated while its client waits, a fetch ends with its last
    /// client, and what a store does not take at once is not stored.
    #[must_use]
    pub fn spawn(self, spawn: impl Spawn) -> Self {
        self.core.background.set_spawn(Arc::new(spawn));
        self
    }

    /// A handle for code outside the path of requests. Make it of the layer that you use, when all is set: it
    /// purges in the scope, and by the key, that are set so far.
    ///
    /// ```
    /// use tower_keep::cache::CacheLayer;
    /// use tower_keep::store::MemoryStore;
    ///
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20));
    /// let handle = cache.handle();
    /// assert_eq!(handle.stats().misses, 0);
    /// ```
    pub fn handle(&self) -> CacheHandle {
        CacheHandle::new(self.core.clone(), self.config.clone())
    }

    fn tell(self, change: impl FnOnce(&mut Telling)) -> Self {
        self.set(|config| {
            let telling = Arc::make_mut(&mut config.telling);
            change(telling);
            telling.settled();
        })
    }

    fn whose(self, class: Class) -> Self {
        self.set(|config| Arc::make_mut(&mut config.policy).class = class)
    }

    fn set(mut self, change: impl FnOnce(&mut Config)) -> Self {
        let config = Arc::make_mut(&mut self.config);
        change(config);
        let refreshes_early = config.policy.early_refresh > 0.0;
        config.is_plain = !config.status_key && !config.outcome_in_extensions && !refreshes_early;
        self
    }
}

// By hand: a derived one would ask for `St: Clone`, and axum would then refuse the layer.
impl<St, C> Clone for CacheLayer<St, C> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), config: self.config.clone() }
    }
}

impl<S, St: Store, C: Clock> Layer<S> for CacheLayer<St, C> {
    type Service = Cache<S, St, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Cache::new(inner, self.core.clone(), self.config.clone())
    }
}

impl<St, C> fmt::Debug for CacheLayer<St, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("policy", &self.config.policy)
            .field("telling", &self.config.telling)
            .finish_non_exhaustive()
    }
}
