//! Conditional requests on dynamic responses (RFC 9110 §8.8, §13, §14): a client that holds a response is told so instead of sent
//! it again, and a client that changes something changes what it has seen.
//!
//! - [`ConditionalLayer`] answers preconditions and ranges by what responses say of themselves: 304, 412, 206, 416.
//! - [`EtagLayer`] gives responses the tag that preconditions need: by a digest of the body, or by a version that you know.
//! - [`Preconditions`] are for handlers that write: nobody overwrites what he has not seen.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower::ServiceBuilder;
//! use tower_keep::conditional::{ConditionalLayer, EtagLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # use {axum::body::Body, http::Request, tower::ServiceExt};
//! let app: Router = Router::new()
//!     .route("/report", get(async || "a long report"))
//!     .layer(ServiceBuilder::new().layer(ConditionalLayer::new()).layer(EtagLayer::new()));
//!
//! let first = app.clone().oneshot(Request::get("/report").body(Body::empty()).unwrap()).await.unwrap();
//! let tag = &first.headers()["etag"];
//! let again = Request::get("/report").header("if-none-match", tag).body(Body::empty()).unwrap();
//! assert_eq!(app.oneshot(again).await.unwrap().status(), 304);
//! # });
//! ```
//!
//! # Which layer where
//!
//! Outermost first: authentication, [`CacheLayer`](crate::cache::CacheLayer), `ConditionalLayer`, `EtagLayer`, compression,
//! handler. Under a cache the two make its revalidations cheap: an unchanged body comes back as a 304 and is not stored again.
//!
//! | order | what is lost |
//! |---|---|
//! | `EtagLayer` outside `ConditionalLayer` | every 304: the tag comes too late |
//! | compression inside `EtagLayer` | tags of what is compressed: it streams, and its length is not known |
//! | compression between the two, or outside both | nothing but strong tags for those who take a coding; several ranges of one response would be encoded as one |
//! | authentication inside a layer with [`by_version`](EtagLayer::by_version) | the check itself, for who guesses a tag |
//!
//! # A version instead of a digest
//!
//! Put what the handler would read into the request's extensions, and both see the same:
//!
//! ```
//! use tower_keep::conditional::{Current, EntityTag, EtagLayer};
//!
//! #[derive(Clone)]
//! struct Page { user: String, version: u64 } // put there by a layer further out
//!
//! let etag = EtagLayer::new().by_version(|request| {
//!     let page = request.extensions.get::<Page>()?;
//!     // All that the content depends on, or another user of the same browser is told that nothing changed.
//!     let tag = EntityTag::digest_of([page.user.as_bytes(), &page.version.to_be_bytes()]);
//!     Some(Current::tagged(tag))
//! });
//! # let _ = etag;
//! ```
//!
//! # No lost updates
//!
//! ```
//! use http::Request;
//! use tower_keep::conditional::{Current, Preconditions};
//!
//! # fn save(request: &Request<String>, row: &mut (u64, String)) -> http::Response<String> {
//! // In the transaction, or under the lock, in which you write:
//! if let Err(error) = Preconditions::of(request).required().check(&Current::tagged(row.0)) {
//!     return error.into_response(); // 412, or 428 without a precondition
//! }
//! *row = (row.0 + 1, request.body().clone());
//! # http::Response::new(String::new()) }
//! # let put = |tag| Request::put("/").header("if-match", tag).body("new".to_owned()).unwrap();
//! # let mut row = (1, String::new());
//! # assert_eq!(save(&put("\"1\""), &mut row).status(), 200);
//! # assert_eq!(save(&put("\"1\""), &mut row).status(), 412);
//! # assert_eq!(save(&Request::put("/").body(String::new()).unwrap(), &mut row).status(), 428);
//! ```
//!
//! Where there is nothing yet, check against [`Current::absent`]: `If-None-Match: *` creates once.

mod answer;
mod body;
mod current;
mod error;
mod etag;
mod future;
mod layer;
mod preconditions;
mod service;
mod tag;

pub use body::ConditionalBody;
pub use current::Current;
pub use error::{PreconditionError, PreconditionErrorKind};
pub use etag::future::EtagFuture;
pub use etag::layer::EtagLayer;
pub use etag::service::Etag;
pub use future::ConditionalFuture;
pub use layer::ConditionalLayer;
pub use preconditions::Preconditions;
pub use service::Conditional;
pub use tag::{EntityTag, EntityTagError, EntityTagErrorKind};
