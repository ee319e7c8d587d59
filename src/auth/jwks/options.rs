//! What can be chosen.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::auth::jwks::JwksKeys;
use crate::auth::jwks::error::{JwksError, JwksErrorKind};
use crate::auth::jwks::fetch::{AnyService, Client, Place};
use crate::auth::jwks::pace::Rules;
use crate::auth::jwks::reply::{INTERVAL_MAX, INTERVAL_MIN};
use crate::auth::jwks::shared::{Shared, State};
use crate::auth::jwks::stats::Counts;
use crate::auth::jwks::url::{self, Metadata, Schemes};
use crate::auth::key::Admission;
use crate::cache::spawn::{CurrentRuntime, Spawn};
use crate::clock::{Clock, SystemClock};
use crate::error::BoxError;

/// How keys are fetched. It ends with [`at`](Self::at) or [`discover`](Self::discover).
///
/// ```
/// use std::time::Duration;
/// use tower_keep::auth::JwksKeys;
///
/// # let client = tower::service_fn(|_: http::Request<String>| async {
/// #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
/// # });
/// let keys = JwksKeys::options()
///     .cooldown(Duration::from_secs(10))
///     .stale_max(Duration::from_secs(3600))
///     .at("https://login.example/jwks", client)?;
/// # Ok::<_, tower_keep::auth::JwksError>(())
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until it ends with a URL or an issuer"]
pub struct JwksOptions {
    rules: Rules,
    waiters_max: usize,
    schemes: Schemes,
    metadata: Metadata,
    clock: Arc<dyn Clock>,
    spawn: Arc<dyn Spawn>,
}

impl JwksOptions {
    pub(super) fn new() -> Self {
        let rules = Rules {
            cooldown: Duration::from_secs(30),
            interval: Duration::from_secs(600),
            stale_max: Duration::from_secs(86_400),
            wait_max: Duration::from_secs(2),
            deadline: Duration::from_secs(10),
            admission: Admission::new(),
        };
        Self {
            rules,
            waiters_max: 1024,
            schemes: Schemes::Https,
            metadata: Metadata::OpenId,
            clock: Arc::new(SystemClock::new()),
            spawn: Arc::new(CurrentRuntime),
        }
    }

    /// How long a set is good whose reply does not say it by `max-age`: from a minute to a day, by default ten minutes.
    ///
    /// A `max-age` is kept within the same bounds, and nothing is good for less than the cooldown and a fetch take together. A key that
    /// the issuer has withdrawn is used for at most so long, unless the issuer fails: see [`stale_max`](Self::stale_max).
    pub fn refresh_interval(mut self, length: Duration) -> Self {
        self.rules.interval = length.clamp(INTERVAL_MIN, INTERVAL_MAX);
        self
    }

    /// What is taken of the keys beyond what they get by default: some issuers publish RSA keys without `alg`.
    ///
    /// ```
    /// use tower_keep::auth::{Admission, Algorithm, JwksKeys};
    ///
    /// let options = JwksKeys::options().admission(Admission::new().rsa_algorithm(Algorithm::Rs256));
    /// # let _ = options;
    /// ```
    pub fn admission(mut self, admission: Admission) -> Self {
        self.rules.admission = admission;
        self
    }

    /// The least time from the begin of one fetch to the begin of the next, whatever came of it and whoever asks: from a second to an
    /// hour, by default 30 seconds.
    ///
    /// A key that the issuer uses at once, without having shown it for a while before, is unknown for so long at worst.
    pub fn cooldown(mut self, length: Duration) -> Self {
        self.rules.cooldown = length.clamp(Duration::from_secs(1), Duration::from_secs(3600));
        self
    }

    /// How old the last good set may become while the issuer fails; by default a day. Beyond that there are no keys. With zero a set
    /// counts for its interval and no longer.
    pub fn stale_max(mut self, length: Duration) -> Self {
        self.rules.stale_max = length;
        self
    }

