//! The layer that answers preconditions.

use tower_layer::Layer;

use crate::clock::{Clock, SystemClock};
use crate::conditional::service::Conditional;
use crate::entropy::random;
use crate::rules::partial::Terms;

/// Answers the preconditions and ranges of clients for whatever the service inside says of itself by `ETag` and
/// `Last-Modified` (RFC 9110 §13, §14): 304, 412, 206 and 416.
///
/// For GET and HEAD alone: a method that writes must be checked before it writes, by
/// [`Preconditions`](crate::conditional::Preconditions). No body is held back or buffered.
///
/// - A 304 keeps exactly the fields of RFC 9110 §15.4.5: `Cache-Control`, `Content-Location`, `Date`, `ETag`, `Expires` and `Vary`
///   (`Last-Modified` where there is no `ETag`), and what guides caches alone: `Age`, `CDN-Cache-Control` and its kin, and tags to
///   purge by. Extensions stay. So a `Set-Cookie` that goes with every response does not go with a 304: renew sessions
///   further out.
/// - A `Range` is honoured where the response is a 200 whose length is known, by its body or its `Content-Length`, and that does
///   not say `Accept-Ranges: none`. Any other is sent whole. The body is read from its begin, and what was not asked for is
///   passed over. The service inside sees a single `Range` without preconditions, for it may be able to seek; it sees no other.
/// - What the service answers with 304, 206, 412 or 416 itself stays.
///
/// A 412 and a 416 of the layer have no content. `If-Match` fails wherever a response has no tag, as RFC 9110 §13.1.1 has it: also for a
/// moment in which [`EtagLayer`](crate::conditional::EtagLayer) gave one up.
///
/// Put [`EtagLayer`](crate::conditional::EtagLayer) inside it for responses that have no tag.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::conditional::{ConditionalLayer, EtagLayer};
///
/// let app: Router = Router::new()
///     .route("/report", get(async || "a long report"))
///     .layer((ConditionalLayer::new(), EtagLayer::new())); // the first is the outermost
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConditionalLayer<C = SystemClock> {
    clock: C,
    ranges: Terms,
}

impl ConditionalLayer {
    /// With up to 8 ranges of one response.
    pub fn new() -> Self {
        Self::with_clock(SystemClock::new())
    }
}

impl Default for ConditionalLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clock + Clone> ConditionalLayer<C> {
    /// With a clock of your own: it tells the century of dates with two digits, and the date of responses without `Date`.
    pub fn with_clock(clock: C) -> Self {
        Self { clock, ranges: Terms::new(random) }
    }

    /// How many ranges of one response are sent at most: by default 8, and never more than 64. Who asks for more gets all
    /// of it, and so does who asks for ranges that overlap or do not ascend (RFC 9110 §14.2). Several are answered as
    /// `multipart/byteranges`: with 1 nobody gets that, with 0 nobody gets a part.
    ///
    /// ```
    /// use tower_keep::conditional::ConditionalLayer;
    ///
    /// let one_at_a_time = ConditionalLayer::new().ranges_max(1);
    /// # let _ = one_at_a_time;
    /// ```
    #[must_use]
    pub fn ranges_max(self, ranges_max: usize) -> Self {
        Self { ranges: self.ranges.ranges_max(ranges_max), ..self }
    }
}

impl<S, C: Clock + Clone> Layer<S> for ConditionalLayer<C> {
    type Service = Conditional<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Conditional::new(inner, self.clock.clone(), self.ranges)
    }
}
