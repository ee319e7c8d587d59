//! Stateless authentication by signed tokens (RFC 7519): every instance verifies every request by itself, from the token alone.
//!
//! - [`JwtLayer`] lets requests pass that carry a good token, and tells all further in whose it is. All else is refused in the words of
//!   RFC 6750, or of gRPC.
//! - [`RequireScope`], [`RequireClaim`] and [`RequireToken`] are for routes that ask more of it.
//! - [`Verifier`] says which tokens are good: from whom, for whom, of which kind. It is pure, and may be used alone.
//! - [`KeySet`] holds keys that you have; [`JwksKeys`] fetches those that an issuer publishes; any other [`KeySource`] is yours to write.
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use tower_keep::auth::{Algorithm, JwtLayer, Key, KeySet, RequireScope, Verified, Verifier};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # use {axum::body::Body, http::Request, tower::ServiceExt};
//! let keys = KeySet::new([Key::secret(Algorithm::Hs256, &[7; 32]).unwrap()]).unwrap();
//! let verifier = Verifier::new("https://login.example", "api");
//!
//! let app: Router = Router::new()
//!     .route("/notes", post(async || "noted").layer(RequireScope::new("notes:write")))
//!     .route("/me", get(async |token: Verified| token.subject().unwrap_or("nobody").to_owned()))
//!     .layer(JwtLayer::new(verifier, keys));
//!
//! let response = app.oneshot(Request::get("/me").body(Body::empty()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"api\"");
//! assert_eq!(response.headers()["cache-control"], "no-store");
//! # });
//! ```
//!
//! # What is asked of a token
//!
//! Three parts of exact base64url, at most 8 KiB, JSON in which no name stands twice. An algorithm that a key of the issuer is for: a key is of one
//! algorithm, and says which. No critical extension that you have not named. `typ` is `at+jwt`, and `iss`, `aud`, `exp`, `sub`, `iat`, `jti` and
//! `client_id` are there (RFC 9068): [`Verifier::or_plain_jwt`] asks less. `exp` and `nbf` and `iat` by the clock of the layer, with a leeway of zero. No
//! binding to a key that nobody asks for (`cnf`, RFC 7800).
//!
//! `none`, nested and encrypted tokens are refused by their shape. Keys that a token brings along, or points to, are never looked at.
//!
//! # Where to put it
//!
//! Outside the cache, inside limits by address: `docs/authentication.md` has the order of layers and what each wrong one costs, how keys
//! change, how long tokens should live, and what may be cached behind a login.

mod algorithm;
mod base64url;
mod body;
pub(crate) mod challenge;
mod claims;
mod credentials;
mod floor;
mod forward;
mod future;
mod gate;
pub(crate) mod json;
mod jwk;
mod jwks;
mod key;
mod keys;
mod layer;
mod limit_by;
mod memo;
mod partition;
mod refusal;
mod require;
mod service;
mod token;
mod trusts;
mod unverified;
#[cfg(test)]
mod vectors;
pub(crate) mod verified;
mod verify;
#[cfg(feature = "tracing")]
mod warning;

pub use algorithm::Algorithm;
pub use body::AuthBody;
pub use future::JwtFuture;
pub use jwk::KeySet;
pub use jwks::JwksKeys;
#[cfg(feature = "jwks-client")]
pub use jwks::client::JwksClient;
pub use jwks::error::{JwksError, JwksErrorKind};
pub use jwks::options::JwksOptions;
pub use jwks::stats::JwksStats;
pub use key::{Admission, Key, KeyError, KeyErrorKind};
pub use keys::{KeySource, Refreshed};
pub use layer::JwtLayer;
pub use refusal::{Refusal, RefusalKind};
pub use require::{Require, RequireClaim, RequireFuture, RequireScope, RequireToken};
pub use service::Jwt;
pub use token::TokenHeader;
pub use verified::Verified;
pub use verify::Verifier;
