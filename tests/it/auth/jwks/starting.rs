//! Before the first set is there.

use tower_keep::auth::JwksErrorKind;

use super::*;

#[tokio::test]
async fn k10_nothing_is_asked_before_somebody_needs_it() {
    let world = World::new(|_, _| set(&["a"]));
    settle().await;
    world.pass(1000).await;
    assert!(world.keys.keys().is_none() && !world.keys.is_loaded());
    assert_eq!((world.issuer.calls(), world.keys.stats().age), (0, None));
    assert_eq!(current(&world.refreshed("a").await), ["a"]);
    assert!(world.keys.is_loaded());
}

#[tokio::test]
async fn k10_without_a_network_there_are_no_keys_and_then_there_are() {
    let world = World::new(|_, _| Act::Fail);
    for _ in 0..3 {
        assert_eq!(retry_after(&world.refreshed("a").await), 30);
        assert!(world.keys.keys().is_none() && !world.keys.is_loaded());
        world.clock.advance(Duration::from_secs(30));
    }
    world.issuer.answers(|_, _| set(&["a"]));
    // Without any request: the task tries again.
    world.pass(4).await;
    assert!(world.keys.is_loaded());
}

#[tokio::test]
async fn k10_starting_does_not_wait() {
    let world = World::new(|_, _| set(&["a"]));
    world.keys.start();
    assert_eq!(world.issuer.calls(), 0);
    settle().await;
    assert!(world.keys.is_loaded());
}

#[tokio::test]
async fn k10_loading_waits_for_one_fetch_and_tells_what_was_wrong() {
    let world = World::new(|_, _| Act::Fail);
    let error = world.keys.load().await.unwrap_err();
    assert_eq!(error.kind(), JwksErrorKind::Client);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "no route to the issuer");
    // Once more at once: that is after the cooldown.
    world.issuer.answers(|_, _| set(&["a"]));
    let keys = world.keys.clone();
    let loading = tokio::spawn(async move { keys.load().await });
    settle().await;
    world.pass(29).await;
    assert!(!loading.is_finished() && world.issuer.calls() == 1);
    world.pass(1).await;
    loading.await.unwrap().unwrap();
    assert!(world.keys.is_loaded());
}

#[tokio::test]
async fn k10_a_client_that_hangs_is_given_up_after_the_deadline() {
    for is_driven in [true, false] {
        let world = World::with(
            |options| {
                let options = options.fetch_deadline(Duration::from_secs(3));
                if is_driven { options } else { options.spawn(Never) }
            },
            |_, _| Act::Hang,
        );
        let keys = world.keys.clone();
        let loading = tokio::spawn(async move { keys.load().await });
        settle().await;
        world.pass(2).await;
        assert!(!loading.is_finished());
        world.pass(1).await;
        assert_eq!(loading.await.unwrap().unwrap_err().kind(), JwksErrorKind::Deadline);
        assert_eq!((world.keys.stats().failures, world.keys.stats().refused), (1, 0));
    }
}

#[tokio::test]
async fn a_client_that_panics_is_one_that_fails() {
    for is_driven in [true, false] {
        let world = World::with(
            |options| if is_driven { options } else { options.spawn(Never) },
            |_, _| Act::Panic,
        );
        assert_eq!(retry_after(&world.refreshed("a").await), 30);
        assert_eq!(world.keys.stats().last_error, Some(JwksErrorKind::Client));
        world.issuer.answers(|_, _| set(&["a"]));
        world.pass(30).await;
        assert_eq!(current(&world.refreshed("a").await), ["a"]);
    }
}

/// Nothing drives it, and nothing keeps the time.
#[test]
fn requests_do_it_themselves_where_there_is_no_runtime() {
    let keys = JwksKeys::new(URL, Issuer::new(|_, _| set(&["a"]))).unwrap();
    let header = header("a");
    let mut answer = keys.refreshed(&header).unwrap();
    let answer = answer.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(answer, Poll::Ready(Refreshed::Current(_))));
}

#[tokio::test]
async fn urls_that_may_not_be_asked_are_told_at_once() {
    for wrong in [
        "http://login.test/jwks",
        "http://127.0.0.1/jwks",
        "https://user:word@login.test/jwks",
        "https://login.test/jwks#x",
        "login.test",
    ] {
        let error = JwksKeys::new(wrong, Issuer::new(|_, _| Act::Hang)).unwrap_err();
        assert_eq!(error.kind(), JwksErrorKind::Url, "{wrong}");
    }
    let options = JwksKeys::options().http_to_loopback();
    let client = || Issuer::new(|_, _| Act::Hang);
    assert!(options.clone().at("http://[::1]:8080/jwks", client()).is_ok());
    assert!(options.at("http://192.168.0.1/jwks", client()).is_err());
}
