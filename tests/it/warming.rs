//! A cache that is filled before anybody asks.

mod crowds;
mod failures;
mod parsing;
mod sitemaps;

use axum::body::Body;
use axum::routing::get;
use axum::{Json, Router};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, Uri, Version, header};
use tower::ServiceExt;
use tower_keep::cache::{CacheLayer, Warming, WarmingErrorKind, WarmingProgress};
use tower_keep::store::MemoryStore;

use crate::support::{Got, Harness, TestLayer, request, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

fn uri(url: &str) -> Uri {
    url.parse().unwrap()
}

fn warming(urls: &[&str]) -> Warming {
    Warming::new(urls.iter().map(|url| uri(url)))
}

/// Answers with the target, fresh for a minute.
fn fresh(change: impl FnOnce(TestLayer) -> TestLayer) -> Harness {
    Harness::with(change, |request, _| response(&[FRESH], request.uri().to_string()))
}

impl Harness {
    async fn warm(&self, warming: Warming) -> WarmingProgress {
        self.warm_and_tell(warming).await.0
    }

    /// And what was told: each URL with its failure.
    async fn warm_and_tell(
        &self,
        warming: Warming,
    ) -> (WarmingProgress, Vec<(String, Option<WarmingErrorKind>)>) {
        let mut told = Vec::new();
        let cached = tower::Layer::layer(&self.layer, self.inner.clone());
        let progress = warming
            .run(cached, |step| {
                assert_eq!(step.progress.done, told.len() as u64 + 1);
                assert_eq!(step.progress.done, step.progress.ok + step.progress.failed);
                assert!(step.progress.done <= step.progress.total);
                told.push((step.url.to_string(), step.error.map(|error| error.kind())));
            })
            .await;
        assert_eq!(progress.done, progress.total);
        assert_eq!(progress.done, told.len() as u64);
        (progress, told)
    }
}

fn counts(progress: WarmingProgress) -> (u64, u64, u64, u64) {
    (progress.ok, progress.stored, progress.hits, progress.failed)
}

#[tokio::test]
async fn a_later_request_in_origin_form_is_a_hit() {
    let urls = ["/", "/a?b=c&d", "/%7Ea//b/../c?", "/caf%C3%A9"];
    for layers in [Scheme::HTTP, Scheme::HTTPS] {
        for authority in
            ["http://a.test", "http://A.test:80", "https://a.test", "https://a.test:443"]
        {
            let harness = fresh(|layer| layer.scheme(layers.clone()));
            let urls = urls.map(|path| uri(&format!("{authority}{path}")));
            let progress = harness.warm(Warming::new(urls.clone())).await;
            assert_eq!(counts(progress), (4, 4, 0, 0), "{authority}");
            assert_eq!(progress.total, 4);
            for url in urls {
                let path = url.path_and_query().unwrap().as_str();
                let got = harness.get(path, &[]).await;
                assert!(got.is_hit(), "{layers}: {url}");
                assert_eq!(got.body, path);
            }
            assert_eq!(harness.inner.calls(), 4);
        }
    }
}

/// HTTP/2 names the scheme: it is the layer's where that was set as it should be.
#[tokio::test]
async fn a_later_request_that_names_the_scheme_of_the_layer_is_a_hit() {
    for scheme in [Scheme::HTTP, Scheme::HTTPS] {
        let harness = fresh(|layer| layer.scheme(scheme.clone()));
        let url = uri(&format!("{scheme}://a.test/a"));
        assert_eq!(harness.warm(Warming::new([url.clone()])).await.stored, 1);
        let mut request = Request::new(Body::empty());
        (*request.uri_mut(), *request.version_mut()) = (url, Version::HTTP_2);
        assert!(harness.send(request).await.is_hit(), "{scheme}");
    }
}

#[tokio::test]
async fn a_port_that_is_not_the_schemes_own_belongs_to_the_host() {
    let harness = fresh(|layer| layer);
    harness
        .warm(warming(&["http://a.test:8080/", "https://a.test:8443/", "http://[::1]:8080/"]))
        .await;
    let hosts: Vec<_> =
        harness.inner.seen().into_iter().map(|seen| seen.headers[header::HOST].clone()).collect();
    assert_eq!(hosts, ["a.test:8080", "a.test:8443", "[::1]:8080"]);
    for host in hosts {
        assert!(harness.get("/", &[("host", host.to_str().unwrap())]).await.is_hit());
    }
    assert!(!harness.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn what_the_service_gets_is_what_a_server_hands_on() {
    let harness = fresh(|layer| layer);
    let name = HeaderName::from_static("x-note");
    let warming = warming(&["http://A.test?q", "https://a.test/b"])
        .parallel(1)
        .field(name.clone(), HeaderValue::from_static("one"))
        .field(name.clone(), HeaderValue::from_static("two"))
        .field(header::HOST, HeaderValue::from_static("evil.test"));
    harness.warm(warming).await;
    let seen = harness.inner.seen();
    assert_eq!(seen.iter().map(|seen| seen.uri.to_string()).collect::<Vec<_>>(), ["/?q", "/b"]);
    for seen in seen {
        assert_eq!((seen.method.as_str(), seen.version), ("GET", Version::HTTP_11));
        assert_eq!(seen.headers.get_all(header::HOST).iter().collect::<Vec<_>>(), ["a.test"]);
        assert_eq!(seen.headers.get_all(&name).iter().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(seen.headers.len(), 3);
    }
}

#[tokio::test]
async fn the_fields_choose_the_variant_that_is_warmed() {
    let harness = Harness::new(|_, _| response(&[FRESH, ("vary", "accept-encoding")], "x"));
    let gzip = HeaderValue::from_static("gzip");
    harness.warm(warming(&["http://a.test/"]).field(header::ACCEPT_ENCODING, gzip)).await;
    assert!(harness.get("/", &[("accept-encoding", "gzip")]).await.is_hit());
    assert!(!harness.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn a_field_that_a_proxy_adds_to_every_request_finds_its_division() {
    let (name, value) = (HeaderName::from_static("x-forwarded-proto"), "https");
    let harness = fresh(|layer| layer);
    harness.warm(warming(&["https://a.test/"]).field(name, HeaderValue::from_static(value))).await;
    assert!(harness.get("/", &[("x-forwarded-proto", value)]).await.is_hit());
    assert!(!harness.get("/", &[]).await.is_hit());
}

#[tokio::test]
async fn what_is_stored_already_is_a_hit_however_the_outcome_is_told() {
    for (what, change) in [
        ("in Cache-Status", (|layer| layer) as fn(TestLayer) -> TestLayer),
        ("in the extensions", |layer| layer.without_cache_status().outcome_in_extensions()),
    ] {
        let harness = fresh(change);
        let urls = ["http://a.test/1", "http://a.test/2", "http://a.test/1"];
        let progress = harness.warm(warming(&urls).parallel(1)).await;
        assert_eq!(counts(progress), (3, 2, 1, 0), "{what}");
        assert_eq!(counts(harness.warm(warming(&urls)).await), (3, 0, 3, 0), "{what}");
        assert_eq!(harness.inner.calls(), 2);
    }
}

#[tokio::test]
async fn what_the_cache_does_not_tell_or_keep_is_not_counted_as_stored() {
    let silent = fresh(|layer| layer.without_cache_status());
    assert_eq!(counts(silent.warm(warming(&["http://a.test/"])).await), (1, 0, 0, 0));
    assert_eq!(silent.layer.handle().stats().stored, 1);
    let private = Harness::new(|_, _| response(&[("cache-control", "private")], "x"));
    assert_eq!(counts(private.warm(warming(&["http://a.test/"])).await), (1, 0, 0, 0));
}

#[tokio::test]
async fn nested_routers_are_warmed_from_the_outside() {
    let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).key(tower_keep::axum::target);
    let users = |name| {
        let answer = get(move || async move { ([FRESH], Json(name)) });
        Router::new().route("/users", answer).layer(cache.clone())
    };
    let app: Router = Router::new().nest("/a", users("a")).nest("/b", users("b"));
    let urls = warming(&["https://a.test/a/users", "https://a.test/b/users", "https://a.test/c"]);
    let progress = urls.run::<Body>(app.clone(), |_| {}).await;
    assert_eq!(counts(progress), (2, 2, 0, 1));
    for (path, body) in [("/a/users", "\"a\""), ("/b/users", "\"b\"")] {
        let got = Got::read(app.clone().oneshot(request("GET", path, &[])).await.unwrap()).await;
        assert!(got.field("cache-status").unwrap().contains("hit"), "{path}");
        assert_eq!(got.body, body);
    }
    assert_eq!(cache.handle().stats().hits, 2);
}

#[tokio::test]
async fn urls_beyond_the_bound_are_skipped() {
    let harness = fresh(|layer| layer);
    let urls = ["http://a.test/1", "http://a.test/2", "http://a.test/3"];
    let progress = harness.warm(warming(&urls).urls_max(2)).await;
    assert_eq!((progress.total, progress.ok, progress.skipped), (2, 2, 1));
    assert_eq!(harness.inner.calls(), 2);
    let progress = harness.warm(warming(&urls).urls_max(0)).await;
    assert_eq!((progress.total, progress.skipped), (0, 3));
    assert_eq!(harness.warm(warming(&[])).await, WarmingProgress::default());
}
