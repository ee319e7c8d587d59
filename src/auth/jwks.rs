//! Keys from the network (RFC 7517 §5): fetched off the path of requests, and read without a lock.

#[cfg(feature = "jwks-client")]
pub(crate) mod client;
mod document;
mod drive;
pub(crate) mod error;
mod events;
mod fetch;
pub(crate) mod options;
mod pace;
mod reply;
mod shared;
pub(crate) mod stats;
mod url;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::auth::jwk::KeySet;
use crate::auth::jwks::drive::{Waiter, ensure_driven};
use crate::auth::jwks::error::{JwksError, JwksErrorKind};
use crate::auth::jwks::options::JwksOptions;
use crate::auth::jwks::shared::{Asked, Shared};
use crate::auth::jwks::stats::JwksStats;
use crate::auth::keys::{KeySource, Refreshed};
use crate::auth::token::TokenHeader;
use crate::auth::unverified::candidates;
use crate::clock::Sleep;
use crate::error::BoxError;
use crate::store::ledger::Wait;

/// The keys of an issuer, from the URL where it shows them.
///
/// Requests read the last set and wait for nothing. It is refreshed before it is too old, by a task; and at once when a token names a
/// key that is not in it, where one fetch is for all who ask, and the next may begin after the [cooldown](JwksOptions::cooldown). While
/// the issuer fails, the last good set stays, for a day at most.
///
/// Nothing is fetched but what is configured: neither what a token names (`jku`, `x5u`) nor where a reply redirects to. A reply is
/// 200 with a JSON type and at most [`BYTES_MAX`](Self::BYTES_MAX) bytes. Keys that cannot be used are left out of the set; one that
/// shows a secret or a private key, or has one id twice, is refused whole.
///
/// Clones share everything.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use http::{Request, Response};
/// use tower_keep::auth::{JwksKeys, KeySource};
///
/// // Stands for a client of HTTP: `JwksClient`, with the feature `jwks-client`, is one.
/// let client = tower::service_fn(async |request: Request<String>| {
///     assert_eq!(request.uri(), "https://login.example/jwks");
///     let response = Response::builder().header("content-type", "application/json");
///     response.body(
///         r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
///             .to_owned(),
///     )
/// });
///
/// let keys = JwksKeys::new("https://login.example/jwks", client).unwrap();
/// assert!(keys.keys().is_none());
/// keys.load().await.unwrap();
/// assert_eq!(keys.keys().unwrap().keys()[0].id(), Some("a"));
/// # });
/// ```
#[derive(Clone)]
pub struct JwksKeys {
    handle: Arc<Handle>,
}

