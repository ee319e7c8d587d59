//! What a token says, as an argument of a handler.

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request;
use serde::de::DeserializeOwned;

use crate::auth::challenge::Challenge;
use crate::auth::{Refusal, Verified};

/// The claims of the request's token, as a type of yours: an argument of a handler behind a
/// [`JwtLayer`](crate::auth::JwtLayer).
///
/// There is none but of a token that was verified for this request. Without one the handler is not called, and the answer is 401; where the
/// claims are not of this type it is 403. `Option<Claims<C>>` is `None` without a token.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::axum::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct User { sub: String, tenant: String }
///
/// async fn me(Claims(user): Claims<User>) -> String {
///     format!("{} of {}", user.sub, user.tenant)
/// }
/// async fn hello(user: Option<Claims<User>>) -> String {
///     user.map_or("hello".to_owned(), |Claims(user)| format!("hello {}", user.sub))
/// }
/// let app: Router = Router::new().route("/me", get(me)).route("/", get(hello));
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Claims<C>(pub C);

impl<C: DeserializeOwned, S: Sync> FromRequestParts<S> for Claims<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Refusal> {
        claims(parts)?.ok_or_else(Refusal::no_token)
    }
}

impl<C: DeserializeOwned, S: Sync> OptionalFromRequestParts<S> for Claims<C> {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _: &S,
    ) -> Result<Option<Self>, Refusal> {
        claims(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Refusal::no_token)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// With the realm that a layer has by default.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Challenge::new().response(self, None, &http::HeaderMap::new()).map(Body::from)
    }
}

fn claims<C: DeserializeOwned>(parts: &request::Parts) -> Result<Option<Claims<C>>, Refusal> {
    let Some(verified) = parts.extensions.get::<Verified>() else { return Ok(None) };
    verified.claims().map(|claims| Some(Claims(claims))).map_err(|_| Refusal::of_claims())
}
