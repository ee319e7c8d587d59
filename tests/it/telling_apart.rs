//! Requests that look alike to a cache and not to the service.

use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, CachePolicy, LanguageMatching, Purge};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Harness, Inner, TestLayer, request, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// RFC 9110 §12.4.2: a weight of nothing is "not acceptable".
#[tokio::test]
async fn a_language_that_is_not_acceptable_is_not_served_by_its_name() {
    let policy = CachePolicy::shared().language_matching(LanguageMatching::ContentLanguage);
    for policy in [policy, CachePolicy::rfc9111()] {
        for unwanted in ["en;q=0", "en;q=0.0", "en; Q=0.000", "fr;q=0, en;q=0", "*", "en, fr"] {
            let fields = [FRESH, ("vary", "accept-language"), ("content-language", "en")];
            let cache = Harness::always(policy.clone(), 200, &fields);
            cache.get("/", &[("accept-language", "en")]).await;
            let wanted = cache.get("/", &[("accept-language", "fr;q=0, en;q=0.001")]).await;
            assert!(wanted.is_hit(), "the least weight will do");
            let got = cache.get("/", &[("accept-language", unwanted)]).await;
            assert!(!got.is_hit(), "{unwanted}");
        }
    }
}

/// Whether the answer to a request with the one lines of a field is served to one with the other.
async fn matches(name: &str, one: &[&str], other: &[&str]) -> bool {
    let cache = Harness::always(CachePolicy::shared(), 200, &[FRESH, ("vary", name)]);
    let ask = async |lines: &[&str]| {
        let fields: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
        cache.get("/", &fields).await
    };
    ask(one).await;
    assert!(ask(one).await.is_hit(), "{name}: {one:?} is itself");
    ask(other).await.body == "call 0"
}

/// Lines and values that are one only where the field is known to be a list.
const LOOSELY_ALIKE: [(&[&str], &[&str]); 6] = [
    (&["smith, j"], &["smith,j"]),
    (&["admin", "b"], &["admin,b"]),
    (&["admin", "b"], &["admin, b"]),
    (&["a"], &["a", ""]),
    (&["a", ""], &["a,"]),
    (&["a ,b"], &["a, b"]),
];

/// RFC 9111 §4.1 lets lines be joined where the field's syntax says that this changes nothing. Of a field
/// that nobody knows, nobody knows that.
#[tokio::test]
async fn a_selecting_field_that_may_be_no_list_is_compared_line_by_line() {
    for (one, other) in LOOSELY_ALIKE {
        for name in ["x-name", "user-agent", "origin", "cookie"] {
            assert!(!matches(name, one, other).await, "{name}: {one:?} {other:?}");
            assert!(!matches(name, other, one).await, "{name}: {other:?} {one:?}");
        }
    }
}

fn over(store: &MemoryStore) -> TestLayer {
    CacheLayer::with_clock(store.clone(), ManualClock::new())
}

/// Gets `/x` from a service of this name, behind the layer; and says whether it was a hit.
async fn served(layer: &TestLayer, name: &'static str) -> (String, bool) {
    let service = layer.layer(Inner::new(move |_, _| response(&[FRESH], name)));
    let got = Got::read(service.oneshot(request("GET", "/x", &[])).await.unwrap()).await;
    (got.body.clone(), got.is_hit())
}

async fn put(layer: &TestLayer) {
    let service = layer.layer(Inner::new(|_, _| response(&[], "")));
    service.oneshot(request("PUT", "/x", &[])).await.unwrap();
}

/// In front of different services each layer over one store needs a scope of its own.
#[tokio::test]
async fn layers_over_one_store_share_nothing_where_their_scopes_differ() {
    let store = MemoryStore::with_bytes_max(1 << 20);
    let scopes = ["", "admin", "public"];
    let layers = scopes.map(|scope| (over(&store).scope(scope), scope));
    for is_hit in [false, true] {
        for (layer, name) in &layers {
            assert_eq!(served(layer, name).await, ((*name).to_owned(), is_hit));
        }
    }
    put(&layers[1].0).await;
    layers[2].0.handle().purge(Purge::url("http://a.test/x".parse().unwrap())).await.unwrap();
    for (layer, name) in &layers {
        assert_eq!(served(layer, name).await.1, name.is_empty(), "{name}");
    }
}

/// Without a ledger neither knows what the other has purged: it validates what the other has stored.
#[tokio::test]
async fn layers_over_one_store_validate_what_another_stored() {
    let store = MemoryStore::with_bytes_max(1 << 20);
    let (one, two) = (over(&store).scope("shop"), over(&store).scope("shop"));
    served(&one, "first").await;
    assert_eq!(served(&one.clone(), "second").await, ("first".to_owned(), true));
    assert_eq!(served(&two, "third").await, ("third".to_owned(), false));
    assert_eq!(served(&two, "fourth").await, ("third".to_owned(), true));
    put(&two).await;
    assert_eq!(served(&one, "fifth").await, ("fifth".to_owned(), false));
}