/// When the last is dropped, the task ends.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl JwksKeys {
    /// The longest reply, in bytes: 256 KiB.
    pub const BYTES_MAX: usize = reply::BYTES_MAX;

    /// Keys from this URL, with all [options](Self::options) at their defaults. Nothing is asked before a request needs a key, or
    /// before [`start`](Self::start) or [`load`](Self::load).
    ///
    /// The client is any service that sends a request to the URL that it names, such as `JwksClient` of the feature
    /// `jwks-client`. **It must not follow redirects**, or others than the issuer can give keys.
    ///
    /// # Errors
    ///
    /// If the URL is not one of `https`, has userinfo or a fragment, or is longer than 2,048 bytes. For `http` to this machine there is
    /// [`JwksOptions::http_to_loopback`].
    ///
    /// ```
    /// use tower_keep::auth::JwksKeys;
    ///
    /// # let client = tower::service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
    /// # });
    /// assert!(JwksKeys::new("https://login.example/jwks", client).is_ok());
    /// assert!(JwksKeys::new("http://login.example/jwks", client).is_err());
    /// ```
    pub fn new<S, ReqBody, B>(url: &str, client: S) -> Result<Self, JwksError>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        ReqBody: Default + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self::options().at(url, client)
    }

    /// Keys of this issuer, from where its metadata says that they are (OpenID Connect Discovery 1.0 §4; for RFC 8414 see
    /// [`oauth_metadata`](JwksOptions::oauth_metadata)).
    ///
    /// The metadata must name this very issuer, byte for byte. The URL of the keys may be on another host, as many issuers have it:
    /// the metadata came from the issuer over TLS. It is read again after a day, and after every failure. Whoever wants
    /// keys from one URL and no other uses [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// If the issuer is no URL of `https`, or has userinfo, a query or a fragment.
    ///
    /// ```
    /// use tower_keep::auth::JwksKeys;
    ///
    /// # let client = tower::service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
    /// # });
    /// let keys = JwksKeys::discover("https://login.example/tenant", client)?;
    /// # Ok::<_, tower_keep::auth::JwksError>(())
    /// ```
    pub fn discover<S, ReqBody, B>(issuer: &str, client: S) -> Result<Self, JwksError>
    where
        S: Service<Request<ReqBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        ReqBody: Default + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self::options().discover(issuer, client)
    }

    /// How keys are fetched, where the defaults do not do: how often, for how long a set is kept while the issuer fails, what of keys is
    /// taken, and by which clock; also `http` to this machine.
    ///
    /// ```
    /// use tower_keep::auth::JwksKeys;
    ///
    /// # let client = tower::service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
    /// # });
    /// let keys = JwksKeys::options().http_to_loopback().at("http://127.0.0.1:8180/jwks", client)?;
    /// # Ok::<_, tower_keep::auth::JwksError>(())
    /// ```
    pub fn options() -> JwksOptions {
        JwksOptions::new()
    }

    fn of(shared: Shared) -> Self {
        Self { handle: Arc::new(Handle(Arc::new(shared))) }
    }

    /// Begins to fetch now, and to keep the keys new, without waiting. To be called on the runtime that is to do it; where there is none,
    /// nothing happens. A service that takes no requests before [`is_loaded`](Self::is_loaded) needs this or [`load`](Self::load), or it
    /// will never be.
    ///
    /// ```
    /// use tower_keep::auth::JwksKeys;
    ///
    /// # let client = tower::service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, std::io::Error>(http::Response::new(String::new()))
    /// # });
    /// let keys = JwksKeys::new("https://login.example/jwks", client)?;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # let _within = runtime.enter();
    /// keys.start();
    /// assert!(!keys.is_loaded());
    /// # Ok::<_, tower_keep::auth::JwksError>(())
    /// ```
    pub fn start(&self) {
        ensure_driven(self.shared());
    }

    /// Waits until there are keys, or the next fetch has failed. Within a cooldown it waits for the end of that first, so it can be
    /// called again and again. It takes no longer than the cooldown and the deadline of a fetch together.
    ///
    /// # Errors
    ///
    /// What was wrong with the fetch.
    pub async fn load(&self) -> Result<(), JwksError> {
        let shared = self.shared();
        loop {
            let now = shared.clock.now();
            if shared.usable(now).is_some() {
                return Ok(());
            }
            let asked = shared.ask(now);
            let error = match (Waiter::of(shared, &asked), asked) {
                (Some(waiter), _) => {
                    waiter.await;
                    shared.last_error()
                }
                (None, Asked::Rest { left, .. }) => match shared.clock.sleep(left) {
                    Some(sleep) => {
                        sleep.await;
                        None
                    }
                    None => Some(shared.last_error().unwrap_or(JwksErrorKind::Deadline.into())),
                },
                (None, _) => Some(JwksErrorKind::Busy.into()),
            };
            if let Some(error) = error {
                return Err(error);
            }
        }
    }

    /// Whether there are keys that count now: what a readiness probe asks.
    pub fn is_loaded(&self) -> bool {
        self.shared().usable(self.shared().clock.now()).is_some()
    }

    /// How it goes.
    pub fn stats(&self) -> JwksStats {
        self.shared().stats()
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.0
    }
}

impl KeySource for JwksKeys {
    fn keys(&self) -> Option<KeySet> {
        self.shared().usable(self.shared().clock.now())
    }

    fn refreshed<'a>(&'a self, header: &'a TokenHeader) -> Option<Wait<'a, Refreshed>> {
        Some(Box::pin(refreshed(self.shared(), header)))
    }
}

async fn refreshed(shared: &Arc<Shared>, header: &TokenHeader) -> Refreshed {
    let now = shared.clock.now();
    // Somebody else's question may have been answered since.
    if let Some(keys) = of_use(shared.usable(now), header) {
        return Refreshed::Current(keys);
    }
    let asked = shared.ask(now);
    let has_answer = match (Waiter::of(shared, &asked), asked) {
        (Some(waiter), _) => {
            ends_within(waiter, shared.clock.sleep(shared.rules.wait_max)).await
                && shared.last_error().is_none()
        }
        (None, Asked::Rest { has_failed, .. }) => !has_failed,
        (None, _) => false,
    };
    let now = shared.clock.now();
    let keys = shared.usable(now);
    // What the last good set has is the issuer's, also while nobody knows what else is.
    let answer = if has_answer { keys } else { of_use(keys, header) };
    match answer {
        Some(keys) => Refreshed::Current(keys),
        None => {
            shared.counts.unavailable.add();
            Refreshed::Unavailable { retry_after: shared.retry_after(now) }
        }
    }
}

/// The keys, if the one is among them that a token of this header names. One that names none may be signed by a newer one.
fn of_use(keys: Option<KeySet>, header: &TokenHeader) -> Option<KeySet> {
    let id = header.key_id()?;
    keys.filter(|keys| candidates(keys, header).any(|key| key.id() == Some(id)))
}

/// Whether it ends before the sleep does.
async fn ends_within(waiter: Waiter<'_>, sleep: Option<Sleep>) -> bool {
    let (mut waiter, mut sleep) = (pin!(waiter), sleep);
    poll_fn(|cx| {
        if waiter.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        match sleep.as_mut().map(|sleep| sleep.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(false),
            _ => Poll::Pending,
        }
    })
    .await
}

impl fmt::Debug for JwksKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksKeys")
            .field("at", &self.shared().place.shown())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
