//! What a route asks of a token besides that it is good.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::auth::body::AuthBody;
use crate::auth::challenge::Challenge;
use crate::auth::refusal::{Detail, Refusal};
use crate::auth::verified::Verified;
#[cfg(feature = "tracing")]
use crate::auth::warning::CacheOutside;

/// Lets requests pass that have a good token; others get 401. For routes behind a [`JwtLayer`](crate::auth::JwtLayer) where a token is
/// [`optional`](crate::auth::JwtLayer::optional).
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::auth::RequireToken;
///
/// let private: Router = Router::new().route("/me", get(async || "you")).layer(RequireToken::new());
/// # let _ = private;
/// ```
#[derive(Clone, Debug)]
pub struct RequireToken(Requirement);

impl RequireToken {
    /// Any good token.
    pub fn new() -> Self {
        Self(Requirement::new(Challenge::new(), |_| None))
    }
}

impl Default for RequireToken {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets requests pass whose token has all of these words in its scope (RFC 6750 §3.1). Others get 403 `insufficient_scope` with the words that
/// it takes, or 401 where there is no token.
///
/// It stands inside a [`JwtLayer`](crate::auth::JwtLayer), and **outside a cache**: what the cache holds, it gives to all who reach it.
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_keep::auth::RequireScope;
///
/// let writing: Router =
///     Router::new().route("/notes", post(async || "noted")).layer(RequireScope::new("notes:write"));
/// # let _ = writing;
/// ```
#[derive(Clone, Debug)]
pub struct RequireScope {
    words: Vec<String>,
}

impl RequireScope {
    /// This word: whole, and with case. Several with spaces between them are all asked for; without any, no token will do.
    pub fn new(word: &str) -> Self {
        Self { words: Vec::new() }.and(word)
    }

    /// And this one.
    #[must_use]
    pub fn and(mut self, word: &str) -> Self {
        let is_empty = word.trim_matches(' ').is_empty();
        let words = word.split(' ').filter(|word| is_empty || !word.is_empty());
        self.words.extend(words.map(str::to_owned));
        self
    }

    fn requirement(&self) -> Requirement {
        let words = self.words.clone();
        let challenge = words.iter().fold(Challenge::new(), |all, word| all.and_scope(word));
        Requirement::new(challenge, move |verified| {
            let has_all = words.iter().all(|word| verified.has_scope(word));
            (!has_all).then_some(Refusal(Detail::Scope))
        })
    }
}

/// Lets requests pass on whose token this function says yes. Others get 403, or 401 where there is no token.
///
/// It stands inside a [`JwtLayer`](crate::auth::JwtLayer), and outside a cache.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::auth::{RequireClaim, Verified};
///
/// #[derive(serde::Deserialize)]
/// struct Tenant { tenant: String }
///
/// let is_ours = |token: &Verified| token.claims::<Tenant>().is_ok_and(|claims| claims.tenant == "acme");
/// let ours: Router = Router::new().route("/", get(async || "hello")).layer(RequireClaim::new(is_ours));
/// # let _ = ours;
/// ```
#[derive(Clone, Debug)]
pub struct RequireClaim(Requirement);

impl RequireClaim {
    /// Whatever the function looks at.
    pub fn new(does: impl Fn(&Verified) -> bool + Send + Sync + 'static) -> Self {
        let asks = move |verified: &Verified| (!does(verified)).then_some(Refusal(Detail::Claims));
        Self(Requirement::new(Challenge::new(), asks))
    }
}

/// What is asked, and how a refusal is put.
#[derive(Clone)]
struct Requirement {
    challenge: Arc<Challenge>,
    objection: Arc<Objection>,
    #[cfg(feature = "tracing")]
    cache_outside: Arc<CacheOutside>,
}

/// Why a token does not do, if so.
type Objection = dyn Fn(&Verified) -> Option<Refusal> + Send + Sync;

impl Requirement {
    fn new(
        challenge: Challenge,
        objection: impl Fn(&Verified) -> Option<Refusal> + Send + Sync + 'static,
    ) -> Self {
        Self {
            challenge: Arc::new(challenge),
            objection: Arc::new(objection),
            #[cfg(feature = "tracing")]
            cache_outside: Arc::new(CacheOutside::new(
                "RequireToken, RequireScope or RequireClaim",
            )),
        }
    }

    fn refused<B>(&self, refusal: Refusal, request: &Request<B>) -> Response<&'static str> {
        let challenge = Challenge::clone(&self.challenge).within_that_of(request.extensions());
        challenge.response(refusal, None, request.into())
    }

    fn objection<B>(&self, request: &Request<B>) -> Option<Refusal> {
        match request.extensions().get::<Verified>() {
            None => Some(Refusal::no_token(request.extensions())),
            Some(verified) => (self.objection)(verified),
        }
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requirement").field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for RequireToken {
    type Service = Require<S>;

    fn layer(&self, inner: S) -> Require<S> {
        Require { inner, requirement: self.0.clone() }
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = Require<S>;

    fn layer(&self, inner: S) -> Require<S> {
        Require { inner, requirement: self.requirement() }
    }
}

impl<S> Layer<S> for RequireClaim {
    type Service = Require<S>;

    fn layer(&self, inner: S) -> Require<S> {
        Require { inner, requirement: self.0.clone() }
    }
}

/// A service that asks something of tokens; made by [`RequireToken`], [`RequireScope`] and [`RequireClaim`].
#[derive(Clone, Debug)]
pub struct Require<S> {
    inner: S,
    requirement: Requirement,
}

impl<S, ReqBody, B> Service<Request<ReqBody>> for Require<S>
where
    S: Service<Request<ReqBody>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<AuthBody<B>>;
    type Error = S::Error;
    type Future = RequireFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        #[cfg(feature = "tracing")]
        self.requirement.cache_outside.look_at(&request);
        match self.requirement.objection(&request) {
            None => RequireFuture { state: State::Passing { inner: self.inner.call(request) } },
            Some(refusal) => {
                let response = self.requirement.refused(refusal, &request);
                RequireFuture { state: State::Refusing { response: Some(response) } }
            }
        }
    }
}

pin_project! {
    /// The future of [`Require`].
    #[derive(Debug)]
    pub struct RequireFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProj]
    enum State<F> {
        Passing { #[pin] inner: F },
        Refusing { response: Option<Response<&'static str>> },
    }
}

impl<F, B, E> Future for RequireFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<AuthBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Passing { inner } => {
                inner.poll(cx).map_ok(|response| response.map(AuthBody::passing))
            }
            StateProj::Refusing { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(AuthBody::refusing))),
                None => Poll::Pending,
            },
        }
    }
}
