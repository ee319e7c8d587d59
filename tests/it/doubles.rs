//! Stores that stand in for others, and tell what they were asked.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_keep::store::{CacheKey, Entry, Store, StoreError};

/// Keeps everything, never answers at once, and counts. Clones share it.
#[derive(Clone, Default)]
pub struct Keeping {
    kept: Arc<Mutex<Kept>>,
    is_slow: bool,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<CacheKey, Entry>,
    seen: HashSet<CacheKey>,
    asked: Asked,
}

/// How often each was called.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Asked {
    pub gets: usize,
    pub puts: usize,
    pub removals: usize,
}

impl Keeping {
    /// Lets all other tasks go on before it does anything, as a store on another machine would.
    pub fn slow() -> Self {
        Self { is_slow: true, ..Self::default() }
    }

    /// How many entries it holds; an index counts as one.
    pub fn entries(&self) -> usize {
        self.kept.lock().unwrap().entries.len()
    }

    /// What keys and entries weigh.
    pub fn bytes(&self) -> u64 {
        let kept = self.kept.lock().unwrap();
        kept.entries.iter().map(|(key, entry)| key.as_bytes().len() as u64 + entry.bytes()).sum()
    }

    /// Every key that it was ever called with.
    pub fn keys(&self) -> HashSet<CacheKey> {
        self.kept.lock().unwrap().seen.clone()
    }

    /// The calls since this was asked last.
    pub fn asked(&self) -> Asked {
        std::mem::take(&mut self.kept.lock().unwrap().asked)
    }

    async fn called<T>(&self, key: &CacheKey, call: impl FnOnce(&mut Kept) -> T) -> T {
        // Whoever asks may poll twice without waiting in between, to learn whether it has to wait.
        for _ in 0..if self.is_slow { 4 } else { 0 } {
            tokio::task::yield_now().await;
        }
        let mut kept = self.kept.lock().unwrap();
        kept.seen.insert(key.clone());
        call(&mut kept)
    }
}

impl Store for Keeping {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        let found = self.called(key, |kept| {
            kept.asked.gets += 1;
            kept.entries.get(key).cloned()
        });
        Ok(found.await)
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        self.called(key, |kept| {
            kept.asked.puts += 1;
            kept.entries.insert(key.clone(), entry);
        })
        .await;
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.called(key, |kept| {
            kept.asked.removals += 1;
            kept.entries.remove(key);
        })
        .await;
        Ok(())
    }
}
