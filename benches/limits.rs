//! What it takes to ask whether a key may, beside `governor`'s keyed limiter: by turns in one run, at 100,000 keys. Then what a
//! key takes of memory.

use std::hash::Hash;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock, Reference as _};
use governor::state::keyed::DefaultKeyedStateStore;
use http::Request;
use peak_alloc::PeakAlloc;
use tower_keep::BoxError;
use tower_keep::clock::{Clock as _, SystemClock};
use tower_keep::limit::{
    LimitBy, LimitKey, LimitStore as _, MemoryLimitStore, Outcome, Quota, QuotaError, Quotas,
};
use tower_keep::time::Ticks;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() -> Result<(), BoxError> {
    println!("medians of {ROUNDS} rounds by turns, in ns for one check; allowed in brackets\n");
    println!("{:10} {:8} {:>9} {:>9} {:>6}", "keys", "threads", "governor", "here", "ratio");
    let shapes = [("zipf", zipf()), ("uniform", uniform()), ("one", vec![7; CHECKS])];
    println!("\nboth are given keys of 16 bytes");
    for threads in [1, 2] {
        for (name, keys) in &shapes {
            row(
                name,
                keys,
                threads,
                RATIO,
                &Governor::new(DefaultClock::default(), digests()),
                &Digested::new()?,
            )?;
        }
    }
    println!("\nboth are given a number, of which here a digest with a secret is made first");
    for (name, keys) in &shapes {
        row(
            name,
            keys,
            1,
            None,
            &Governor::new(DefaultClock::default(), numbers()),
            &Here::new(SystemClock::new())?,
        )?;
    }
    clocks();
    memory()
}

fn numbers() -> Vec<u64> {
    (0..KEYS as u64).collect()
}

fn digests() -> Vec<LimitKey> {
    let asked = Asked::new();
    numbers().into_iter().filter_map(|number| asked.key(number)).collect()
}

/// Asks whether a key may.
trait Limiter: Sync {
    fn admits(&self, key: u64, asked: &Asked) -> bool;
}

/// A request, and who makes it.
struct Asked {
    request: Request<()>,
    by: LimitBy,
    id: &'static AtomicU64,
}

impl Asked {
    fn new() -> Self {
        let id: &AtomicU64 = Box::leak(Box::default());
        let by = LimitBy::with(|_, parts| {
            parts.part(&id.load(Ordering::Relaxed).to_le_bytes());
            Some(())
        });
        Self { request: Request::new(()), by, id }
    }

    fn key(&self, number: u64) -> Option<LimitKey> {
        self.id.store(number, Ordering::Relaxed);
        self.by.key_of((&self.request).into(), &SECRET)
    }
}

struct Here<C> {
    store: MemoryLimitStore,
    quotas: Quotas,
    clock: C,
}

impl<C> Here<C> {
    fn new(clock: C) -> Result<Self, QuotaError> {
        let store = MemoryLimitStore::with_bytes_max(KEYS * KEY_BYTES);
        Ok(Self { store, quotas: QUOTA.try_into()?, clock })
    }

    fn charge(&self, key: u64, asked: &Asked, now: Ticks) -> bool {
        asked.key(key).is_some_and(|key| self.admits_key(key, now))
    }

    fn admits_key(&self, key: LimitKey, now: Ticks) -> bool {
        let charged = self.store.charge_now(key, &self.quotas, NonZeroU64::MIN, now);
        charged.is_some_and(|verdict| verdict.outcome() == Outcome::Admitted)
    }
}

impl Limiter for Here<SystemClock> {
    fn admits(&self, key: u64, asked: &Asked) -> bool {
        self.charge(key, asked, self.clock.ticks())
    }
}

/// With keys that are there already.
struct Digested {
    here: Here<SystemClock>,
    keys: Vec<LimitKey>,
}

impl Digested {
    fn new() -> Result<Self, QuotaError> {
        Ok(Self { here: Here::new(SystemClock::new())?, keys: digests() })
    }
}

impl Limiter for Digested {
    fn admits(&self, key: u64, _: &Asked) -> bool {
        let key = self.keys.get(key as usize);
        key.is_some_and(|key| self.here.admits_key(*key, self.here.clock.ticks()))
    }
}

/// The keys are the numbers' places in the list.
struct Governor<K: Clone + Eq + Hash> {
    limiter: governor::RateLimiter<
        K,
        DefaultKeyedStateStore<K>,
        DefaultClock,
        governor::middleware::NoOpMiddleware<<DefaultClock as governor::clock::Clock>::Instant>,
    >,
    keys: Vec<K>,
}

