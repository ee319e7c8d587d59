//! What a tag costs a response, and what a 304 costs that a version decides; each against what is allowed for it.
//!
//! All is measured by turns, so that noise meets each alike, and the differences are medians of the rounds'.

use std::convert::Infallible;
use std::error::Error;
use std::hash::Hasher as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_lc_rs::digest;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_keep::conditional::{Current, EtagLayer};
use twox_hash::XxHash3_128;

type BoxError = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), BoxError> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    println!("medians of {ROUNDS} rounds by turns, in ns\n");
    candidates()?;
    for bytes in BODIES {
        tag_by_digest(&runtime, bytes)?;
    }
    for held in ["W/\"7\"", "\"7\""] {
        not_modified_by_version(&runtime, held)?;
    }
    Ok(())
}

/// What else could make a tag of a body. Who may write a part of the content must not be able to make two contents of
/// one tag, or a client keeps the one for the other; and all instances must come to the same tag.
fn candidates() -> Result<(), BoxError> {
    println!("{:26} {:>8} {:>8}  two contents of one tag", "digest", "1 KiB", "64 KiB");
    let [small, large] = BODIES.map(body);
    let rows: [(&str, &str, Digest); 4] = [
        ("blake3, without assembly", "nobody knows how", blake3),
        ("SHA-256 of aws-lc", "nobody knows how", sha256),
        ("xxh3, 128 bits", "can be made at will", xxh3),
        ("SipHash-2-4, 128 bits", "by whoever has the key", siphash),
    ];
    let times = by_turns(
        &mut rows
            .iter()
            .flat_map(|(_, _, digest)| {
                [&small, &large].map(|body| move || Ok(timed_digest(*digest, body)))
            })
            .collect::<Vec<_>>(),
    )?;
    for ((name, made, _), times) in rows.iter().zip(times.chunks(2)) {
        let [small, large] = times else { continue };
        println!("{name:26} {:>8.0} {:>8.0}  {made}", median(small.clone()), median(large.clone()));
    }
    println!();
    Ok(())
}

fn blake3(body: &[u8]) {
    black_box(blake3::hash(body));
}

fn sha256(body: &[u8]) {
    black_box(digest::digest(&digest::SHA256, body));
}

fn xxh3(body: &[u8]) {
    black_box(XxHash3_128::oneshot(body));
}

fn siphash(body: &[u8]) {
    let mut hasher = SipHasher24::new();
    hasher.write(body);
    black_box(hasher.finish128());
}

/// A `GET` without preconditions, answered with a body in one piece.
fn tag_by_digest(runtime: &Runtime, bytes: usize) -> Result<(), BoxError> {
    let body = body(bytes);
    let (answered, count) = (body.clone(), batch(bytes));
    let bare = service_fn(move |_: Request<()>| {
        let body = answered.clone();
        async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
    });
    let tagged = EtagLayer::new().layer(bare.clone());
    let head = shown(runtime, &tagged, None)?;
    if !head.headers.contains_key(header::ETAG) {
        return Err("no tag".into());
    }
    let times = by_turns::<Box<dyn FnMut() -> Timed>>(&mut [
        Box::new(|| served(runtime, &bare, count, None)),
        Box::new(|| served(runtime, &tagged, count, None)),
        Box::new(|| Ok(timed_digest(blake3, &body))),
    ])?;
    let [bare, tagged, digest] = times.as_slice() else { return Err("three were measured".into()) };
    let (more, digest) = (median_more(tagged, bare), median(digest.clone()));
    let allowed = 1.3 * digest + 200.0;
    println!(
        "the ETag of {} KiB: bare {:.0}, tagged {:.0}, {more:.0} more; the digest alone {digest:.0}, so {:.2} of it\n    \
         allowed are 1.3 of the digest and 200 ns, {allowed:.0}: {}",
        bytes >> 10,
        median(bare.clone()),
        median(tagged.clone()),
        more / digest,
        verdict(more, allowed),
    );
    Ok(())
}

