//! How much memory a `MemoryStore` takes, and whether it says so. The one test of its own program: nothing
//! else allocates here.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::convert::Infallible;
use std::fmt::Debug;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use peak_alloc::PeakAlloc;
use tower::{Layer as _, Service, service_fn};
use tower_keep::cache::{CacheLayer, Purge};
use tower_keep::store::MemoryStore;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a stored response with a body of 100 bytes and 8 fields may take, with a key of some 60 bytes.
const SMALL_ENTRY_BYTES_MAX: usize = 1100;

async fn inner(request: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Some(odd) = odd(request.uri().path()) {
        return Ok(odd);
    }
    let (path, body_bytes) =
        (request.uri().path(), request.uri().query().unwrap().parse().unwrap());
    let mut response = Response::builder()
        .header("cache-control", "public, max-age=3600")
        .header("content-type", "application/json; charset=utf-8")
        .header("content-length", body_bytes)
        .header("date", "Sat, 21 Nov 2026 04:35:57 GMT")
        .header("etag", format!("\"{path}\""))
        .header("last-modified", "Sat, 21 Nov 2026 04:00:00 GMT")
        .header("server", "inner/1.0")
        .header("x-request-id", "8e5b1a6c-7d1f-4f0e-9a57-0c5d3f6b2a11");
    if path.starts_with("/varying") {
        response = response.header("vary", "accept-language");
    }
    Ok(response.body(Full::from(vec![b'x'; body_bytes])).unwrap())
}

/// Responses of which the heads are what takes the memory.
fn odd(path: &str) -> Option<Response<Full<Bytes>>> {
    let kind = path.split('/').nth(1)?;
    let mut response = Response::builder().header("cache-control", "public, max-age=3600");
    match kind {
        "heads" => {
            for field in 0..10 {
                response = response.header(format!("x-{field}"), "v".repeat(30_000));
            }
        }
        "names" => {
            let own = path.replace('/', "-");
            for field in 0..200 {
                response = response.header(format!("x{own}-{field}-{}", "n".repeat(1000)), "v");
            }
        }
        "wide" => {
            let names: Vec<_> = (0..32).map(|field| format!("x-{field}")).collect();
            response = response.header("vary", names.join(","));
        }
        _ => return None,
    }
    Some(response.body(Full::from(vec![b'x'; 100])).unwrap())
}

/// What the heap has more than when the store was empty, and what the store says.
#[derive(Debug)]
struct Taken {
    heap: usize,
    said: usize,
    entries: usize,
}

struct Filled {
    store: MemoryStore,
    layer: CacheLayer<MemoryStore>,
    before: usize,
}

impl Filled {
    fn new(bytes_max: u64) -> Self {
        let store = MemoryStore::with_bytes_max(bytes_max);
        let layer = CacheLayer::new(store.clone());
        Self { store, layer, before: MEMORY.current_usage() }
    }

    /// Asks for so many URLs, each twice; says how it stands every so often.
    async fn fill(&self, kind: &str, body_bytes: usize, urls: usize, each: usize) -> Vec<Taken> {
        let mut service = self.layer.layer(service_fn(inner));
        let mut taken = Vec::with_capacity(urls / each + 1);
        for url in 0..urls {
            let path = format!("/{kind}/products/{url:08}/and-some?{body_bytes}");
            ask(&mut service, &path).await;
            // The first hit may leave something behind: a count of who shares the body.
            ask(&mut service, &path).await;
            if (url + 1) % each == 0 {
                taken.push(self.taken());
            }
        }
        taken
    }

    fn taken(&self) -> Taken {
        let heap = MEMORY.current_usage() - self.before;
        let (said, entries) = (self.store.bytes() as usize, self.store.entries() as usize);
        Taken { heap, said, entries }
    }
}

async fn ask<S, B>(service: &mut S, path: &str)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: Debug>,
{
    ask_for(service, path, "de").await;
}

/// `variant` is what the responses vary by.
async fn ask_for<S, B>(service: &mut S, path: &str, variant: &str)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: Debug>,
{
    let request = Request::get(format!("http://shop.example{path}"))
        .header("accept-language", variant)
        .header("x-0", variant)
        .body(Empty::new())
        .unwrap();
    let response = service.call(request).await.unwrap();
    BodyExt::collect(response.into_body()).await.unwrap();
}

