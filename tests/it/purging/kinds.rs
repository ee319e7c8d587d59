//! What each kind of purge reaches and what it leaves alone, on every store.

use axum::body::Body;
use http::{Request, Response};
use tower_keep::cache::{Purge, PurgeErrorKind, PurgeTally};
use tower_keep::store::DynStore;
use tower_keep::test_util::ManualClock;

use super::{Fields, Hit, Miss, Next, Shop, Validated, page, stores, uri};

/// Host and path, as one.
const PAGES: [&str; 13] = [
    "a.test/",
    "a.test/a",
    "a.test/a?q",
    "a.test/a/",
    "a.test/a/b",
    "a.test/a/b/c?x=/ab",
    "a.test/ab",
    "a.test/ab/a",
    "a.test/A",
    "a.test/a%2Fb",
    "a.test//a",
    "b.test/a",
    "a.test:8080/a",
];
const UNDER_A: [&str; 5] =
    ["a.test/a", "a.test/a?q", "a.test/a/", "a.test/a/b", "a.test/a/b/c?x=/ab"];

/// What is purged, and the pages that it reaches.
type Case = (Purge, Vec<&'static str>);

fn urls() -> Vec<Case> {
    let of = |url, reached: &[&'static str]| (Purge::url(uri(url)), reached.to_vec());
    vec![
        of("http://a.test/a", &["a.test/a"]),
        of("HTTP://A.TEST:80/a", &["a.test/a"]),
        of("http://a.test", &["a.test/"]),
        of("http://a.test/a?q", &["a.test/a?q"]),
        of("http://a.test/a/", &["a.test/a/"]),
        of("http://a.test//a", &["a.test//a"]),
        of("http://b.test/a", &["b.test/a"]),
        of("http://a.test:8080/a", &["a.test:8080/a"]),
        of("http://a.test/a?", &[]),
        of("http://c.test/a", &[]),
    ]
}

fn prefixes() -> Vec<Case> {
    let of = |url, reached: &[&'static str]| (Purge::prefix(uri(url)), reached.to_vec());
    let of_a: Vec<_> = PAGES.into_iter().filter(|page| page.starts_with("a.test/")).collect();
    vec![
        of("http://a.test/a", &UNDER_A),
        of("HTTP://A.test:80/a", &UNDER_A),
        of("http://a.test/a/", &UNDER_A),
        of("http://a.test/a?query", &UNDER_A),
        of("http://a.test/a/b", &["a.test/a/b", "a.test/a/b/c?x=/ab"]),
        of("http://a.test/a/b/c", &["a.test/a/b/c?x=/ab"]),
        of("http://a.test/ab", &["a.test/ab", "a.test/ab/a"]),
        of("http://a.test//", &["a.test//a"]),
        of("http://a.test/", &of_a),
        of("http://a.test", &of_a),
        of("http://b.test/", &["b.test/a"]),
        of("http://a.test:8080/a", &["a.test:8080/a"]),
        of("http://a.test/a/b/c/d", &[]),
        of("http://a.test/b", &[]),
    ]
}

fn others() -> Vec<Case> {
    let tagged = vec!["a.test/a/", "a.test/a/b", "a.test/a/b/c?x=/ab"];
    vec![
        (Purge::tag("below a"), tagged),
        (Purge::tag("below b"), vec![]),
        (Purge::all(), PAGES.to_vec()),
    ]
}

/// All pages; those below `/a/` are tagged.
fn site(request: &Request<Body>, call: usize) -> Response<Body> {
    let tag: Fields<'_> = match request.uri().path().starts_with("/a/") {
        true => &[("cache-groups", "\"below a\"")],
        false => &[],
    };
    page(request, call, tag)
}

async fn next(shop: &Shop, page: &str) -> Next {
    let (host, path) = page.split_at(page.find('/').unwrap());
    shop.next(path, &[("host", host)]).await
}

async fn all_of(shop: &Shop) -> Vec<Next> {
    let mut all = Vec::new();
    for page in PAGES {
        all.push(next(shop, page).await);
    }
    all
}

/// Purges it hard, and softly: softly twice, and then hard, because what was validated is as good as new.
async fn reaches(store: impl Fn() -> DynStore, what: &str, (purge, reached): &Case) {
    let rounds = [vec![(purge.clone(), Miss)], {
        let soft = (purge.clone().soft(), Validated);
        vec![soft.clone(), soft, (purge.clone(), Miss)]
    }];
    for rounds in rounds {
        let shop = Shop::over(store(), ManualClock::new(), |layer| layer, site);
        all_of(&shop).await;
        for (at, (purge, expected)) in rounds.into_iter().enumerate() {
            assert_eq!(all_of(&shop).await, [Hit; PAGES.len()], "{what} {purge:?}");
            shop.purge(purge.clone()).await;
            assert_eq!(shop.layer.handle().stats().invalidations, at as u64 + 1);
            for page in PAGES {
                let expected = if reached.contains(&page) { expected } else { Hit };
                assert_eq!(next(&shop, page).await, expected, "{what}: {page} after {purge:?}");
            }
        }
    }
}

async fn reach(cases: Vec<Case>) {
    for at in 0..stores().len() {
        for case in &cases {
            let [one, two, three] = stores();
            let what = [one.0, two.0, three.0][at];
            reaches(|| stores().into_iter().nth(at).unwrap().1, what, case).await;
        }
    }
}

#[tokio::test]
async fn a_url_reaches_its_one_resource_on_every_store() {
    reach(urls()).await;
}

/// `/a` reaches `/a`, `/a/` and `/a/b`, but not `/ab`.
#[tokio::test]
async fn a_prefix_ends_where_a_segment_does_on_every_store() {
    reach(prefixes()).await;
}

#[tokio::test]
async fn a_tag_reaches_what_carries_it_and_all_reaches_everything_on_every_store() {
    reach(others()).await;
}

#[tokio::test]
async fn sixteen_segments_can_be_purged_and_a_seventeenth_is_an_error() {
    let path = |segments| (1..=segments).fold(String::new(), |path, at| format!("{path}/{at}"));
    let deep = path(40);
    for segments in 0..=17 {
        for end in ["", "/"] {
            let shop = Shop::new(site);
            shop.warm(&[&deep, "/other"]).await;
            let prefix = Purge::prefix(uri(&format!("http://a.test{}{end}", path(segments))));
            let purged = shop.layer.handle().purge(prefix).await;
            let expected = match segments {
                0 => [Miss, Miss],
                1..=16 => [Miss, Hit],
                _ => [Hit, Hit],
            };
            assert_eq!(shop.each(&[&deep, "/other"]).await, expected, "{segments}{end}");
            let kind = purged.map_err(|error| error.kind());
            assert_eq!(kind.err(), (segments == 17).then_some(PurgeErrorKind::Prefix));
        }
    }
}

#[tokio::test]
async fn a_url_that_names_no_stored_response_is_an_error() {
    let shop = Shop::new(site);
    shop.warm(&["/a"]).await;
    for url in ["/a", "a.test", "*", "a.test:80", "http://user@a.test/a", "http://a.test:x/a"] {
        let Ok(url) = url.parse::<http::Uri>() else { continue };
        for purge in [Purge::url(url.clone()), Purge::prefix(url.clone())] {
            let error = shop.layer.handle().purge(purge).await.unwrap_err();
            assert_eq!(error.kind(), PurgeErrorKind::Url, "{url}");
        }
    }
    assert_eq!(shop.next("/a", &[]).await, Hit);
}

/// One after the other, until the source ends or nobody wants it any more.
#[tokio::test]
async fn a_source_of_purges_drives_the_handle_and_those_that_fail_are_counted() {
    let shop = Shop::new(site);
    let paths = ["/a/b", "/b", "/c", "/d"];
    shop.warm(&paths).await;
    let (sender, source) = tokio::sync::mpsc::unbounded_channel();
    let source = tokio_stream::wrappers::UnboundedReceiverStream::new(source);
    let handle = shop.layer.handle();
    let driven = tokio::spawn(async move { handle.purge_from(source).await });
    let deep = format!("http://a.test{}", "/x".repeat(17));
    for purge in [
        Purge::tag(""),
        Purge::tag("below a"),
        Purge::url(uri("/relative")),
        Purge::prefix(uri(&deep)),
        Purge::url(uri("http://a.test/b")),
    ] {
        sender.send(purge).unwrap();
    }
    super::settled().await;
    assert_eq!(shop.each(&paths).await, [Miss, Miss, Hit, Hit]);
    sender.send(Purge::url(uri("http://a.test/c")).soft()).unwrap();
    drop(sender);
    let PurgeTally { purged, failed, .. } = driven.await.unwrap();
    assert_eq!((purged, failed), (3, 3));
    assert_eq!(shop.each(&paths).await, [Hit, Hit, Validated, Hit]);
}

#[tokio::test]
async fn a_source_that_nobody_drives_any_more_purges_nothing() {
    let shop = Shop::new(site);
    shop.warm(&["/a"]).await;
    let (sender, source) = tokio::sync::mpsc::unbounded_channel();
    let source = tokio_stream::wrappers::UnboundedReceiverStream::new(source);
    let handle = shop.layer.handle();
    let driven = tokio::spawn(async move { handle.purge_from(source).await });
    super::settled().await;
    driven.abort();
    assert!(driven.await.unwrap_err().is_cancelled());
    assert!(sender.send(Purge::all()).is_err(), "nobody listens");
    assert_eq!(shop.next("/a", &[]).await, Hit);
}
