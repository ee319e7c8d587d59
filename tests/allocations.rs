//! How often a hit and the decision of a limit ask for memory. A program of its own: it counts what happens in it.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may")]

use std::convert::Infallible;
use std::future::Future as _;
use std::num::NonZeroU64;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{Empty, Full};
use tower::{Layer as _, Service, service_fn};
use tower_keep::cache::{CacheBody, CacheLayer};
use tower_keep::limit::{LimitBy, LimitStore as _, MemoryLimitStore, Outcome, Quota, Quotas};
use tower_keep::store::MemoryStore;
use tower_keep::time::Ticks;

/// Eight fields, and one that makes it fresh.
async fn page(_: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from(vec![b'x'; 1 << 10]));
    let headers = response.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("max-age=60"));
    for n in 0..8 {
        let name: HeaderName = format!("x-field-{n}").parse().unwrap();
        headers.insert(name, HeaderValue::from_static("value"));
    }
    Ok(response)
}

fn request(condition: Option<&'static str>) -> Request<Empty<Bytes>> {
    let mut request = Request::get("/page").body(Empty::new()).unwrap();
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("shop.example"));
    if let Some(date) = condition {
        headers.insert("if-modified-since", HeaderValue::from_static(date));
    }
    request
}

fn serve<S>(service: &mut S, request: Request<Empty<Bytes>>) -> Response<CacheBody<Full<Bytes>>>
where
    S: Service<
            Request<Empty<Bytes>>,
            Response = Response<CacheBody<Full<Bytes>>>,
            Error = Infallible,
        >,
{
    let mut response = pin!(service.call(request));
    match response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => response.unwrap(),
        Poll::Pending => panic!("a store in this process answers at once"),
    }
}

/// How often memory is asked for between a request that is there and its answer.
fn allocations(layer: &CacheLayer<MemoryStore>, condition: Option<&'static str>) -> u64 {
    let mut service = layer.layer(service_fn(page));
    let filled = serve(&mut service, request(None));
    let mut body = pin!(filled.into_body());
    while let Poll::Ready(Some(_)) =
        http_body::Body::poll_frame(body.as_mut(), &mut Context::from_waker(Waker::noop()))
    {}
    // The first hit of a second puts the head together.
    let _ = serve(&mut service, request(condition));
    let mut least = u64::MAX;
    for _ in 0..8 {
        let asked = request(condition);
        let mut answer = None;
        let counted = allocation_counter::measure(|| answer = Some(serve(&mut service, asked)));
        assert!(answer.unwrap().body().outcome().is_hit());
        least = least.min(counted.count_total);
    }
    least
}

#[test]
fn a_hit_asks_for_memory_twice() {
    let layer = || CacheLayer::new(MemoryStore::with_bytes_max(16 << 20));
    let (told, untold) =
        (allocations(&layer(), None), allocations(&layer().without_cache_status(), None));
    let not_modified = allocations(&layer(), Some("Fri, 01 Jan 2100 00:00:00 GMT"));
    println!("with Cache-Status {told}, without {untold}, a 304 {not_modified}");
    // The map of fields is two pieces of memory; the body, the key and the rest are none.
    assert_eq!((told, untold, not_modified), (2, 2, 2));
}

/// From the request to the decision: of a new key, of one that is admitted, refused, or too dear, with one quota and with four, where
/// there is room and where there is none.
#[test]
fn r10_a_decision_of_a_limit_asks_for_no_memory() {
    let by = LimitBy::with(|head, parts| {
        parts.part(head.headers.get("host")?.as_bytes());
        Some(())
    });
    let mut asked = request(None);
    let one = Quotas::new([Quota::per_second(3)]).unwrap();
    let four = Quotas::new([4, 5, 6, 7].map(Quota::per_second)).unwrap();
    let store = MemoryLimitStore::with_bytes_max(0);
    let mut seen = [0, 0, 0];
    for n in 0..40u64 {
        let host = HeaderValue::from_str(&format!("{n}.example")).unwrap();
        asked.headers_mut().insert("host", host);
        for (quotas, cost) in [(&one, 1), (&one, 2), (&one, 1), (&four, 1), (&four, 9), (&four, 3)]
        {
            let (cost, now) = (NonZeroU64::new(cost).unwrap(), Ticks::from_nanos(n * 10_000_000));
            let mut verdict = None;
            let counted = allocation_counter::measure(|| {
                let key = by.key_of((&asked).into(), &[7; 16]);
                verdict = key.and_then(|key| store.charge_now(key, quotas, cost, now));
            });
            assert_eq!(counted.count_total, 0, "{verdict:?}");
            seen[verdict.unwrap().outcome() as usize] += 1;
        }
    }
    let stats = store.stats();
    assert!(stats.overflowed > 0 && stats.forgiven > 0, "{stats:?}");
    assert!(seen[Outcome::Never as usize] == 40 && seen.iter().all(|seen| *seen > 9), "{seen:?}");
}
