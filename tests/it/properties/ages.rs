//! Ages and freshness, whatever is done to the wall clock.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tower_keep::clock::Clock;
use tower_keep::test_util::ManualClock;
use tower_keep::time::Timestamp;

use super::{cases, run};
use crate::support::{Got, Harness, response};

const HOUR: i64 = 60 * 60;
const YEAR: i64 = 365 * 24 * HOUR;

/// Sets the wall clock, and nothing else.
fn jump(clock: &ManualClock, secs: i64) {
    let wall = clock.now().wall.as_secs();
    clock.set_wall(Timestamp::from_secs(wall.saturating_add(secs)));
}

fn age(got: &Got) -> u64 {
    assert_eq!(got.headers.get_all("age").iter().count(), 1, "{got:?}");
    got.field("age").unwrap().parse().unwrap()
}

fn left(got: &Got) -> i64 {
    got.outcome.unwrap().freshness_left_secs().unwrap()
}

/// A response that is fresh for a hundred seconds, and may be stored at whatever age.
fn hundred() -> Harness {
    Harness::new(|_, call| response(&[("cache-control", "max-age=100")], format!("{call}")))
}

#[tokio::test]
async fn c28_a_wall_clock_that_jumps_back_neither_rejuvenates_nor_prolongs() {
    let cache = hundred();
    cache.get("/", &[]).await;
    cache.advance(40);
    assert_eq!(age(&cache.get("/", &[]).await), 40);
    jump(&cache.clock, -HOUR);
    assert_eq!(age(&cache.get("/", &[]).await), 40);
    cache.advance(59);
    let got = cache.get("/", &[]).await;
    assert_eq!((age(&got), left(&got)), (99, 1), "the time that has passed is not forgotten");
    cache.advance(1);
    assert!(
        !cache.get("/", &[]).await.is_hit(),
        "stale after a hundred seconds, not an hour later"
    );
}

#[tokio::test]
async fn c28_a_wall_clock_that_jumps_forward_ages_what_is_stored() {
    let cache = hundred();
    cache.get("/", &[]).await;
    jump(&cache.clock, YEAR);
    let got = cache.get("/", &[("cache-control", "max-stale")]).await;
    assert_eq!(age(&got), YEAR as u64);
    jump(&cache.clock, -YEAR);
    let got = cache.get("/", &[("cache-control", "max-stale")]).await;
    assert_eq!(age(&got), YEAR as u64, "what was once told stays told");
    assert!(!cache.get("/", &[]).await.is_hit(), "and what was stale stays so");
}

/// What was not told to anybody may be taken back: the response is as old as it is.
#[tokio::test]
async fn c28_a_forward_jump_that_is_undone_unseen_does_no_harm() {
    let cache = hundred();
    cache.get("/", &[]).await;
    jump(&cache.clock, YEAR);
    jump(&cache.clock, -YEAR);
    cache.advance(10);
    assert_eq!(age(&cache.get("/", &[]).await), 10);
}

/// RFC 9111 §4.2.3: `response_delay` is measured, not told from two readings of the wall clock.
#[tokio::test]
async fn c28_a_jump_while_the_answer_is_on_its_way_does_not_make_it_younger() {
    for secs in [-HOUR, -YEAR, i64::MIN / 1000, 0] {
        let clock = ManualClock::new();
        let inside = clock.clone();
        let store = tower_keep::store::MemoryStore::with_bytes_max(1 << 20);
        let layer = tower_keep::cache::CacheLayer::with_clock(store, clock.clone());
        let inner = crate::support::Inner::new(move |_, call| {
            inside.advance(Duration::from_secs(30));
            jump(&inside, secs);
            response(&[("cache-control", "max-age=100"), ("age", "20")], format!("{call}"))
        });
        let get = async || {
            let service = tower::Layer::layer(&layer, inner.clone());
            let request = crate::support::request("GET", "/", &[]);
            Got::read(tower::ServiceExt::oneshot(service, request).await.unwrap()).await
        };
        get().await;
        let hit = get().await;
        assert!(hit.is_hit());
        assert_eq!(age(&hit), 50, "{secs}");
        clock.advance(Duration::from_secs(50));
        assert!(!get().await.is_hit(), "{secs}");
    }
}

/// The reaches of both clocks.
#[tokio::test]
async fn c28_no_reading_of_the_clocks_panics() {
    let walls = [i64::MIN, i64::MIN + 1, -1, 0, 1, 253_402_300_800_000, i64::MAX - 1, i64::MAX];
    for first in walls {
        for second in walls {
            let cache = hundred();
            cache.clock.set_wall(Timestamp::from_millis(first));
            cache.get("/", &[]).await;
            cache.clock.set_wall(Timestamp::from_millis(second));
            let got = cache.get("/", &[("cache-control", "max-stale")]).await;
            assert!(!got.is_hit() || age(&got) <= 1 << 31, "{first} {second}");
            cache.clock.advance(Duration::MAX);
            cache.get("/", &[]).await;
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Advance(u64),
    /// By so many milliseconds.
    Jump(i64),
    SetWall(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let year = YEAR * 1000;
    prop_oneof![
        3 => (0..200_000u64).prop_map(Step::Advance),
        1 => any::<u64>().prop_map(Step::Advance),
        2 => (-200_000..200_000i64).prop_map(Step::Jump),
        2 => (-2 * year..2 * year).prop_map(Step::Jump),
        1 => any::<i64>().prop_map(Step::SetWall),
    ]
}

fn take(clock: &ManualClock, step: &Step) {
    match step {
        Step::Advance(millis) => clock.advance(Duration::from_millis(*millis)),
        Step::Jump(millis) => {
            let wall = clock.now().wall.as_millis();
            clock.set_wall(Timestamp::from_millis(wall.saturating_add(*millis)));
        }
        Step::SetWall(millis) => clock.set_wall(Timestamp::from_millis(*millis)),
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn c28_no_age_runs_backwards_and_no_freshness_grows(
        initial in 0..200u64,
        steps in vec(step(), 0..24),
    ) {
        let said = initial.to_string();
        let cache = Harness::new(move |_, call| {
            let fields = [("cache-control", "max-age=100"), ("age", said.as_str()), ("etag", "\"1\"")];
            response(&fields, format!("{call}"))
        });
        run(async {
            cache.get("/", &[]).await;
            let stored_at = cache.clock.now();
            let (mut oldest, mut least) = (0, i64::MAX);
            for step in &steps {
                take(&cache.clock, step);
                let got = cache.get("/", &[("cache-control", "max-stale")]).await;
                let now = cache.clock.now();
                if !got.is_hit() {
                    // RFC 9111 §1.2.2: no demand reaches further than 2^31 seconds.
                    let resident = now.wall.since(stored_at.wall).max(now.ticks.since(stored_at.ticks));
                    prop_assert!(oldest.max(resident.as_secs()) >= 1 << 31, "{resident:?}");
                    break;
                }
                let (age, left) = (age(&got), left(&got));
                prop_assert!(age >= oldest, "{age} after {oldest}");
                prop_assert!(left <= least, "{left} left after {least}");
                let resident = now.ticks.since(stored_at.ticks).as_secs();
                let real = initial.saturating_add(resident).min(1 << 31);
                prop_assert!(age >= real, "{age} is less than {real}, which has passed");
                prop_assert!(age <= 1 << 31);
                let fresh = cache.get("/", &[("cache-control", "only-if-cached")]).await;
                prop_assert_eq!(fresh.status == 200, left > 0, "{} left", left);
                (oldest, least) = (age, left);
            }
            Ok(())
        })?;
    }
}
