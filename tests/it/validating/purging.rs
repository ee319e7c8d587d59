//! Purging a URL by the handle.

use tower_keep::cache::{Partition, Purge, PurgeErrorKind};

use super::FRESH;
use crate::support::{Harness, response};

#[tokio::test]
async fn purge_url_drops_all_variants_of_a_url_and_no_other() {
    let cache = Harness::new(|_, call| response(&[FRESH, ("vary", "x")], format!("call {call}")));
    for path in ["/page?q", "/page", "/page?q2"] {
        for x in ["1", "2", "3"] {
            cache.get(path, &[("x", x)]).await;
        }
    }
    cache.get("/page?q", &[("host", "b.test")]).await;
    let handle = cache.layer.handle();
    handle.purge(Purge::url("http://A.test:80/page?q".parse().unwrap())).await.unwrap();
    for x in ["1", "2", "3"] {
        assert!(!cache.get("/page?q", &[("x", x)]).await.is_hit(), "{x}");
        for path in ["/page", "/page?q2"] {
            assert!(cache.get(path, &[("x", x)]).await.is_hit(), "{path} {x}");
        }
    }
    assert!(cache.get("/page?q", &[("host", "b.test")]).await.is_hit());
    assert_eq!(handle.stats().invalidations, 1);
}

#[tokio::test]
async fn purge_url_drops_what_every_partition_has() {
    let tenant = Partition::header(http::HeaderName::from_static("x-tenant"));
    let cache = Harness::with(
        |layer| layer.partition_by(tenant),
        |_, call| response(&[FRESH, ("vary", "x")], format!("call {call}")),
    );
    let tenants = [&[][..], &[("x-tenant", "a")], &[("x-tenant", "b"), ("x", "1")]];
    for fields in tenants {
        cache.get("/", fields).await;
        assert!(cache.get("/", fields).await.is_hit());
    }
    cache.layer.handle().purge(Purge::url("http://a.test/".parse().unwrap())).await.unwrap();
    for fields in tenants {
        assert!(!cache.get("/", fields).await.is_hit(), "{fields:?}");
    }
}

#[tokio::test]
async fn purge_url_wants_an_absolute_url() {
    let cache = Harness::new(|_, _| response(&[FRESH], "page"));
    cache.get("/page", &[]).await;
    for url in ["/page", "a.test", "*"] {
        let error = cache.layer.handle().purge(Purge::url(url.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.kind(), PurgeErrorKind::Url, "{url}");
    }
    assert!(cache.get("/page", &[]).await.is_hit());
}