    /// How long a request waits for newer keys: at most 30 seconds, by default two.
    pub fn wait_max(mut self, length: Duration) -> Self {
        self.rules.wait_max = length.min(Duration::from_secs(30));
        self
    }

    /// How many requests wait for newer keys at a time, at least one; by default 1024. Those that come then are turned away at once: also a
    /// good token of a new key, while forged ones have taken all places. Tokens of known keys never wait.
    pub fn waiters_max(mut self, count: usize) -> Self {
        self.waiters_max = count.max(1);
        self
    }

    /// How long a fetch may take, that of the issuer's metadata included: from a second to a minute, by default ten seconds.
    pub fn fetch_deadline(mut self, length: Duration) -> Self {
        self.rules.deadline = length.clamp(Duration::from_secs(1), Duration::from_secs(60));
        self
    }

    /// Allows `http`, to `127.0.0.0/8`, `[::1]` and `localhost` alone: for tests, and for a proxy on the same machine that speaks TLS.
    ///
    /// ```
    /// use tower_keep::auth::JwksKeys;
    ///
    /// # let client = tower::service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
    /// # });
    /// let options = JwksKeys::options().http_to_loopback();
    /// assert!(options.clone().at("http://127.0.0.1:8080/jwks", client).is_ok());
    /// assert!(options.at("http://10.0.0.1/jwks", client).is_err());
    /// ```
    pub fn http_to_loopback(mut self) -> Self {
        self.schemes = Schemes::HttpToLoopback;
        self
    }

    /// The issuer's metadata is where OAuth has it (RFC 8414 §3), not where OpenID Connect does: for `https://login.example/a` at
    /// `https://login.example/.well-known/oauth-authorization-server/a`.
    pub fn oauth_metadata(mut self) -> Self {
        self.metadata = Metadata::OAuth;
        self
    }

    /// Another clock than the system's, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where the task runs that fetches; by default on the tokio runtime (feature `rt`) that whoever asks first runs on. It ends when the
    /// last handle is dropped.
    ///
    /// Where it cannot run, requests have to fetch: one in each interval, and in each cooldown while the issuer fails, waits for it.
    pub fn spawn(mut self, spawn: impl Spawn) -> Self {
        self.spawn = Arc::new(spawn);
        self
    }

    /// Keys from this URL: see [`JwksKeys::new`].
    ///
    /// # Errors
    ///
    /// If the URL may not be asked.
    pub fn at<S, ReqBody, B>(self, url: &str, client: S) -> Result<JwksKeys, JwksError>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        ReqBody: Default + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let url = url::admitted(url, self.schemes).ok_or(JwksErrorKind::Url)?;
        Ok(self.build(Place::At(url), Arc::new(AnyService::new(client))))
    }

    /// Keys of this issuer, from where its metadata says: see [`JwksKeys::discover`].
    ///
    /// # Errors
    ///
    /// If no issuer may be so called.
    pub fn discover<S, ReqBody, B>(self, issuer: &str, client: S) -> Result<JwksKeys, JwksError>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        ReqBody: Default + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let metadata = url::metadata(issuer, self.schemes, self.metadata);
        let metadata = metadata.ok_or(JwksErrorKind::Url)?;
        let place = Place::Of { issuer: issuer.to_owned(), metadata, schemes: self.schemes };
        Ok(self.build(place, Arc::new(AnyService::new(client))))
    }

    fn build(self, place: Place, client: Arc<dyn Client>) -> JwksKeys {
        let Self { rules, waiters_max, clock, spawn, .. } = self;
        JwksKeys::of(Shared {
            rules,
            waiters_max,
            place: Arc::new(place),
            client,
            clock,
            spawn,
            snapshot: None.into(),
            is_driven: false.into(),
            state: State::default().into(),
            counts: Counts::default(),
        })
    }
}

impl fmt::Debug for JwksOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rules, waiters_max, schemes, metadata, .. } = self;
        f.debug_struct("JwksOptions")
            .field("rules", rules)
            .field("waiters_max", waiters_max)
            .field("schemes", schemes)
            .field("metadata", metadata)
            .finish_non_exhaustive()
    }
}
