//! Warming from a sitemap that is asked for through the service itself.

use std::error::Error;
use std::fmt::Write;

use axum::body::Body;
use http::{HeaderValue, Request, Response, header};
use tower_keep::cache::{SitemapError, SitemapErrorKind, Warming, WarmingErrorKind};

use super::{FRESH, counts, uri};
use crate::support::{Harness, answered, response};

fn listing(root: &str, entry: &str, urls: &[&str]) -> String {
    let mut document = format!("<{root} xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>");
    for url in urls {
        write!(document, "<{entry}><loc>{url}</loc></{entry}>").unwrap();
    }
    format!("{document}</{root}>")
}

fn urlset(urls: &[&str]) -> String {
    listing("urlset", "url", urls)
}

fn index(urls: &[&str]) -> String {
    listing("sitemapindex", "sitemap", urls)
}

/// Answers with the documents, and with the target to all else.
fn site<const N: usize>(documents: [(&'static str, String); N]) -> Harness {
    Harness::new(move |request, _| answer(request, &documents))
}

fn answer(request: &Request<Body>, documents: &[(&'static str, String)]) -> Response<Body> {
    let path = request.uri().path();
    let document = documents.iter().find(|(name, _)| *name == path);
    response(&[FRESH], document.map_or(path, |(_, document)| document))
}

fn sitemap() -> Warming {
    Warming::sitemap(uri("https://a.test/sitemap.xml"))
}

/// Why the sitemap at this path was not read.
async fn refusal(harness: &Harness, warming: Warming, path: &str) -> Option<SitemapErrorKind> {
    let mut kinds = Vec::new();
    let cached = tower::Layer::layer(&harness.layer, harness.inner.clone());
    warming
        .run(cached, |step| {
            if let Some(error) = step.error.filter(|_| step.url.path() == path) {
                assert_eq!(error.kind(), WarmingErrorKind::Sitemap);
                let source: &SitemapError = error.source().unwrap().downcast_ref().unwrap();
                kinds.push(source.kind());
            }
        })
        .await;
    kinds.pop()
}

#[tokio::test]
async fn the_pages_of_a_sitemap_are_hits_later_and_so_is_the_sitemap() {
    let pages = ["https://a.test/1", "https://a.test/2", "https://A.test:443/gr\u{fc}n"];
    let harness = site([("/sitemap.xml", urlset(&pages))]);
    let (progress, told) = harness.warm_and_tell(sitemap().parallel(1)).await;
    assert_eq!(counts(progress), (4, 4, 0, 0));
    assert_eq!((progress.total, progress.skipped), (4, 0));
    assert_eq!(told[0], ("https://a.test/sitemap.xml".to_owned(), None));
    for path in ["/1", "/2", "/gr%C3%BCn", "/sitemap.xml"] {
        assert!(harness.get(path, &[]).await.is_hit(), "{path}");
    }
}

#[tokio::test]
async fn a_url_of_another_origin_is_skipped() {
    let pages = [
        "https://a.test/taken",
        "http://a.test/other-scheme",
        "https://a.test:8443/other-port",
        "https://b.test/other-host",
        "https://x.a.test/below",
        "https://a.test./dot",
        "https://user@a.test/userinfo",
        "https://a.test@evil.test/",
        "/relative",
        "mailto:a@a.test",
        "not a url",
        "",
    ];
    let harness = site([("/sitemap.xml", urlset(&pages))]);
    let progress = harness.warm(sitemap()).await;
    assert_eq!((progress.total, progress.ok, progress.skipped), (2, 2, 11));
    assert!(harness.get("/taken", &[]).await.is_hit());
    assert_eq!(harness.inner.calls(), 2);
}

#[tokio::test]
async fn an_index_is_followed_one_level() {
    let children = [
        "https://a.test/one.xml",
        "https://a.test/nested.xml",
        "https://b.test/other.xml",
        "https://a.test/malformed.xml",
        "https://a.test/two.xml",
    ];
    let harness = site([
        ("/sitemap.xml", index(&children)),
        ("/one.xml", urlset(&["https://a.test/1", "https://b.test/2"])),
        ("/nested.xml", index(&["https://a.test/deeper.xml"])),
        ("/malformed.xml", "<urlset><url>".to_owned()),
        ("/two.xml", urlset(&["https://a.test/3"])),
    ]);
    let (progress, told) = harness.warm_and_tell(sitemap().parallel(1)).await;
    assert_eq!((progress.total, progress.ok, progress.failed, progress.skipped), (7, 5, 2, 2));
    let paths: Vec<_> =
        told.iter().map(|(url, _)| url.trim_start_matches("https://a.test")).collect();
    let expected =
        ["/sitemap.xml", "/one.xml", "/nested.xml", "/malformed.xml", "/two.xml", "/1", "/3"];
    assert_eq!(paths, expected);
    let refused = refusal(&harness, sitemap(), "/nested.xml").await;
    assert_eq!(refused, Some(SitemapErrorKind::Nested));
    let refused = refusal(&harness, sitemap(), "/malformed.xml").await;
    assert_eq!(refused, Some(SitemapErrorKind::Malformed));
}

#[tokio::test]
async fn of_an_index_a_thousand_sitemaps_are_read() {
    let children: Vec<_> =
        (0..1_003).map(|number| format!("https://a.test/{number}.xml")).collect();
    let children: Vec<_> = children.iter().map(String::as_str).collect();
    let document = index(&children);
    let harness = Harness::new(move |request, _| match request.uri().path() {
        "/sitemap.xml" => response(&[], document.clone()),
        "/7.xml" => response(&[], urlset(&["https://a.test/page"])),
        _ => response(&[], urlset(&[])),
    });
    let progress = harness.warm(sitemap()).await;
    assert_eq!((progress.total, progress.ok, progress.skipped), (1_002, 1_002, 3));
}

#[tokio::test]
async fn the_bound_of_urls_holds_over_all_sitemaps() {
    let harness = site([
        (
            "/sitemap.xml",
            index(&["https://a.test/a.xml", "https://a.test/b.xml", "https://a.test/c.xml"]),
        ),
        ("/a.xml", urlset(&["https://a.test/1", "https://a.test/2"])),
        ("/b.xml", urlset(&["https://a.test/3", "https://a.test/4"])),
        ("/c.xml", urlset(&["https://a.test/5"])),
    ]);
    let (progress, told) = harness.warm_and_tell(sitemap().urls_max(3)).await;
    // The index, two sitemaps, three pages; one page and one sitemap are left.
    assert_eq!((progress.total, progress.ok, progress.skipped), (6, 6, 2));
    assert!(!told.iter().any(|(url, _)| url.ends_with("c.xml")));
}

#[tokio::test]
async fn a_sitemap_beyond_its_bound_is_too_large() {
    let document = urlset(&["https://a.test/1"]);
    let bytes = document.len();
    let harness = site([("/sitemap.xml", document)]);
    for (bound, expected) in [
        (bytes, None),
        (bytes - 1, Some(SitemapErrorKind::TooLarge)),
        (0, Some(SitemapErrorKind::TooLarge)),
    ] {
        let warming = sitemap().sitemap_bytes_max(bound);
        assert_eq!(refusal(&harness, warming, "/sitemap.xml").await, expected, "{bound}");
    }
}

#[tokio::test]
async fn a_sitemap_is_asked_for_plain_and_refused_compressed() {
    let gzip = || HeaderValue::from_static("gzip");
    let harness = site([("/sitemap.xml", urlset(&["https://a.test/1"]))]);
    harness.warm(sitemap().field(header::ACCEPT_ENCODING, gzip())).await;
    let asked: Vec<_> = harness.inner.seen();
    assert!(!asked[0].headers.contains_key(header::ACCEPT_ENCODING));
    assert_eq!(asked[1].headers[header::ACCEPT_ENCODING], "gzip");
    let harness = Harness::new(|_, _| {
        let document = urlset(&["https://a.test/1"]);
        response(&[("content-encoding", "gzip")], document)
    });
    let refused = refusal(&harness, sitemap(), "/sitemap.xml").await;
    assert_eq!(refused, Some(SitemapErrorKind::Encoding));
}

#[tokio::test]
async fn a_sitemap_that_is_not_answered_with_200_fails() {
    for status in [204, 206, 301, 404, 503] {
        let harness =
            Harness::new(move |_, _| answered(status, &[], urlset(&["https://a.test/1"])));
        let (progress, told) = harness.warm_and_tell(sitemap()).await;
        assert_eq!((progress.total, progress.failed), (1, 1), "{status}");
        assert_eq!(told[0].1, Some(WarmingErrorKind::Status));
    }
}

#[tokio::test]
async fn a_sitemap_without_an_absolute_url_fails() {
    let harness = site([("/sitemap.xml", urlset(&["https://a.test/1"]))]);
    let (progress, told) = harness.warm_and_tell(Warming::sitemap(uri("/sitemap.xml"))).await;
    assert_eq!((progress.total, progress.failed, harness.inner.calls()), (1, 1, 0));
    assert_eq!(told[0].1, Some(WarmingErrorKind::Url));
}
