//! Each order of the layers that the docs name, alone and with a cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower_http::compression::CompressionLayer;
use tower_keep::cache::CacheControl;
use tower_keep::conditional::{ConditionalLayer, Current, EtagLayer};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use super::super::{Boxed, Stack, boxed};
use super::model::content;
use crate::support::{Inner, response};
use tower::Layer as _;

/// The layers from the handler outwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Etag,
    Version,
    /// No compression outside.
    Strong,
    Compression,
    Conditional,
    Cache,
}

pub(super) struct Order {
    pub(super) name: String,
    places: Vec<Place>,
    /// How long after it was current a content may still be sent.
    pub(super) stale_secs: u64,
    pub(super) version: Arc<AtomicUsize>,
}

impl Order {
    pub(super) fn has(&self, place: Place) -> bool {
        self.places.contains(&place)
    }

    /// Whether compression lies outside of what makes parts.
    pub(super) fn compresses_parts(&self) -> bool {
        let makes_parts = |place: &Place| matches!(place, Place::Conditional | Place::Cache);
        let mut outside = self.places.iter().skip_while(|place| !makes_parts(place));
        outside.any(|place| *place == Place::Compression)
    }

    pub(super) fn build(&self) -> Stack {
        let clock = ManualClock::new();
        let (version, swr) = (self.version.clone(), self.stale_secs > 60);
        let inner = Inner::new(move |_, _| {
            let control = if swr { "max-age=60, stale-while-revalidate=60" } else { "max-age=60" };
            let fields = [("cache-control", control), ("content-type", "text/plain")];
            response(&fields, content(version.load(Ordering::Relaxed)))
        });
        let mut service = boxed(inner.clone());
        for place in &self.places {
            service = self.wrapped(*place, service, &clock);
        }
        Stack { clock, inner, service, cache: None }
    }

    fn wrapped(&self, place: Place, service: Boxed, clock: &ManualClock) -> Boxed {
        let etag = EtagLayer::with_clock(clock.clone());
        match place {
            Place::Etag => boxed(etag.layer(service)),
            Place::Strong => boxed(etag.without_compression_outside().layer(service)),
            Place::Version => {
                let (version, swr) = (self.version.clone(), self.stale_secs > 60);
                let etag = etag.by_version(move |_| {
                    let minute = Duration::from_secs(60);
                    let control = CacheControl::public().max_age(minute);
                    let control =
                        if swr { control.stale_while_revalidate(minute) } else { control };
                    let version = version.load(Ordering::Relaxed) as u64;
                    Some(Current::tagged(version).cache_control(control))
                });
                boxed(etag.layer(service))
            }
            Place::Compression => boxed(CompressionLayer::new().layer(service)),
            Place::Conditional => boxed(ConditionalLayer::with_clock(clock.clone()).layer(service)),
            Place::Cache => {
                let store = MemoryStore::with_bytes_max(1 << 20);
                let cache = tower_keep::cache::CacheLayer::with_clock(store, clock.clone());
                boxed(cache.layer(service))
            }
        }
    }
}

pub(super) fn orders() -> Vec<Order> {
    use Place::{Cache, Compression, Conditional, Etag, Strong, Version};
    let mut orders = Vec::new();
    let mut add = |places: &[Place]| {
        let stale_secs: &[u64] = if places.contains(&Cache) { &[60, 120] } else { &[0] };
        for stale_secs in stale_secs {
            orders.push(Order {
                name: format!("{places:?} stale {stale_secs}"),
                places: places.to_vec(),
                stale_secs: *stale_secs,
                version: Arc::default(),
            });
        }
    };
    for tag in [Etag, Version] {
        for order in [
            &[tag, Compression, Conditional][..],
            &[tag, Conditional, Compression],
            &[Compression, tag, Conditional],
            &[tag, Conditional],
        ] {
            add(order);
            add(&[order, &[Cache]].concat());
        }
        add(&[tag, Conditional, Cache, Compression]);
        add(&[tag, Compression, Cache, Conditional]);
    }
    add(&[Strong, Conditional]);
    add(&[Strong, Conditional, Cache]);
    add(&[Compression, Strong, Conditional]);
    add(&[Compression, Strong, Conditional, Cache]);
    orders
}
