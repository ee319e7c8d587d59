//! How long a set is used: while it is good, and while the issuer fails.

use super::*;
use tower_keep::auth::JwksErrorKind;
use tower_keep::clock::Clock;
use tower_keep::time::Timestamp;

#[tokio::test]
async fn k03_the_last_good_set_is_kept_to_its_ceiling_while_the_issuer_fails() {
    let hour = Duration::from_secs(3600);
    let world = World::loaded(|options| options.stale_max(hour), |_, _| set(&["a"])).await;
    world.issuer.answers(|_, _| Act::Fail);
    for second in 1..3600 {
        world.pass(1).await;
        assert_eq!(world.ids().unwrap(), ["a"], "{second}");
    }
    let stats = world.keys.stats();
    assert_eq!(stats.age, Some(Duration::from_secs(3599)));
    assert_eq!(stats.last_error, Some(JwksErrorKind::Client));
    assert!(stats.failures > 50 && stats.failures == stats.fetches - 1, "{stats:?}");
    world.pass(1).await;
    assert!(world.ids().is_none() && !world.keys.is_loaded());
    assert!(retry_after(&world.refreshed("a").await) >= 1);
    world.issuer.answers(|_, _| set(&["a"]));
    world.pass(40).await;
    assert_eq!(world.ids().unwrap(), ["a"]);
    assert_eq!(world.keys.stats().last_error, None);
}

#[tokio::test]
async fn k03_the_ceiling_is_a_day() {
    let world = World::loaded(|options| options, |_, _| set(&["a"])).await;
    world.issuer.answers(|_, _| status(500));
    world.pass(600).await;
    world.clock.advance(Duration::from_secs(86_400 - 601));
    settle().await;
    assert!(world.keys.is_loaded());
    world.pass(1).await;
    assert!(!world.keys.is_loaded());
}

#[tokio::test]
async fn k03_where_requests_have_to_fetch_one_in_a_cooldown_waits() {
    let world = World::loaded(|options| options.spawn(Never), |_, _| set(&["a"])).await;
    world.issuer.answers(|_, _| Act::Fail);
    world.pass(599).await;
    assert!(world.keys.is_loaded() && world.issuer.calls() == 1);
    world.pass(1).await;
    for fetches in 2..6 {
        // Nobody knows whether it is good still, until one has asked.
        assert!(!world.keys.is_loaded());
        assert_eq!(current(&world.refreshed("a").await), ["a"]);
        assert_eq!(world.issuer.calls(), fetches);
        for _ in 0..29 {
            assert_eq!(world.ids().unwrap(), ["a"]);
            world.pass(1).await;
        }
        world.pass(1).await;
    }
}

#[tokio::test]
async fn k03_an_issuer_that_takes_longer_than_a_request_waits_counts_as_failing() {
    let world = World::loaded(|options| options.spawn(Never), |_, _| set(&["a"])).await;
    world.issuer.answers(|_, _| Act::Hang);
    world.pass(600).await;
    let asking = tokio::spawn(refreshed(world.keys.clone(), "a".to_owned()));
    settle().await;
    world.pass(1).await;
    assert_eq!(world.ids(), None);
    world.pass(1).await;
    assert_eq!(current(&asking.await.unwrap()), ["a"]);
    assert_eq!(world.ids().unwrap(), ["a"]);
    assert_eq!((world.keys.stats().failures, world.issuer.calls()), (0, 2));
}

#[tokio::test]
async fn k05_a_key_that_was_withdrawn_is_unusable_after_one_interval_without_any_request() {
    for (cache_control, interval) in [
        ("", 600),
        ("public, max-age=300", 300),
        ("max-age=0, no-store", 60),
        ("max-age=60", 60),
        ("max-age=7200", 7200),
    ] {
        let fields = [("cache-control", cache_control)];
        let world =
            World::loaded(|options| options, move |_, _| set_with(&fields, &["a", "b"])).await;
        world.issuer.answers(|_, _| set(&["b"]));
        let began = world.clock.now();
        while world.ids().unwrap() == ["a", "b"] {
            world.pass(1).await;
        }
        assert_eq!((world.ids().unwrap(), world.issuer.calls()), (vec!["b".to_owned()], 2));
        let took = world.clock.now().ticks.since(began.ticks).as_secs();
        // Some time before, so that many instances do not ask together.
        assert!(took < interval && took + 11 + interval / 10 >= interval, "{cache_control} {took}");
    }
}

