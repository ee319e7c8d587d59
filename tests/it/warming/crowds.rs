//! How many are asked for at a time, by whom, and in which order it is told.

use std::convert::Infallible;
use std::future::{Future, Ready, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use http::{Request, Response, Uri};
use tower::{Layer, Service, service_fn};
use tower_keep::cache::{CacheLayer, Warming, WarmingProgress};
use tower_keep::store::MemoryStore;

use super::{counts, fresh, uri, warming};

/// Who waits in a service, by path, until each is let go.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    inside: Vec<(String, Option<Waker>, bool)>,
    most: usize,
    ended: Vec<String>,
}

/// One who waits; leaves when it is dropped.
struct Visitor(Gate, String);

impl Gate {
    fn enter(&self, path: &str) -> Visitor {
        let mut waiting = self.0.lock().unwrap();
        waiting.inside.push((path.to_owned(), None, false));
        waiting.most = waiting.most.max(waiting.inside.len());
        Visitor(self.clone(), path.to_owned())
    }

    fn inside(&self) -> Vec<String> {
        self.0.lock().unwrap().inside.iter().map(|(path, ..)| path.clone()).collect()
    }

    fn most(&self) -> usize {
        self.0.lock().unwrap().most
    }

    fn let_go(&self, path: &str) {
        let mut waiting = self.0.lock().unwrap();
        let visitor = waiting.inside.iter_mut().find(|(name, ..)| name == path).unwrap();
        visitor.2 = true;
        let waker = visitor.1.take();
        drop(waiting);
        waker.unwrap().wake();
    }
}

/// Every request waits inside until it is let go.
impl Service<Request<Body>> for Gate {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let visitor = self.enter(request.uri().path());
        Box::pin(async move {
            poll_fn(|cx| visitor.poll(cx)).await;
            let response = Response::builder().header("cache-control", "max-age=60");
            Ok(response.body(Body::from("x")).unwrap())
        })
    }
}

impl Visitor {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.0.0.lock().unwrap();
        let visitor = waiting.inside.iter_mut().find(|(name, ..)| *name == self.1).unwrap();
        visitor.1 = Some(cx.waker().clone());
        if visitor.2 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let mut waiting = self.0.0.lock().unwrap();
        waiting.inside.retain(|(name, ..)| *name != self.1);
        waiting.ended.push(self.1.clone());
    }
}

fn numbered(count: usize) -> impl Iterator<Item = Uri> {
    (0..count).map(|number| uri(&format!("http://a.test/{number}")))
}

/// Polls until nothing more happens without somebody being let go.
fn settle<F: Future>(mut run: Pin<&mut F>) -> Poll<F::Output> {
    for _ in 0..100 {
        let poll = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if poll.is_ready() {
            return poll;
        }
    }
    Poll::Pending
}

#[tokio::test]
async fn never_more_than_so_many_are_in_flight() {
    for (parallel, most) in [(0, 1), (1, 1), (3, 3), (7, 7), (usize::MAX, 20)] {
        let gate = Gate::default();
        let cached = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20)).layer(gate.clone());
        let mut run = pin!(Warming::new(numbered(20)).parallel(parallel).run(cached, |_| {}));
        let mut left = 20;
        let progress = loop {
            if let Poll::Ready(progress) = settle(run.as_mut()) {
                break progress;
            }
            // All places are taken, and no more than there are.
            let inside = gate.inside();
            assert_eq!(inside.len(), most.min(left), "{parallel}");
            gate.let_go(&inside[left % inside.len()]);
            left -= 1;
        };
        assert_eq!(gate.most(), most, "{parallel}");
        assert_eq!(counts(progress), (20, 20, 0, 0));
    }
}

#[tokio::test]
async fn more_than_256_are_never_in_flight() {
    let gate = Gate::default();
    let mut run = pin!(Warming::new(numbered(300)).parallel(300).run(gate.clone(), |_| {}));
    for _ in 0..10 {
        assert!(settle(run.as_mut()).is_pending());
    }
    assert_eq!(gate.inside().len(), 256);
}

