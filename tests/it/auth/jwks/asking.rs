//! Keys that nobody knows yet: how often the issuer is asked, and who waits.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn k01_random_key_ids_cost_one_fetch_in_a_cooldown_whatever_comes_of_it() {
    type Answer = fn(&Request<Body>, usize) -> Act;
    let answers: [(&str, Answer); 7] = [
        ("good", |_, _| set(&["a"])),
        ("empty", |_, _| set(&[])),
        ("useless", |_, _| Act::Reply(json(&[], r#"{"keys":[{"kty":"XYZ"}]}"#))),
        ("status", |_, _| status(500)),
        ("malformed", |_, _| Act::Reply(json(&[], "{}"))),
        ("failing", |_, _| Act::Fail),
        ("panicking", |_, _| Act::Panic),
    ];
    for (name, answer) in answers {
        for is_driven in [true, false] {
            let world = World::with(
                |options| if is_driven { options } else { options.spawn(Never) },
                answer,
            );
            for cooldown in 1..4 {
                for number in 0..10_000 {
                    let answer = world.refreshed(&format!("{cooldown}-{number}")).await;
                    match ["good", "empty", "useless"].contains(&name) {
                        true => assert_eq!(current(&answer).len(), usize::from(name == "good")),
                        false => assert!((1..=30).contains(&retry_after(&answer))),
                    }
                    assert_eq!(world.issuer.calls(), cooldown, "{name}");
                }
                assert_eq!(world.keys.stats().fetches, cooldown as u64);
                world.clock.advance(Duration::from_secs(29));
                world.refreshed("x").await;
                assert_eq!(world.issuer.calls(), cooldown, "{name}");
                world.clock.advance(Duration::from_secs(1));
            }
        }
    }
}

#[tokio::test]
async fn k01_a_fetch_on_its_way_has_the_slot_already() {
    let world = World::new(|_, _| Act::Hang);
    let asking: Vec<_> = (0..10_000)
        .map(|number| tokio::spawn(refreshed(world.keys.clone(), number.to_string())))
        .collect();
    for _ in 0..20 {
        settle().await;
    }
    assert_eq!((world.issuer.calls(), world.keys.stats().waiting), (1, 1024));
    // The others were turned away at once.
    let turned_away = asking.iter().filter(|asking| asking.is_finished()).count();
    assert_eq!(turned_away, 10_000 - 1024);
    world.pass(2).await;
    for asking in asking {
        assert!(retry_after(&asking.await.unwrap()) <= 10);
    }
    assert_eq!((world.issuer.calls(), world.keys.stats().waiting), (1, 0));
    assert_eq!(world.keys.stats().unavailable, 10_000);
    // It ends by its deadline, and the cooldown counts from its begin.
    world.pass(8).await;
    assert_eq!(retry_after(&world.refreshed("x").await), 20);
    assert_eq!(world.issuer.calls(), 1);
}

#[tokio::test]
async fn k02_a_fetch_that_hangs_adds_nothing_to_a_known_key() {
    let world = World::loaded(|options| options, |_, _| set(&["a"])).await;
    world.issuer.answers(|_, _| Act::Hang);
    let mut unknown = None;
    // Through the refresh, the whole interval and beyond it.
    for second in 0..700 {
        if second == 300 {
            unknown = Some(tokio::spawn(refreshed(world.keys.clone(), "b".to_owned())));
        }
        world.pass(1).await;
        assert_eq!(world.ids().unwrap(), ["a"], "{second}");
        // Who asks all the same does not wait either.
        let (header, waker) = (header("a"), std::task::Waker::noop());
        let mut known = world.keys.refreshed(&header).unwrap();
        let answer = known.as_mut().poll(&mut Context::from_waker(waker));
        assert!(matches!(answer, Poll::Ready(Refreshed::Current(_))));
    }
    assert!(world.issuer.calls() > 3);
    assert!(retry_after(&unknown.unwrap().await.unwrap()) > 0);
}

#[tokio::test]
async fn k02_no_lock_is_held_while_the_client_works() {
    for is_driven in [true, false] {
        let world = World::with(
            |options| if is_driven { options } else { options.spawn(Never) },
            |_, _| set(&["a"]),
        );
        let keys = world.keys.clone();
        world.issuer.answers(move |_, _| {
            // It would never come back from here.
            assert!(keys.keys().is_none());
            assert_eq!(keys.stats().fetches, 1);
            set(&["a"])
        });
        assert_eq!(current(&world.refreshed("a").await), ["a"]);
    }
}

#[tokio::test]
async fn k04_a_new_key_is_fetched_once_for_all_who_ask() {
    for is_driven in [true, false] {
        let world = World::loaded(
            |options| if is_driven { options } else { options.spawn(Never) },
            |_, _| set(&["old"]),
        )
        .await;
        world.pass(30).await;
        let go_on = Arc::new(Notify::new());
        let issuer = go_on.clone();
        world.issuer.answers(move |_, _| {
            let both = set_of(&[key("old"), key("new")]);
            Act::Later(issuer.clone(), json(&[], both))
        });
        let asking: Vec<_> = (0..100)
            .map(|_| tokio::spawn(refreshed(world.keys.clone(), "new".to_owned())))
            .collect();
        settle().await;
        assert_eq!(world.keys.stats().waiting, 100);
        assert_eq!(world.ids().unwrap(), ["old"]);
        go_on.notify_one();
        for asking in asking {
            assert_eq!(current(&asking.await.unwrap()), ["old", "new"]);
        }
        assert_eq!(world.issuer.calls(), 2);
        assert_eq!(world.ids().unwrap(), ["old", "new"]);
        // And what is still unknown is not the issuer's.
        assert_eq!(current(&world.refreshed("other").await), ["old", "new"]);
        assert_eq!(world.issuer.calls(), 2);
    }
}

#[tokio::test]
async fn k04_waiting_is_bounded_in_time_and_in_number() {
    for is_driven in [true, false] {
        let world = World::loaded(
            |options| {
                let options = options.waiters_max(3).wait_max(Duration::from_secs(4));
                if is_driven { options } else { options.spawn(Never) }
            },
            |_, _| set(&["old"]),
        )
        .await;
        world.pass(30).await;
        world.issuer.answers(|_, _| Act::Hang);
        let ask = || tokio::spawn(refreshed(world.keys.clone(), "new".to_owned()));
        let asking = [ask(), ask(), ask()];
        settle().await;
        assert_eq!(retry_after(&world.refreshed("new").await), 10);
        world.pass(3).await;
        assert!(asking.iter().all(|asking| !asking.is_finished()));
        world.pass(1).await;
        assert!(asking.iter().all(tokio::task::JoinHandle::is_finished));
        for asking in asking {
            assert_eq!(retry_after(&asking.await.unwrap()), 6);
        }
        assert_eq!(world.ids().unwrap(), ["old"]);
    }
}

#[tokio::test]
async fn k04_after_a_failure_nobody_knows_and_nobody_waits() {
    let world = World::loaded(|options| options, |_, _| set(&["old"])).await;
    world.pass(30).await;
    world.issuer.answers(|_, _| status(503));
    assert_eq!(retry_after(&world.refreshed("new").await), 30);
    world.clock.advance(Duration::from_secs(12));
    assert_eq!(retry_after(&world.refreshed("new").await), 18);
    assert_eq!(current(&world.refreshed("old").await), ["old"]);
    assert_eq!(world.issuer.calls(), 2);
    // The next one heals it, with nobody asking.
    world.issuer.answers(|_, _| set(&["new"]));
    world.pass(22).await;
    assert_eq!((world.issuer.calls(), world.ids().unwrap()), (3, vec!["new".to_owned()]));
}

#[tokio::test]
async fn another_cooldown_counts_where_it_is_set() {
    let short = Duration::from_secs(5);
    let world = World::loaded(|options| options.cooldown(short), |_, _| set(&["a"])).await;
    for calls in 1..4 {
        world.refreshed("b").await;
        assert_eq!(world.issuer.calls(), calls);
        world.clock.advance(short);
    }
}