#[tokio::test]
async fn k05_a_set_is_as_old_as_the_question() {
    let go_on = Arc::new(Notify::new());
    let issuer = go_on.clone();
    let world = World::new(move |_, _| Act::Later(issuer.clone(), json(&[], set_of(&[key("a")]))));
    world.keys.start();
    settle().await;
    world.pass(9).await;
    go_on.notify_one();
    world.issuer.answers(|_, _| Act::Hang);
    settle().await;
    // What was withdrawn meanwhile may be in it.
    assert_eq!(world.keys.stats().age, Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn k05_a_day_is_the_longest_interval() {
    let fields = [("cache-control", "max-age=31536000")];
    let world = World::loaded(|options| options, move |_, _| set_with(&fields, &["a"])).await;
    world.issuer.answers(|_, _| set(&["b"]));
    world.clock.advance(Duration::from_secs(86_400 * 9 / 10 - 11));
    settle().await;
    assert_eq!(world.issuer.calls(), 1);
    world.clock.advance(Duration::from_secs(86_400 / 10 + 1));
    settle().await;
    assert_eq!(world.ids().unwrap(), ["b"]);
}

#[tokio::test]
async fn many_instances_do_not_ask_together() {
    let clock = ManualClock::new();
    let issuer = Issuer::new(|_, _| set(&["a"]));
    let options = JwksKeys::options().clock(clock.clone());
    let mut instances = Vec::new();
    for _ in 0..50 {
        let keys = options.clone().at(URL, issuer.clone()).unwrap();
        keys.load().await.unwrap();
        instances.push(keys);
    }
    let mut most = 0;
    for _ in 0..590 {
        let before = issuer.calls();
        clock.advance(Duration::from_secs(1));
        for _ in 0..10 {
            settle().await;
        }
        most = most.max(issuer.calls() - before);
    }
    assert_eq!(issuer.calls(), 100);
    assert!(most < 20, "{most} in one second");
}

#[tokio::test]
async fn k05_an_empty_set_withdraws_all_keys() {
    let world = World::loaded(|options| options, |_, _| set(&["a"])).await;
    world.issuer.answers(|_, _| set(&[]));
    world.pass(600).await;
    assert!(world.ids().unwrap().is_empty());
    assert!(current(&world.refreshed("a").await).is_empty());
}

#[tokio::test]
async fn k05_where_requests_have_to_fetch_a_set_is_not_used_beyond_its_interval() {
    let world = World::loaded(|options| options.spawn(Never), |_, _| set(&["a", "b"])).await;
    world.issuer.answers(|_, _| set(&["b"]));
    world.pass(599).await;
    assert_eq!(world.ids().unwrap(), ["a", "b"]);
    world.pass(1).await;
    assert_eq!(world.ids(), None);
    assert_eq!(current(&world.refreshed("a").await), ["b"]);
    assert_eq!(world.ids().unwrap(), ["b"]);
}

#[tokio::test]
async fn k05_a_machine_that_slept_does_not_use_what_is_old() {
    let world = World::loaded(|options| options, |_, _| set(&["a", "b"])).await;
    world.issuer.answers(|_, _| set(&["b"]));
    // The ticks stand still meanwhile, and with them whoever sleeps.
    let later = world.clock.now().wall.as_secs() + 600;
    world.clock.set_wall(Timestamp::from_secs(later));
    assert_eq!(world.ids(), None);
    world.pass(30).await;
    assert_eq!(current(&world.refreshed("a").await), ["b"]);
}

#[tokio::test]
async fn a_set_that_was_not_modified_is_good_for_another_interval() {
    let fields = [("etag", "\"1\""), ("cache-control", "max-age=60")];
    let world = World::loaded(|options| options, move |_, _| set_with(&fields, &["a"])).await;
    world.issuer.answers(|request, _| match request.headers().get("if-none-match") {
        Some(tag) if tag == "\"1\"" => status(304),
        _ => panic!("no validator"),
    });
    world.pass(180).await;
    assert_eq!(world.ids().unwrap(), ["a"]);
    let stats = world.keys.stats();
    assert!(stats.not_modified >= 3 && stats.failures == 0 && stats.keys == 1, "{stats:?}");
    // Another one replaces it, validator and all.
    world.issuer.answers(|_, _| set(&["b"]));
    world.pass(60).await;
    assert_eq!(world.ids().unwrap(), ["b"]);
    world.pass(600).await;
    let last = world.issuer.seen().pop().unwrap();
    assert!(!last.headers.contains_key("if-none-match"));
}

#[tokio::test]
async fn a_304_to_no_question_is_a_failure() {
    let world = World::loaded(|options| options, |_, _| set(&["a"])).await;
    world.issuer.answers(|_, _| status(304));
    world.pass(600).await;
    assert_eq!(world.keys.stats().last_error, Some(JwksErrorKind::Status));
}
