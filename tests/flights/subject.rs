//! What is tried: the cache, or something that is broken on purpose.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service as _};
use tower_keep::cache::{Cache, CacheLayer, CachePolicy, CacheStats, Purge};
use tower_keep::store::{DynStore, MemoryStore};

use crate::clock::SimClock;
use crate::executor::{Background, Executor};
use crate::origin::{Origin, OriginError};
use crate::plan::Plan;
use crate::store::Waiting;
use crate::world::World;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type AnyBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;
pub type Answer = Result<Response<AnyBody>, OriginError>;
pub type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub trait Subject: Send + Sync {
    /// The answer; with a `CacheOutcome` in its extensions, where there is one.
    fn send(&self, request: Request<String>) -> Task<Answer>;

    fn purge(&self, _what: Purge) -> Task<()> {
        Box::pin(async {})
    }

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }

    /// Bounds what is kept of bodies on their way, from now on.
    fn bound_in_flight(&self, _bytes: u64) {}
}

/// Makes what is tried in a run.
pub type Build = dyn Fn(&Arc<World>, &Arc<Plan>, &Arc<Executor>) -> Arc<dyn Subject>;

type Layer = CacheLayer<DynStore, SimClock>;

pub struct Real {
    layer: Layer,
    service: Mutex<Cache<Origin, DynStore, SimClock>>,
}

impl Real {
    pub fn build(
        world: &Arc<World>,
        plan: &Arc<Plan>,
        executor: &Arc<Executor>,
    ) -> Arc<dyn Subject> {
        let memory = MemoryStore::with_bytes_max(1 << 20);
        let store = match plan.store_waits {
            true => DynStore::new(Waiting::new(memory, world)),
            false => DynStore::new(memory),
        };
        let mut layer = CacheLayer::with_clock(store, world.clock.clone())
            .policy(CachePolicy::shared())
            .flight_deadline(plan.flight_deadline)
            .spawn(Background(executor.clone()));
        if let Some(bytes) = plan.body_bytes_max {
            layer = layer.body_bytes_max(bytes);
        }
        if let Some(bytes) = plan.in_flight_bytes_max {
            layer = layer.in_flight_bytes_max(bytes);
        }
        if !plan.collapses {
            layer = layer.without_collapsing();
        }
        if !plan.backs_off {
            layer = layer.without_back_off();
        }
        let service = Mutex::new(layer.layer(Origin::new(world, plan)));
        Arc::new(Self { layer, service })
    }
}

impl Subject for Real {
    fn send(&self, request: Request<String>) -> Task<Answer> {
        let answer = self.service.lock().unwrap().call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            let outcome = response.body().outcome();
            response.extensions_mut().insert(outcome);
            Ok(response.map(|body| -> AnyBody { Box::pin(body.map_err(BoxError::from)) }))
        })
    }

    fn purge(&self, what: Purge) -> Task<()> {
        let handle = self.layer.handle();
        Box::pin(async move {
            handle.purge(what).await.unwrap();
        })
    }

    fn stats(&self) -> CacheStats {
        self.layer.handle().stats()
    }

    fn bound_in_flight(&self, bytes: u64) {
        let _ = self.layer.clone().in_flight_bytes_max(bytes);
    }
}