impl<K: Clone + Eq + Hash> Governor<K> {
    fn new(clock: DefaultClock, keys: Vec<K>) -> Self {
        let amount = NonZeroU64::new(QUOTA.amount()).and_then(|amount| amount.try_into().ok());
        let quota = governor::Quota::per_second(amount.unwrap_or(std::num::NonZeroU32::MIN));
        let store = DefaultKeyedStateStore::default();
        Self { limiter: governor::RateLimiter::new(quota, store, clock), keys }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync> Limiter for Governor<K> {
    fn admits(&self, key: u64, _: &Asked) -> bool {
        self.keys.get(key as usize).is_some_and(|key| self.limiter.check_key(key).is_ok())
    }
}

fn row(
    name: &str,
    keys: &[u64],
    threads: usize,
    allowed: Option<f64>,
    governor: &impl Limiter,
    here: &impl Limiter,
) -> Result<(), BoxError> {
    let asked: Vec<_> = (0..threads).map(|_| Asked::new()).collect();
    // Every key is there before it is timed.
    for (key, asked) in (0..KEYS as u64).zip(asked.iter().cycle()) {
        black_box((governor.admits(key, asked), here.admits(key, asked)));
    }
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Other keys each time.
        let from = round * CHECKS / ROUNDS;
        theirs.push(time(governor, keys, from, &asked));
        ours.push(time(here, keys, from, &asked));
    }
    let (theirs, ours) = (median(&mut theirs), median(&mut ours));
    let ratio = ours / theirs;
    let verdict = allowed.map_or(String::new(), |allowed| {
        format!(" ({allowed:.2}): {}", if ratio <= allowed { "met" } else { "NOT met" })
    });
    println!("{name:10} {threads:<8} {theirs:>9.1} {ours:>9.1} {ratio:>6.2}{verdict}");
    Ok(())
}

/// Nanoseconds of one thread for one check.
fn time(limiter: &impl Limiter, keys: &[u64], from: usize, asked: &[Asked]) -> f64 {
    let barrier = Barrier::new(asked.len());
    let run = |at: usize, asked: &Asked| {
        let from = (from + at * CHECKS / 2) % CHECKS;
        let keys = keys.iter().cycle().skip(from).take(BATCH);
        barrier.wait();
        let began = Instant::now();
        let admitted = keys.filter(|key| limiter.admits(black_box(**key), asked)).count();
        let took = began.elapsed();
        black_box(admitted);
        took.as_nanos() as f64 / BATCH as f64
    };
    let run = &run;
    let took: Vec<f64> = match asked {
        [alone] => vec![run(0, alone)],
        many => thread::scope(|scope| {
            let running: Vec<_> = many
                .iter()
                .enumerate()
                .map(|(at, asked)| scope.spawn(move || run(at, asked)))
                .collect();
            running.into_iter().filter_map(|running| running.join().ok()).collect()
        }),
    };
    took.iter().sum::<f64>() / took.len() as f64
}

/// What the clocks alone take.
fn clocks() {
    let (system, quanta) = (SystemClock::new(), DefaultClock::default());
    let start = quanta.now();
    let timed = |read: &dyn Fn() -> u64| {
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                for _ in 0..BATCH {
                    black_box(read());
                }
                began.elapsed().as_nanos() as f64 / BATCH as f64
            })
            .collect();
        median(&mut times)
    };
    let both = timed(&|| system.now().ticks.as_nanos());
    let ticks = timed(&|| system.ticks().as_nanos());
    let quanta = timed(&|| black_box(quanta.now()).duration_since(start).as_u64());
    println!(
        "\nSystemClock: both clocks {both:.1}, ticks {ticks:.1}; governor's default {quanta:.1}"
    );
}

/// What a key takes, and who has to go for want of room.
fn memory() -> Result<(), BoxError> {
    let asked = Asked::new();
    let before = MEMORY.current_usage();
    let here = Here::new(SystemClock::new())?;
    for key in 0..KEYS as u64 {
        // As if all came at once, so that each is in use while the others come.
        here.charge(key, &asked, Ticks::from_nanos(1_000_000_000));
    }
    let ours = (MEMORY.current_usage() - before) as f64;
    let stats = here.store.stats();
    let kept = KEYS as f64 - stats.forgiven as f64 - stats.overflowed as f64;
    let keys = numbers();
    let before = MEMORY.current_usage();
    let governor = Governor::new(DefaultClock::default(), keys);
    for key in 0..KEYS as u64 {
        black_box(governor.admits(key, &asked));
    }
    let theirs = (MEMORY.current_usage() - before) as f64 / KEYS as f64;
    let ours = ours / kept;
    let verdict = if ours <= BYTES { "met" } else { "NOT met" };
    println!(
        "\n{ours:.1} bytes a key ({BYTES:.0}): {verdict}; governor, which never forgets, {theirs:.1}"
    );
    println!(
        "of {KEYS} keys at once {} gave up their place, {} had none",
        stats.forgiven, stats.overflowed
    );
    Ok(())
}

/// Key `n` comes as often as one in `n`.
fn zipf() -> Vec<u64> {
    let mut sums = Vec::with_capacity(KEYS);
    let total = (1..=KEYS).fold(0.0, |sum, n| {
        sums.push(sum + 1.0 / n as f64);
        sum + 1.0 / n as f64
    });
    let random = Random::new();
    random
        .take(CHECKS)
        .map(|random| {
            let at = total * (random >> 11) as f64 / (1u64 << 53) as f64;
            sums.partition_point(|sum| *sum < at) as u64
        })
        .collect()
}

fn uniform() -> Vec<u64> {
    Random::new().take(CHECKS).map(|random| random % KEYS as u64).collect()
}

/// SplitMix64, the same each time.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(7)
    }
}

impl Iterator for Random {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ (mixed >> 31))
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

const QUOTA: Quota = Quota::per(100, Duration::from_secs(1));
const SECRET: [u8; 16] = *b"0123456789abcdef";
const KEYS: usize = 100_000;
const CHECKS: usize = 1 << 20;
const BATCH: usize = 20_000;
const ROUNDS: usize = 201;
/// Of governor's.
const RATIO: Option<f64> = Some(0.80);
/// What a key may take of memory; and what it is given here.
const BYTES: f64 = 64.0;
const KEY_BYTES: usize = 48;
