//! What is told in traces. Alone in its program: whether an event is wanted is asked once for all threads.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may")]

use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;
use tracing_subscriber::fmt::MakeWriter;

#[test]
fn an_event_says_why_a_response_was_not_stored() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let secret = service_fn(async |_: Request<Body>| {
                let response = Response::builder().header("cache-control", "no-store");
                Ok::<_, Infallible>(response.body(Body::from("secret")).unwrap())
            });
            let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).layer(secret);
            let request = Request::get("/x?token=hidden").header("host", "a.test");
            cache.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        });
    });
    let log = log.text();
    assert!(log.contains("response not stored") && log.contains("no-store"), "{log}");
    assert!(!log.contains("hidden"), "{log}");
}

#[cfg(feature = "jwt")]
#[test]
fn j10_an_event_warns_of_a_pass_phrase_and_does_not_show_it() {
    use tower_keep::auth::{Algorithm, Key};

    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        Key::secret(Algorithm::Hs256, &[7; 32]).unwrap();
        assert_eq!(log.text(), "");
        Key::secret(Algorithm::Hs256, b"correct horse battery staple 2026").unwrap();
    });
    let text = log.text();
    assert!(
        text.contains("WARN tower_keep::auth: a secret looks like a pass phrase algorithm=HS256"),
        "{text}"
    );
    assert!(!text.contains("horse"), "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
