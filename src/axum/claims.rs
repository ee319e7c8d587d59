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
    type Rejection = ClaimsRejection;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _: &S,
    ) -> Result<Self, ClaimsRejection> {
        claims(parts)?.ok_or_else(|| ClaimsRejection::no_token(parts))
    }
}

impl<C: DeserializeOwned, S: Sync> OptionalFromRequestParts<S> for Claims<C> {
    type Rejection = ClaimsRejection;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _: &S,
    ) -> Result<Option<Self>, ClaimsRejection> {
        claims(parts)
    }
}

impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = ClaimsRejection;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _: &S,
    ) -> Result<Self, ClaimsRejection> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ClaimsRejection::no_token(parts))
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

/// Why a handler was not called: the answer of an argument that asks for a token.
///
/// As a response it is in the realm of the layer outside, and to a request of gRPC in gRPC's own way.
///
/// ```
/// use tower_keep::auth::Verified;
/// use tower_keep::axum::ClaimsRejection;
///
/// async fn me(token: Result<Verified, ClaimsRejection>) -> String {
///     match token {
///         Ok(token) => token.subject().unwrap_or("somebody").to_owned(),
///         Err(rejection) => rejection.refusal().to_string(),
///     }
/// }
/// # let _ = me;
/// ```
#[derive(Debug)]
pub struct ClaimsRejection {
    refusal: Refusal,
    response: Box<Response<&'static str>>,
}

impl ClaimsRejection {
    fn new(refusal: Refusal, parts: &request::Parts) -> Self {
        let challenge = Challenge::new().within_that_of(&parts.extensions);
        let response = Box::new(challenge.response(refusal, None, parts.into()));
        Self { refusal, response }
    }

    fn no_token(parts: &request::Parts) -> Self {
        Self::new(Refusal::no_token(&parts.extensions), parts)
    }

    /// What is wrong.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }
}

impl IntoResponse for ClaimsRejection {
    fn into_response(self) -> Response {
        self.response.map(Body::from)
    }
}

fn claims<C: DeserializeOwned>(
    parts: &request::Parts,
) -> Result<Option<Claims<C>>, ClaimsRejection> {
    let Some(verified) = parts.extensions.get::<Verified>() else { return Ok(None) };
    let claims = verified.claims().map(|claims| Some(Claims(claims)));
    claims.map_err(|error| {
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "tower_keep::auth", line = error.line(), column = error.column(), kind = ?error.classify(), "claims are of another type");
        let _ = error;
        ClaimsRejection::new(Refusal::of_claims(), parts)
    })
}
