//! What is said once, of an order of layers that may not be meant.

use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

use crate::cache::passed::Passed;

/// A cache in front of a layer answers without asking it. That may be meant, of what is public; so it is said in builds with
/// assertions alone.
#[derive(Debug)]
pub(crate) struct CacheOutside {
    of: &'static str,
    has_warned: AtomicBool,
}

impl CacheOutside {
    pub(crate) const fn new(of: &'static str) -> Self {
        Self { of, has_warned: AtomicBool::new(false) }
    }

    pub(crate) fn look_at<B>(&self, request: &Request<B>) {
        if cfg!(debug_assertions)
            && Passed::is_on(request)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                target: "tower_keep::auth",
                layer = self.of,
                "a cache stands outside a layer that lets only some requests pass: what it holds is served without asking"
            );
        }
    }
}
