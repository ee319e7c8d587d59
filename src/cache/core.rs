//! What all clones of one layer share: the store, the clock, and what is counted.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;
use std::time::Duration;

use ahash::RandomState;
use http::Extensions;

use crate::cache::background::Background;
use crate::cache::collapse::{Table, Yielding};
use crate::cache::entry::{Entry, EntryMeta, Stored};
use crate::cache::feed::{Feed, LAG_MAX};
use crate::cache::finish::Finish;
use crate::cache::flow::{Landing, Setting};
use crate::cache::future::Purging;
use crate::cache::hint::PurgesTag;
use crate::cache::key::{CacheKey, Generation};
use crate::cache::landing::FlightKey;
use crate::cache::layer::Config;
use crate::cache::mark::{PurgeKind, Standing, Target};
use crate::cache::place::Place;
use crate::cache::shared_names::SharedNames;
use crate::cache::stamps::{Noted, Stamps, TABLE_BYTES_MAX};
use crate::cache::stats::Stats;
use crate::cache::subject::Subject;
use crate::cache::turns::{Lead, Turns, all};
use crate::cache::unanswered::Unanswered;
use crate::clock::Clock;
use crate::digest::Secret;
use crate::entropy::random;
use crate::store::{Store, StoreError, StoreErrorKind};
use crate::time::Moment;

pub(crate) struct Core<St, C> {
    /// Tells this core from every other in the process.
    pub(crate) id: u64,
    pub(crate) store: St,
    pub(crate) clock: Arc<C>,
    pub(crate) secret: Secret,
    pub(crate) stats: Stats,
    /// What was purged, and when.
    pub(crate) stamps: Arc<Stamps>,
    /// Hears what others purge, where the store has a ledger.
    pub(crate) feed: Option<Arc<Feed>>,
    pub(crate) names: SharedNames,
    pub(crate) filing: Filings,
    /// Requests that wait for others which want the same.
    pub(crate) flights: Arc<Table<FlightKey, Landing>>,
    pub(crate) background: Arc<Background>,
    /// Bytes of bodies that are on their way.
    pub(crate) in_flight: AtomicU64,
    pub(crate) in_flight_max: AtomicU64,
    /// Bodies that may have to make room for others, those first that were asked longest ago.
    pub(crate) yielding: Mutex<VecDeque<Weak<dyn Yielding>>>,
    /// Bytes of responses that wait for the store.
    pub(crate) waiting: AtomicU64,
    drawn: AtomicU64,
    /// How many purges did not reach the ledger, or not for certain.
    doubts: AtomicU64,
    /// Of this core alone, where the secret may be one that instances share.
    own_secret: Secret,
}

impl<St: Store, C: Clock> Core<St, C> {
    pub(crate) fn new(store: St, clock: C) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let clock = Arc::new(clock);
        let (secret, stamps, feed) = match store.ledger() {
            Some(ledger) => {
                let secret = Secret::new(ledger.key());
                let stamps = Arc::new(Stamps::mirror(TABLE_BYTES_MAX));
                let feed = Feed::new(ledger, stamps.clone(), clock.clone(), LAG_MAX);
                (secret, stamps, Some(Arc::new(feed)))
            }
            None => {
                let [a, b, c, d, e, f, g, h, ..] = random();
                let number = u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1);
                let stamps = Stamps::local(number, TABLE_BYTES_MAX);
                (Secret::new(random()), Arc::new(stamps), None)
            }
        };
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            store,
            clock,
            secret,
            stats: Stats::default(),
            stamps,
            feed,
            names: SharedNames::default(),
            filing: Filings::new(),
            flights: Arc::new(Table::new()),
            background: Arc::default(),
            in_flight: AtomicU64::new(0),
            in_flight_max: AtomicU64::new(IN_FLIGHT_BYTES_MAX),
            yielding: Mutex::default(),
            waiting: AtomicU64::new(0),
            drawn: AtomicU64::new(0),
            doubts: AtomicU64::new(0),
            own_secret: Secret::new(random()),
        }
    }

    /// What a transaction of a layer with this configuration has to know.
    pub(crate) fn setting(&self, config: &Config) -> Setting {
        let Config { policy, telling, collapses, .. } = config;
        Setting {
            policy: policy.clone(),
            secret: self.secret,
            core: self.id,
            telling: telling.clone(),
            collapses: *collapses,
            serves_meanwhile: true,
            spread: if policy.early_refresh > 0.0 { self.spread() } else { 0 },
        }
    }

    /// A generation that was never there before, and that nobody can foretell.
    pub(crate) fn generation(&self) -> Generation {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        Generation(self.own_secret.digest([&b"generation"[..], &count].into_iter()))
    }

    /// A number that differs from request to request.
    pub(crate) fn spread(&self) -> u64 {
        self.filing.hasher.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// The right to store something for the resource with this key, within the deadline.
    pub(crate) async fn alone(
        &self,
        key: &CacheKey,
        deadline: Duration,
    ) -> Result<Lead<'_>, StoreError> {
        let late = || StoreError::new(StoreErrorKind::TimedOut);
        within(deadline, self.filing.turns(key).alone()).await.ok_or_else(late)
    }

    /// What the store says within the deadline.
    pub(crate) async fn asked<T>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = within(deadline, answer)
            .await
            .unwrap_or_else(|| Err(StoreError::new(StoreErrorKind::TimedOut)));
        if answer.is_err() {
            self.stats.store_failed();
        }
        answer
    }
}

