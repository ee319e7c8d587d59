//! What only axum users need: the target as it arrived.
//!
//! With this feature [`CacheHint`], [`PurgesTag`], [`CacheControl`] and [`Current`] are response parts, [`Preconditions`] is an
//! extractor, and [`PreconditionError`] a response. With the feature `jwt` the claims of a request's token are an extractor, and so is
//! [`Verified`](crate::auth::Verified).

#[cfg(feature = "jwt")]
mod claims;
mod limit_by;

use axum::extract::OriginalUri;
use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, IntoResponseParts, ResponseParts};
use http::{Response, header, request};
use std::convert::Infallible;

use crate::cache::{CacheControl, CacheHint, KeyParts, PurgesTag};
use crate::clock::{Clock as _, SystemClock};
use crate::conditional::{Current, PreconditionError, Preconditions};
use crate::head::RequestHead;

#[cfg(feature = "jwt")]
pub use claims::{Claims, ClaimsRejection};

/// The key function for routers that are nested: the target as it arrived, not what
/// [`Router::nest`](axum::Router::nest) left of it.
///
/// Two nested routers that share one cache need it (or a
/// [`scope`](crate::cache::CacheLayer::scope) each): to both, `/a/users` and `/b/users` look like `/users`.
/// Set it before the layer is cloned: a clone inside another that has a different key stores nothing.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::cache::CacheLayer;
/// use tower_keep::store::MemoryStore;
///
/// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).key(tower_keep::axum::target);
/// let users = |name: &'static str| Router::new().route("/users", get(move || async move { name })).layer(cache.clone());
/// let app: Router = Router::new().nest("/a", users("a")).nest("/b", users("b"));
/// # let _ = app;
/// ```
pub fn target(head: RequestHead<'_>) -> KeyParts<'_> {
    let parts = KeyParts::from(head);
    match head.extensions.get::<OriginalUri>() {
        Some(OriginalUri(uri)) => {
            parts.target(uri.path_and_query().map_or("", |target| target.as_str()))
        }
        None => parts,
    }
}

impl IntoResponseParts for CacheHint {
    type Error = Infallible;

    /// Beside the tags of another part, and in the place of all else that it said: what was tagged stays so.
    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        let mut hint = self;
        if let Some(before) = parts.extensions_mut().remove::<Self>() {
            hint.tags.extend(before.tags);
        }
        parts.extensions_mut().insert(hint);
        Ok(parts)
    }
}

impl IntoResponseParts for PurgesTag {
    type Error = Infallible;

    /// Beside those that another part has declared.
    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        match parts.extensions_mut().get_mut::<Self>() {
            Some(declared) => declared.0.extend(self.0),
            None => {
                parts.extensions_mut().insert(self);
            }
        }
        Ok(parts)
    }
}

impl IntoResponseParts for CacheControl {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.headers_mut().insert(header::CACHE_CONTROL, self.to_value());
        Ok(parts)
    }
}

impl IntoResponseParts for Current {
    type Error = Infallible;

    /// Sets `ETag`, `Last-Modified` and what else it says, where another part has not.
    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        self.complete(parts.headers_mut(), self.tag(), SystemClock::new().now().wall);
        Ok(parts)
    }
}

/// A response of these fields and without content, such as to a write.
impl IntoResponse for Current {
    fn into_response(self) -> Response<Body> {
        (self, ()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&*parts))
    }
}

impl IntoResponse for PreconditionError {
    fn into_response(self) -> Response<Body> {
        PreconditionError::into_response(self)
    }
}
