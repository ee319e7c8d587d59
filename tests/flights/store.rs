//! A store that does not answer at once.

use std::sync::Arc;
use std::time::Duration;

use tower_keep::store::{CacheKey, Entry, MemoryStore, Store, StoreError};

use crate::world::{Wait, World};

pub struct Waiting {
    memory: MemoryStore,
    world: Arc<World>,
}

impl Waiting {
    pub fn new(memory: MemoryStore, world: &Arc<World>) -> Self {
        Self { memory, world: world.clone() }
    }

    /// Some of it before it does what it is asked to, some after.
    async fn wait(&self) {
        let wait = self.world.roll(|dice| dice.pick(&[None, Some(Wait::Yield), Some(Wait::Nudge)]));
        if let Some(wait) = wait {
            self.world.wait(wait).await;
        }
    }
}

impl Store for Waiting {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.wait().await;
        let found = self.memory.get(key).await;
        self.wait().await;
        found
    }

    async fn put(&self, key: &CacheKey, entry: Entry, keep: Duration) -> Result<(), StoreError> {
        self.wait().await;
        self.memory.put(key, entry, keep).await?;
        self.wait().await;
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.wait().await;
        self.memory.remove(key).await?;
        self.wait().await;
        Ok(())
    }
}