/// Whose turn it is to store something for a resource, in slots that few resources share: on a store that
/// waits, those of one slot wait for each other.
pub(crate) struct Filings {
    slots: Box<[Turns]>,
    spare: Turns,
    /// Seeded at random: nobody finds the slot of somebody else's resource.
    pub(crate) hasher: RandomState,
}

impl Filings {
    fn new() -> Self {
        let slots = (0..FILING_SLOTS).map(|_| Turns::default()).collect();
        Self { slots, spare: Turns::default(), hasher: RandomState::new() }
    }

    fn turns(&self, key: &CacheKey) -> &Turns {
        let at = (self.hasher.hash_one(key) % FILING_SLOTS) as usize;
        self.slots.get(at).unwrap_or(&self.spare)
    }
}

const FILING_SLOTS: u64 = 1024;

/// What is purged: the order of things, and how what is stored stands to it.
impl<St: Store, C: Clock> Core<St, C> {
    /// Whether what others purged is known here, so that what is stored can be held against it.
    pub(crate) fn is_current(&self, now: Moment) -> bool {
        self.feed.as_ref().is_none_or(|feed| feed.is_current(now.ticks))
    }

    /// Makes it so, if it can be done within the deadline.
    pub(crate) async fn catch_up(&self, now: Moment, deadline: Duration) -> bool {
        match &self.feed {
            None => true,
            Some(feed) => within(deadline, feed.catch_up(now.ticks)).await.unwrap_or(false),
        }
    }

    /// How a stored response stands to what was purged since its fetch began.
    pub(crate) fn standing(&self, stored: &EntryMeta, place: &Place, now: Moment) -> Standing {
        if stored.is_of_the_future(now) {
            return Standing::Gone;
        }
        let checked = &stored.checked.0;
        if self.stamps.is_current(checked) {
            return Standing::Good;
        }
        let subject = Subject { secret: &self.secret, place, stored };
        self.stamps.standing(stored.began, checked, &subject)
    }

    /// The same of whatever lies in a store; only responses are purged.
    pub(crate) fn standing_of(&self, entry: &Entry, place: &Place, now: Moment) -> Standing {
        match &entry.0 {
            Stored::Response(stored) => self.standing(&stored.meta, place, now),
            Stored::Index(_) | Stored::Root(_) => Standing::Good,
        }
    }

    /// What a handler says that it has changed.
    pub(crate) fn declared(&self, config: &Config, response: &Extensions) -> Vec<Target> {
        let scope = config.telling.start().scope();
        let target = |tag: &str| Target::tag(&self.secret, scope, tag.as_bytes());
        let declared = response.get::<PurgesTag>();
        declared.map_or_else(Vec::new, |tags| tags.0.iter().map(|tag| target(tag)).collect())
    }

    /// How many purges did not reach the ledger.
    pub(crate) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::Acquire)
    }

    /// Notes purges, so that nothing is served from now on that they are of. All of them are tried at once;
    /// where one fails, what is on its way from the inner service is not stored.
    ///
    /// Answers for each where it stands in the order.
    pub(crate) async fn note(
        &self,
        targets: &[Target],
        kind: PurgeKind,
        deadline: Duration,
    ) -> Result<Vec<Noted>, StoreError> {
        let Some(feed) = &self.feed else {
            let now = self.clock.now().ticks;
            return Ok(targets
                .iter()
                .map(|target| self.stamps.purge(*target, kind, now))
                .collect());
        };
        let appends = targets.iter().map(|target| feed.purge(*target, kind));
        let noted = self.asked(deadline, all(appends)).await;
        if noted.is_err() {
            self.doubts.fetch_add(1, Ordering::AcqRel);
        }
        noted
    }
}

impl<St: Store, C: Clock> Purging for Core<St, C> {
    fn purge_declared(
        self: Arc<Self>,
        finish: &Finish,
        response: &Extensions,
    ) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let config = finish.config();
        let targets = self.declared(config, response);
        let due = Unanswered::declared(&self, targets, config.store_deadline);
        Box::pin(async move {
            let done = due.purge().await.is_ok();
            due.settled();
            done
        })
    }
}

/// So many bytes of bodies that are on their way may be kept at a time.
const IN_FLIGHT_BYTES_MAX: u64 = 64 << 20;

/// `None` when the deadline comes first. Without the `rt` feature, or outside a runtime, nothing keeps
/// the time and the store's own limits are what counts.
async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    // A store in this process answers at once, and needs no timer (nor a runtime that has one).
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return Some(done);
    }
    #[cfg(feature = "rt")]
    if tokio::runtime::Handle::try_current().is_ok() {
        return tokio::time::timeout(deadline, work).await.ok();
    }
    let _ = deadline;
    Some(work.await)
}
