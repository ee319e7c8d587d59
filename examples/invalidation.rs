//! A database that tells what has changed, and a cache that hears it.
//!
//! ```text
//! cargo run --example invalidation --features axum
//! ```
//!
//! Whatever makes a `Stream` of purges can drive a cache: here a channel, elsewhere a database's notifications or a
//! queue. It runs by itself; exit status 0 if it saw a miss, a hit and, after the change, a miss with the new name.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tower::ServiceExt as _;
use tower_keep::cache::{CacheHint, CacheLayer, Purge};
use tower_keep::store::MemoryStore;

/// A table of the database.
#[derive(Clone, Default)]
struct Users(Arc<Mutex<BTreeMap<u32, String>>>);

impl Users {
    fn name(&self, id: u32) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn rename(&self, id: u32, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, name.to_owned());
    }
}

/// Good for an hour, unless the user changes.
async fn user(State(users): State<Users>, Path(id): Path<u32>) -> impl IntoResponse {
    let hint = CacheHint::fresh_for(Duration::from_secs(3600)).tag(format!("user:{id}"));
    users.name(id).map(|name| (hint, name)).ok_or(StatusCode::NOT_FOUND)
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).cache_status("users");
    let handle = cache.handle();
    let users = Users::default();
    let app = Router::new().route("/users/{id}", get(user)).layer(cache).with_state(users.clone());

    let (changes, changed) = mpsc::channel(64);
    let purges = ReceiverStream::new(changed).map(|id: u32| Purge::tag(format!("user:{id}")));
    let purging = tokio::spawn(async move { handle.purge_from(purges).await });

    users.rename(7, "Ada");
    let before = [ask(&app).await?, ask(&app).await?];
    users.rename(7, "Grace");
    changes.send(7).await?;
    // Without a sender the stream ends, and with it the task: whatever was told has been heard.
    drop(changes);
    let tally = purging.await?;
    println!("purge   {} done, {} failed", tally.purged, tally.failed);
    let after = ask(&app).await?;

    let expected = [("Ada", false), ("Ada", true), ("Grace", false)];
    let seen = before.into_iter().chain([after]);
    let as_expected = seen.eq(expected.map(|(name, is_hit)| (name.to_owned(), is_hit)));
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks for user 7, prints the answer, and gives back the name and whether it was a hit.
async fn ask(app: &Router) -> Result<(String, bool), Box<dyn Error>> {
    let request = Request::get("http://localhost/users/7").body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    let status = response.headers().get("cache-status").map(|value| value.to_str()).transpose()?;
    let is_hit = status.unwrap_or_default().starts_with("users; hit");
    let name = String::from_utf8(response.into_body().collect().await?.to_bytes().into())?;
    println!("{:<7} {name}", if is_hit { "hit" } else { "miss" });
    Ok((name, is_hit))
}
