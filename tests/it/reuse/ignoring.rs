//! Each request directive can be switched off, and only it.

use tower_keep::cache::{CachePolicy, RequestDirective};

use super::{ETAG, SAFE, aged, is_page};
use crate::support::{Harness, response};

const ALL: [RequestDirective; 7] = [
    RequestDirective::NoCache,
    RequestDirective::NoStore,
    RequestDirective::MaxAge,
    RequestDirective::MinFresh,
    RequestDirective::MaxStale,
    RequestDirective::OnlyIfCached,
    RequestDirective::StaleIfError,
];

/// Whether a request with the directive is treated differently from one without.
async fn is_heard(policy: CachePolicy, directive: RequestDirective) -> bool {
    match directive {
        RequestDirective::NoCache => {
            let cache = aged(policy, "max-age=60", 10, 500).await;
            let heard = !is_page(&cache, "no-cache").await;
            assert_eq!(!cache.get("/", &[("pragma", "no-cache")]).await.is_hit(), heard);
            heard
        }
        RequestDirective::NoStore => {
            let cache = Harness::with(
                |layer| layer.policy(policy),
                |_, _| response(&[("cache-control", "max-age=60"), ETAG], "page"),
            );
            cache.get("/", &[("cache-control", "no-store")]).await;
            cache.store.is_empty()
        }
        RequestDirective::MaxAge => {
            !is_page(&aged(policy, "max-age=60", 10, 500).await, "max-age=5").await
        }
        RequestDirective::MinFresh => {
            !is_page(&aged(policy, "max-age=60", 10, 500).await, "min-fresh=55").await
        }
        RequestDirective::MaxStale => {
            is_page(&aged(policy, "max-age=60", 70, 500).await, "max-stale=20").await
        }
        RequestDirective::OnlyIfCached => {
            let cache = aged(policy, "max-age=60", 70, 500).await;
            let got = cache.get("/", &[("cache-control", "only-if-cached")]).await;
            got.status == 504
        }
        RequestDirective::StaleIfError => {
            is_page(&aged(policy, "max-age=60", 70, 503).await, "stale-if-error=20").await
        }
        other => panic!("not known to this test: {other:?}"),
    }
}

#[tokio::test]
async fn each_request_directive_is_obeyed_by_default() {
    for directive in ALL {
        assert!(is_heard(SAFE, directive).await, "{directive:?}");
        assert!(is_heard(CachePolicy::rfc9111(), directive).await, "{directive:?}");
    }
}

#[tokio::test]
async fn each_request_directive_can_be_ignored_alone() {
    for ignored in ALL {
        for directive in ALL {
            let heard = is_heard(SAFE.ignore_request(ignored), directive).await;
            assert_eq!(heard, ignored != directive, "{ignored:?} ignored, {directive:?} asked");
        }
    }
}

#[tokio::test]
async fn several_request_directives_can_be_ignored() {
    let ignored = [RequestDirective::NoCache, RequestDirective::MaxAge];
    let policy = ignored.into_iter().fold(SAFE, CachePolicy::ignore_request);
    for directive in ALL {
        assert_eq!(is_heard(policy.clone(), directive).await, !ignored.contains(&directive));
    }
}

#[tokio::test]
async fn all_request_directives_can_be_ignored() {
    for directive in ALL {
        assert!(!is_heard(SAFE.ignore_request_directives(), directive).await, "{directive:?}");
    }
}