/// The budget is only as good as the count: it may be a tenth off, at any time.
fn assert_honest(what: &str, taken: &[Taken], bytes_max: usize) {
    let share = |taken: &Taken| taken.said as f64 / taken.heap as f64;
    let shares: Vec<_> = taken.iter().map(share).collect();
    let (least, most) = shares
        .iter()
        .fold((9.0_f64, 0.0_f64), |(least, most), share| (least.min(*share), most.max(*share)));
    println!(
        "{what}: says between {least:.3} and {most:.3} of what it takes; last {:?}",
        taken.last()
    );
    for taken in taken {
        assert!((0.9..=1.1).contains(&share(taken)), "{what}: {taken:?}");
        assert!(taken.heap <= bytes_max / 10 * 11, "{what}: {taken:?} of {bytes_max}");
    }
}

#[test]
fn a_store_takes_what_it_says_and_a_small_entry_takes_little() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Whatever is made once in a program is made here.
        Filled::new(1 << 20).fill("small", 100, 100, 100).await;

        let store = Filled::new(64 << 20);
        let taken = store.fill("small", 100, 20_000, 1000).await;
        assert_honest("small", &taken, 64 << 20);
        let last = taken.last().unwrap();
        assert_eq!(last.entries, 20_000);
        let each = last.heap / last.entries;
        println!("a small entry takes {each} bytes");

        let taken = Filled::new(2 << 20).fill("small", 100, 20_000, 500).await;
        assert_honest("small, ten times over", &taken, 2 << 20);
        let taken = Filled::new(16 << 20).fill("large", 64 << 10, 1000, 20).await;
        assert_honest("large", &taken, 16 << 20);
        let taken = Filled::new(4 << 20).fill("varying", 100, 5000, 100).await;
        assert_honest("varying", &taken, 4 << 20);

        // The tables are made for many entries, then there are few.
        let store = Filled::new(4 << 20);
        store.fill("small", 100, 5000, 500).await;
        let taken = store.fill("large", 64 << 10, 500, 10).await;
        assert_honest("large after small", &taken, 4 << 20);
        assert!(taken.last().unwrap().entries < 200, "{taken:?}");
        let taken = store.fill("smaller", 100, 5000, 100).await;
        assert_honest("small after large", &taken, 4 << 20);

        heads_are_not_kept().await;
        heads_are_within_the_budget("names", 300, 1, 4 << 20).await;
        heads_are_within_the_budget("heads", 100, 1, 4 << 20).await;
        heads_are_within_the_budget("wide", 200, 32, 4 << 20).await;

        assert!(each <= SMALL_ENTRY_BYTES_MAX, "a small entry takes {each} bytes");
    });
}

/// Large heads that were sent again and again: nothing holds them when the store lets go of them.
async fn heads_are_not_kept() {
    let before = MEMORY.current_usage();
    let store = Filled::new(64 << 20);
    let taken = store.fill("heads", 100, 150, 150).await;
    assert!(taken.last().unwrap().heap > 40 << 20, "they were stored: {taken:?}");
    let hits = store.layer.handle().stats().hits;
    assert!(hits >= 150, "they were sent from the store: {hits}");
    store.layer.handle().purge(Purge::all()).await.unwrap();
    drop(store);
    let left = MEMORY.current_usage().saturating_sub(before);
    println!("heads that were purged leave {left} bytes");
    assert!(left < 1 << 20, "{left} bytes are left");
}

/// Names that no two responses have in common, and variants by many fields.
async fn heads_are_within_the_budget(kind: &str, urls: usize, variants: usize, bytes_max: usize) {
    let store = Filled::new(bytes_max as u64);
    let mut service = store.layer.layer(service_fn(inner));
    let mut most = 0;
    for url in 0..urls {
        for variant in 0..variants {
            for _ in 0..2 {
                let path = format!("/{kind}/{url:08}");
                ask_for(&mut service, &path, &format!("{variant:08}")).await;
            }
            let taken = store.taken();
            most = most.max(taken.heap);
            assert!(taken.heap <= bytes_max / 10 * 11, "{kind}: {taken:?} of {bytes_max}");
        }
    }
    let taken = store.taken();
    println!("{kind}: takes {most} bytes of {bytes_max} at most; last {taken:?}");
    assert!(taken.said > bytes_max / 2, "{kind}: it was filled: {taken:?}");
    let hits = store.layer.handle().stats().hits;
    assert!(hits >= (urls * variants) as u64 / 2, "{kind}: they were stored: {hits}");
}
