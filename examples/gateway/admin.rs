//! The admin listener: is it alive, what has the cache done, and purges for who knows the secret. On an address of its
//! own, never on the public one.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_keep::cache::CacheHandle;
use tower_keep::store::MemoryStore;

use crate::complain;
use crate::purging::{self, Secret};

/// Tells of a part that is not always there.
pub(crate) type Figures = Arc<dyn Fn() -> Value + Send + Sync>;

/// Without a secret nothing can be purged.
pub(crate) async fn serve(
    listener: TcpListener,
    handle: CacheHandle,
    store: MemoryStore,
    secret: Option<Secret>,
    keys: Option<Figures>,
    rate: Option<Figures>,
) {
    let purging = secret.map(|secret| purging::routes(handle.clone(), secret));
    let stats = move || async move {
        let stats = handle.stats();
        Json(json!({
            "hits": stats.hits,
            "misses": stats.misses,
            "revalidated": stats.revalidated,
            "served_stale": stats.served_stale,
            "served_meanwhile": stats.served_meanwhile,
            "collapsed": stats.collapsed,
            "refreshes": stats.refreshes,
            "backed_off": stats.backed_off,
            "flights": stats.flights,
            "background": stats.background,
            "refused": stats.refused,
            "bypassed": stats.bypassed,
            "stored": stats.stored,
            "not_stored": stats.not_stored,
            "invalidations": stats.invalidations,
            "store_failures": stats.store_failures,
            "entries": store.entries(),
            "bytes": store.bytes(),
            "keys": keys.as_ref().map(|keys| keys()),
            "rate": rate.as_ref().map(|rate| rate()),
        }))
    };
    let routes = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/stats", get(stats))
        .merge(purging.unwrap_or_default())
        .into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, routes).await {
        complain(&format!("--admin: {error}"));
    }
}
