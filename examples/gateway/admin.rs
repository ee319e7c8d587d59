//! The admin listener: is it alive, and what has the cache done. On an address of its own, never on the public one.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tower_keep::cache::CacheHandle;
use tower_keep::store::MemoryStore;

use crate::complain;

pub(crate) async fn serve(listener: TcpListener, handle: CacheHandle, store: MemoryStore) {
    let stats = move || async move {
        let stats = handle.stats();
        Json(json!({
            "hits": stats.hits,
            "misses": stats.misses,
            "revalidated": stats.revalidated,
            "served_stale": stats.served_stale,
            "refused": stats.refused,
            "bypassed": stats.bypassed,
            "stored": stats.stored,
            "not_stored": stats.not_stored,
            "invalidations": stats.invalidations,
            "store_failures": stats.store_failures,
            "entries": store.entries(),
            "bytes": store.bytes(),
        }))
    };
    let routes = Router::new().route("/healthz", get(async || "ok")).route("/stats", get(stats));
    if let Err(error) = axum::serve(listener, routes).await {
        complain(&format!("--admin: {error}"));
    }
}
