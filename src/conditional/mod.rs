//! Conditional requests on dynamic responses (RFC 9110 §8.8, §13, §14): who has a response already gets a short 304 instead of it,
//! and who changes something changes what he has seen.
//!
//! - [`ConditionalLayer`] answers preconditions and ranges by what responses say of themselves: 304, 412, 206, 416.
//! - [`EtagLayer`] gives responses the tag that preconditions need: by a digest of the body, or by a version that you know.
//! - [`Preconditions`] are for handlers that write: nobody overwrites what he has not seen.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_keep::conditional::{ConditionalLayer, EtagLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # use {axum::body::Body, http::Request, tower::ServiceExt};
//! let app: Router = Router::new()
//!     .route("/report", get(async || "a long report"))
//!     .layer((ConditionalLayer::new(), EtagLayer::new())); // the first is the outermost
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
//! Outermost first: authentication, [`CacheLayer`](crate::cache::CacheLayer), `ConditionalLayer`, compression, `EtagLayer`, handler.
//! (A tuple and `ServiceBuilder` read so; with axum's `.layer(a).layer(b)` the last is the outermost.) Under a cache the two make
//! its revalidations cheap: an unchanged body comes back as a 304 and is not stored again.
//!
//! | other orders | what is lost |
//! |---|---|
//! | `EtagLayer` outside `ConditionalLayer` | every 304 by digest: the tag comes too late |
//! | compression inside `EtagLayer` | tags by digest of what is compressed, and with them the 304s of every browser |
//! | compression outside `ConditionalLayer` | several ranges of one response would be compressed as one |
//! | the cache inside `ConditionalLayer` | what is stored of responses that end in a 304 or 412: their bodies are not read |
//! | authentication inside [`by_version`](EtagLayer::by_version) | the 401: who guesses a tag gets a 304 or 412 without being asked who he is |
//!
//! # A version instead of a digest
//!
//! A middleware reads what is needed to know the state, from a database perhaps, and puts it into the request's extensions. The
//! layer tags by it, and the handler shows it; a client that has that version costs no more than the look-up.
//!
//! ```
//! use axum::extract::{Extension, Request};
//! use axum::middleware::{Next, from_fn};
//! use axum::{Router, response::Response, routing::get};
//! use tower_keep::cache::CacheControl;
//! use tower_keep::conditional::{ConditionalLayer, Current, EntityTag, EtagLayer};
//!
//! #[derive(Clone)]
//! struct Page { user: String, version: u64 }
//!
//! async fn look_up(mut request: Request, next: Next) -> Response {
//!     let page = Page { user: "ada".to_owned(), version: 7 }; // by a session, and out of a database
//!     request.extensions_mut().insert(page);
//!     next.run(request).await
//! }
//!
//! let etag = EtagLayer::new().by_version(|request| {
//!     let page = request.extensions.get::<Page>()?;
//!     // All that the content depends on, or another user of the same browser is told that nothing changed.
//!     let tag = EntityTag::digest_of([page.user.as_bytes(), &page.version.to_be_bytes()]);
//!     // What the handler's answers say, so that a 304 says it too.
//!     Some(Current::tagged(tag).cache_control(CacheControl::private().max_age(std::time::Duration::ZERO)))
//! });
//! let app: Router = Router::new()
//!     .route("/", get(async |Extension(page): Extension<Page>| format!("{} has {}", page.user, page.version)))
//!     .layer((from_fn(look_up), ConditionalLayer::new(), etag));
//! # let _ = app;
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
//! Where nothing is there yet, check against [`Current::absent`]: `If-None-Match: *` creates once. Let the `GET` of what clients
//! change return the same [`Current`]: the tags of [`EtagLayer`] are other ones, and mostly weak, and `If-Match` would never hold.

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
