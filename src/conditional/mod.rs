//! Conditional requests on dynamic responses (RFC 9110 §8.8, §13, §14).
//!
//! - [`ConditionalLayer`] answers preconditions and ranges: 304, 412, 206, 416.
//! - [`EtagLayer`] gives responses the validator that preconditions need.
//! - [`Preconditions`] are for handlers that write: nothing is overwritten that its client has not seen.

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
