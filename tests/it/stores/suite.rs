//! Every store passes the suite, and so does each behind a [`DynStore`].

use tower_keep::store::conformance::StoreSuite;
use tower_keep::store::{DynStore, LruStore, MemoryStore, Store};

use super::own_store::TwoGenerations;

const SIZES: [u64; 3] = [64 << 10, 300_000, 4 << 20];

async fn passes<St: Store + Clone>(store: St, bytes_max: u64, bytes: fn(&St) -> u64) {
    let (erased, asked) = (DynStore::new(store.clone()), store.clone());
    StoreSuite::new(store).bounded(bytes_max, bytes).run().await;
    StoreSuite::new(erased).bounded(bytes_max, move |_| bytes(&asked)).run().await;
}

#[tokio::test]
async fn the_memory_store_passes() {
    for bytes_max in SIZES {
        passes(MemoryStore::with_bytes_max(bytes_max), bytes_max, MemoryStore::bytes).await;
        let short = MemoryStore::with_bytes_max(bytes_max).entry_bytes_max(2000);
        passes(short, bytes_max, MemoryStore::bytes).await;
    }
}

#[tokio::test]
async fn the_lru_store_passes() {
    for bytes_max in SIZES {
        passes(LruStore::with_bytes_max(bytes_max), bytes_max, LruStore::bytes).await;
        let short = LruStore::with_bytes_max(bytes_max).entry_bytes_max(2000);
        passes(short, bytes_max, LruStore::bytes).await;
    }
}

#[tokio::test]
async fn a_store_without_any_room_forgets_at_once_and_is_none() {
    let memory = StoreSuite::new(MemoryStore::with_bytes_max(0));
    let error = tokio::spawn(memory.run()).await.unwrap_err().into_panic();
    let text = error.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("some of what was put is found: "), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_of_the_example_passes() {
    for bytes_max in SIZES {
        let store = TwoGenerations::with_bytes_max(bytes_max);
        StoreSuite::new(store).bounded(bytes_max, TwoGenerations::bytes).run().await;
        let erased = DynStore::new(TwoGenerations::with_bytes_max(bytes_max));
        StoreSuite::new(erased).run().await;
    }
}
