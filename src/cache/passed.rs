//! Which cores a request has passed on its way inwards, and what they learn of it from further in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

/// The cores that have seen a request, the outermost first.
#[derive(Clone)]
pub(crate) struct Passed(Arc<[Core]>);

#[derive(Clone)]
struct Core {
    id: u64,
    found: Found,
}

/// Whether a layer further in than a core has found out who asks. The credentials may have been a cookie, which says nothing to a cache.
/// It is told beside the response and not in it, since whoever is in between may build that anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found(Arc<AtomicBool>);

impl Passed {
    /// Notes that a core has seen a request which may go further in.
    pub(crate) fn mark<ReqBody>(request: &mut Request<ReqBody>, core: u64) {
        if Self::has(request, core) {
            return;
        }
        let further_out = request.extensions().get::<Self>().map_or(&[][..], |passed| &passed.0);
        let own = Core { id: core, found: Found::default() };
        let cores = further_out.iter().cloned().chain([own]).collect();
        request.extensions_mut().insert(Self(cores));
    }

    /// Whether any core has seen it.
    pub(crate) fn is_on<ReqBody>(request: &Request<ReqBody>) -> bool {
        request.extensions().get::<Self>().is_some()
    }

    pub(crate) fn has<ReqBody>(request: &Request<ReqBody>, core: u64) -> bool {
        request.extensions().get::<Self>().is_some_and(|passed| passed.of(core).is_some())
    }

    /// Tells all that have seen it that it is known who asks.
    pub(crate) fn find<ReqBody>(request: &Request<ReqBody>) {
        let passed = request.extensions().get::<Self>();
        for Core { found, .. } in passed.iter().flat_map(|passed| &*passed.0) {
            found.0.store(true, Ordering::Release);
        }
    }

    /// What this core is told of it.
    pub(crate) fn found<ReqBody>(request: &Request<ReqBody>, core: u64) -> Found {
        let passed = request.extensions().get::<Self>();
        passed.and_then(|passed| passed.of(core)).map(|core| core.found.clone()).unwrap_or_default()
    }

    fn of(&self, core: u64) -> Option<&Core> {
        self.0.iter().find(|known| known.id == core)
    }
}

impl Found {
    /// To be asked when the response is there.
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