/// A `GET` that is answered before the service is asked, against a service that answers the least.
fn not_modified_by_version(runtime: &Runtime, held: &'static str) -> Result<(), BoxError> {
    let bare = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let version = Arc::new(AtomicU64::new(7));
    let tagged = EtagLayer::new()
        .by_version(move |_| Some(Current::tagged(version.load(Ordering::Acquire))))
        .layer(bare);
    let head = shown(runtime, &tagged, Some(held))?;
    if head.status != StatusCode::NOT_MODIFIED {
        return Err(format!("{} and not 304", head.status).into());
    }
    let times = by_turns::<Box<dyn FnMut() -> Timed>>(&mut [
        Box::new(|| served(runtime, &bare, BATCH, Some(held))),
        Box::new(|| served(runtime, &tagged, BATCH, Some(held))),
    ])?;
    let [bare, tagged] = times.as_slice() else { return Err("two were measured".into()) };
    let more = median_more(tagged, bare);
    println!(
        "a 304 by version, If-None-Match: {held}: an empty 200 takes {:.0}, this {:.0}, {more:.0} more\n    \
         allowed are {NOT_MODIFIED_MAX:.0} ns: {}",
        median(bare.clone()),
        median(tagged.clone()),
        verdict(more, NOT_MODIFIED_MAX),
    );
    Ok(())
}

type Digest = fn(&[u8]);
type Timed = Result<f64, BoxError>;

/// The times of each, one of every round.
fn by_turns<F: FnMut() -> Timed>(subjects: &mut [F]) -> Result<Vec<Vec<f64>>, BoxError> {
    let mut times = vec![Vec::with_capacity(ROUNDS); subjects.len()];
    for _ in 0..ROUNDS {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            times.push(subject()?);
        }
    }
    Ok(times)
}

/// The time of one digest.
fn timed_digest(digest: Digest, body: &Bytes) -> f64 {
    let began = Instant::now();
    let count = batch(body.len());
    for _ in 0..count {
        digest(black_box(body));
    }
    began.elapsed().as_nanos() as f64 / count as f64
}

/// The time of one request, without the making of it. Each is served as a server does it: by a clone of the service, made
/// ready and called, and the body read to its end.
fn served<S, B>(runtime: &Runtime, service: &S, count: usize, held: Option<&'static str>) -> Timed
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Error = Infallible> + Unpin,
{
    let requests: Vec<_> = (0..count).map(|_| request(held)).collect();
    let began = Instant::now();
    runtime.block_on(async {
        for request in requests {
            let Ok(response) = service.clone().oneshot(request).await;
            let (head, mut body) = response.into_parts();
            black_box(head);
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame;
                drop(black_box(frame));
            }
        }
    });
    Ok(began.elapsed().as_nanos() as f64 / count as f64)
}

/// The head of one answer, to see that it is what is to be measured.
fn shown<S, B>(
    runtime: &Runtime,
    service: &S,
    held: Option<&'static str>,
) -> Result<http::response::Parts, BoxError>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone,
{
    let Ok(response) = runtime.block_on(service.clone().oneshot(request(held)));
    Ok(response.into_parts().0)
}

/// As a browser sends it.
fn request(held: Option<&'static str>) -> Request<()> {
    let mut request = Request::new(());
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("shop.example"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11; Linux)"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    if let Some(held) = held {
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(held));
    }
    request
}

/// How many are measured together. Less than a tenth of a millisecond's worth: a longer stretch is seldom left alone on
/// a machine that has other work, and then the median of the rounds would not be free of it.
fn batch(bytes: usize) -> usize {
    (BATCH * (1 << 10) / bytes.max(1 << 10)).max(1)
}

fn body(bytes: usize) -> Bytes {
    (0..bytes).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// By how much the first is more, within each round.
fn median_more(more: &[f64], less: &[f64]) -> f64 {
    median(more.iter().zip(less).map(|(more, less)| more - less).collect())
}

fn verdict(more: f64, allowed: f64) -> &'static str {
    if more <= allowed { "met" } else { "NOT met" }
}

const BODIES: [usize; 2] = [1 << 10, 64 << 10];
const BATCH: usize = 32;
const ROUNDS: usize = 4001;
const NOT_MODIFIED_MAX: f64 = 250.0;