#[tokio::test]
async fn each_is_told_when_it_ends() {
    let gate = Gate::default();
    let told = Mutex::new(Vec::new());
    let tell = |step: tower_keep::cache::WarmingStep<'_>| {
        let progress = step.progress;
        told.lock().unwrap().push((step.url.path().to_owned(), progress.done, progress.total));
    };
    let mut run = pin!(Warming::new(numbered(4)).parallel(3).run(gate.clone(), tell));
    for (path, done) in [("/2", 1), ("/0", 2), ("/3", 3), ("/1", 4)] {
        let _ = settle(run.as_mut());
        assert_eq!(told.lock().unwrap().len(), done - 1);
        gate.let_go(path);
        let _ = settle(run.as_mut());
        let last = told.lock().unwrap().last().cloned();
        assert_eq!(last, Some((path.to_owned(), done as u64, 4)));
    }
}

#[tokio::test]
async fn dropping_the_future_stops_it_and_keeps_what_is_whole() {
    let gate = Gate::default();
    let cache = CacheLayer::new(MemoryStore::with_bytes_max(1 << 20));
    let cached = cache.layer(gate.clone());
    let mut run = Box::pin(Warming::new(numbered(9)).parallel(2).run(cached, |_| {}));
    assert!(settle(run.as_mut()).is_pending());
    gate.let_go("/0");
    assert!(settle(run.as_mut()).is_pending());
    assert_eq!(gate.inside(), ["/1", "/2"]);
    drop(run);
    assert_eq!(gate.inside(), [""; 0]);
    assert_eq!(gate.0.lock().unwrap().ended.len(), 3);
    assert_eq!(cache.handle().stats().stored, 1);
}

#[tokio::test]
async fn it_can_be_spawned_and_a_panic_passes_through() {
    let harness = fresh(|layer| layer);
    let cached = harness.layer.layer(harness.inner.clone());
    let run = warming(&["http://a.test/"]).run(cached, |_| {});
    assert_eq!(tokio::spawn(run).await.unwrap().stored, 1);
    let service = service_fn(async |request: Request<Body>| match request.uri().path() {
        "/panic" => panic!("the handler's own"),
        _ => Ok::<_, Infallible>(Response::new(Body::empty())),
    });
    let run = warming(&["http://a.test/", "http://a.test/panic"]).run(service, |_| {});
    let panic = tokio::spawn(run).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"the handler's own"));
}

/// Woken by other threads at any moment, it misses none.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_other_threads_wake_is_polled() {
    let service = service_fn(async |_: Request<Body>| {
        let answer = tokio::spawn(async {
            tokio::task::yield_now().await;
            Response::new(Body::from("x"))
        });
        answer.await
    });
    let run = Warming::new(numbered(5_000)).parallel(50).run(service, |_| {});
    assert_eq!(counts(tokio::spawn(run).await.unwrap()), (5_000, 0, 0, 0));
}

/// Neither a runtime nor `Send` is needed, and the error may be of any type.
#[test]
fn it_runs_in_any_task() {
    struct Opaque;
    let asked = Rc::new(());
    let service = service_fn(|_: Request<String>| {
        let asked = asked.clone();
        async move {
            match Rc::strong_count(&asked) {
                0 => Err(Opaque),
                _ => Ok(Response::new(String::from("x"))),
            }
        }
    });
    let run = pin!(Warming::new(numbered(20)).run(service, |_| {}));
    let Poll::Ready(progress) = settle(run) else { panic!("it waits for nothing") };
    assert_eq!(counts(progress), (20, 0, 0, 0));
}

/// Ready at the second time of asking; to be called only then, and once.
#[derive(Default)]
struct Readied(usize);

impl Clone for Readied {
    fn clone(&self) -> Self {
        assert_eq!(self.0, 0, "what was made ready is cloned");
        Self(0)
    }
}

impl Service<Request<Body>> for Readied {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0 += 1;
        if self.0 > 1 {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert_eq!(std::mem::take(&mut self.0), 2, "called without having been made ready");
        ready(Ok(Response::new(Body::from("x"))))
    }
}

#[tokio::test]
async fn the_clone_that_was_made_ready_is_the_one_that_is_called() {
    let progress: WarmingProgress =
        Warming::new(numbered(20)).run(Readied::default(), |_| {}).await;
    assert_eq!(counts(progress), (20, 0, 0, 0));
}
