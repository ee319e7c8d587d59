//! Who polls the fetch, and who does when that one is gone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use tokio::task::JoinHandle;

use super::*;
use crate::scripted::{Step, paused};

/// A runtime that can be shut down.
#[derive(Clone, Default)]
struct Stoppable(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Spawn for Stoppable {
    fn spawn(&self, work: Work) -> Result<(), Work> {
        self.0.lock().unwrap().push(tokio::spawn(work));
        Ok(())
    }
}

impl Stoppable {
    fn stop(&self) {
        self.0.lock().unwrap().drain(..).for_each(|task| task.abort());
    }

    fn begun(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn slow(go_on: &Arc<Notify>) -> impl Fn(&Request<Body>, usize) -> Act + Send + Sync + 'static {
    let go_on = go_on.clone();
    move |_, _| Act::Later(go_on.clone(), json(&[], set_of(&[key("a")])))
}

#[tokio::test]
async fn k09_no_client_that_leaves_ends_the_fetch_of_a_task() {
    let go_on = Arc::new(Notify::new());
    let world = World::new(slow(&go_on));
    let asking = tokio::spawn(refreshed(world.keys.clone(), "a".to_owned()));
    settle().await;
    asking.abort();
    settle().await;
    go_on.notify_one();
    settle().await;
    assert_eq!((world.ids().unwrap(), world.issuer.calls()), (vec!["a".to_owned()], 1));
}

#[tokio::test]
async fn where_there_is_a_task_no_request_fetches() {
    let by = Arc::new(Mutex::new(Vec::new()));
    let seen = by.clone();
    let world = World::new(move |_, _| {
        seen.lock().unwrap().push(tokio::task::try_id());
        set(&["a"])
    });
    for _ in 0..3 {
        let asking = tokio::spawn(refreshed(world.keys.clone(), "b".to_owned()));
        let request = asking.id();
        assert_eq!(current(&asking.await.unwrap()), ["a"]);
        assert_ne!(by.lock().unwrap().last().unwrap(), &Some(request));
        world.clock.advance(Duration::from_secs(30));
    }
    let by = by.lock().unwrap();
    assert!(by.len() == 3 && by.iter().all(|task| *task == by[0]));
}

#[tokio::test]
async fn k09_where_there_is_no_task_one_who_waits_takes_over() {
    let go_on = Arc::new(Notify::new());
    let world = World::with(|options| options.spawn(Never), slow(&go_on));
    let ask = || tokio::spawn(refreshed(world.keys.clone(), "a".to_owned()));
    let mut asking: Vec<_> = (0..10).map(|_| ask()).collect();
    settle().await;
    // Whoever it is that polls: one after the other leaves, and two at once.
    for leaving in [&[0][..], &[1, 2], &[4], &[9]] {
        leaving.iter().for_each(|number| asking[*number].abort());
        settle().await;
    }
    go_on.notify_one();
    settle().await;
    for number in [3, 5, 6, 7, 8] {
        assert!(asking[number].is_finished(), "{number}");
        assert_eq!(current(&(&mut asking[number]).await.unwrap()), ["a"]);
    }
    assert_eq!(world.issuer.calls(), 1);
}

#[tokio::test]
async fn k09_who_comes_when_all_have_left_takes_over_the_same_fetch() {
    let go_on = Arc::new(Notify::new());
    let world = World::with(|options| options.spawn(Never), slow(&go_on));
    let asking = tokio::spawn(refreshed(world.keys.clone(), "a".to_owned()));
    settle().await;
    asking.abort();
    settle().await;
    assert_eq!(world.keys.stats().waiting, 0);
    let asking = tokio::spawn(refreshed(world.keys.clone(), "a".to_owned()));
    settle().await;
    go_on.notify_one();
    assert_eq!(current(&asking.await.unwrap()), ["a"]);
    assert_eq!(world.issuer.calls(), 1);
}

#[tokio::test]
async fn k09_a_fetch_that_nobody_polled_ends_when_somebody_comes_after_its_deadline() {
    let world = World::with(|options| options.spawn(Never), |_, _| Act::Hang);
    let asking = tokio::spawn(refreshed(world.keys.clone(), "a".to_owned()));
    settle().await;
    asking.abort();
    world.pass(11).await;
    assert_eq!(retry_after(&world.refreshed("a").await), 19);
    assert_eq!((world.keys.stats().failures, world.issuer.calls()), (1, 1));
}

#[tokio::test]
async fn k09_where_the_task_is_killed_one_who_waits_takes_over() {
    let (go_on, runtime) = (Arc::new(Notify::new()), Stoppable::default());
    let world = World::with(|options| options.spawn(runtime.clone()), slow(&go_on));
    let asking = tokio::spawn(refreshed(world.keys.clone(), "a".to_owned()));
    settle().await;
    assert_eq!(world.issuer.calls(), 1);
    runtime.stop();
    settle().await;
    go_on.notify_one();
    assert_eq!(current(&asking.await.unwrap()), ["a"]);
    assert_eq!((world.issuer.calls(), runtime.begun()), (1, 0));
    // The next who has to wait begins another task, which goes on.
    world.issuer.answers(|_, _| set(&["b"]));
    world.pass(30).await;
    assert_eq!(current(&world.refreshed("b").await), ["b"]);
    assert_eq!(runtime.begun(), 1);
    world.issuer.answers(|_, _| set(&["c"]));
    world.pass(600).await;
    assert_eq!(world.ids().unwrap(), ["c"]);
}

/// How often somebody was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn who_waits_is_woken_at_the_end_and_once() {
    let (steps, body, _) = paused();
    let body = Mutex::new(Some(body));
    let world = World::with(
        |options| options.spawn(Never),
        move |_, _| Act::Reply(json(&[], body.lock().unwrap().take().unwrap())),
    );
    let header = header("a");
    let mut asking: Vec<_> = (0..50)
        .map(|_| (world.keys.refreshed(&header).unwrap(), Arc::<Woken>::default()))
        .collect();
    let mut poll = |number: usize| {
        let (asking, woken) = &mut asking[number];
        let waker = Waker::from(woken.clone());
        let is_ready = asking.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        (is_ready, woken.0.load(Ordering::Relaxed))
    };
    for number in 0..50 {
        assert_eq!(poll(number), (false, 0));
    }
    // The first one polls the fetch, and is the only one to be bothered by it.
    for times in 1..10 {
        steps.send(Step::Data(" ")).unwrap();
        assert_eq!(poll(0), (false, times));
    }
    steps.send(Step::Data(r#"{"keys":[]}"#)).unwrap();
    drop(steps);
    assert!(poll(0).0);
    for number in 1..50 {
        assert_eq!(poll(number), (true, 1));
    }
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle() {
    for is_fetching in [false, true] {
        let (runtime, go_on) = (Stoppable::default(), Arc::new(Notify::new()));
        let world = World::with(|options| options.spawn(runtime.clone()), slow(&go_on));
        world.keys.start();
        if !is_fetching {
            go_on.notify_one();
        }
        settle().await;
        assert_eq!(world.keys.is_loaded(), !is_fetching);
        let World { keys, .. } = world;
        let other = keys.clone();
        drop(keys);
        settle().await;
        assert!(!runtime.0.lock().unwrap()[0].is_finished());
        drop(other);
        settle().await;
        assert!(runtime.0.lock().unwrap()[0].is_finished());
    }
}

#[tokio::test]
async fn one_task_is_enough() {
    let runtime = Stoppable::default();
    let world = World::loaded(|options| options.spawn(runtime.clone()), |_, _| set(&["a"])).await;
    for _ in 0..5 {
        world.keys.start();
        world.pass(30).await;
        world.refreshed("b").await;
    }
    assert_eq!(runtime.begun(), 1);
}

#[tokio::test]
async fn a_task_that_sleeps_learns_of_what_others_fetched() {
    let day = [("cache-control", "max-age=86400")];
    let world = World::loaded(|options| options, move |_, _| set_with(&day, &["a"])).await;
    let minute = [("cache-control", "max-age=60")];
    world.issuer.answers(move |_, _| set_with(&minute, &["a", "b"]));
    world.pass(100).await;
    assert_eq!(world.issuer.calls(), 1);
    world.refreshed("b").await;
    // It is due within a minute now, not within a day.
    world.issuer.answers(|_, _| set(&["c"]));
    world.pass(60).await;
    assert_eq!(world.ids().unwrap(), ["c"]);
}
