//! Which cores a request has passed on its way inwards.

use std::sync::Arc;

use http::Request;

/// The cores that have seen a request, the outermost first.
#[derive(Clone)]
pub(crate) struct Passed(Arc<[u64]>);

impl Passed {
    /// Notes that a core has seen a request which may go further in.
    pub(crate) fn mark<ReqBody>(request: &mut Request<ReqBody>, core: u64) {
        if Self::has(request, core) {
            return;
        }
        let further_out = request.extensions().get::<Self>().map_or(&[][..], |passed| &passed.0);
        let cores = further_out.iter().copied().chain([core]).collect();
        request.extensions_mut().insert(Self(cores));
    }

    /// Whether any core has seen it.
    #[cfg(feature = "jwt")]
    pub(crate) fn is_on<ReqBody>(request: &Request<ReqBody>) -> bool {
        request.extensions().get::<Self>().is_some()
    }

    pub(crate) fn has<ReqBody>(request: &Request<ReqBody>, core: u64) -> bool {
        request.extensions().get::<Self>().is_some_and(|passed| passed.0.contains(&core))
    }
}
