//! A source of keys that does as it is told, and counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tower_keep::auth::{KeySet, KeySource, Refreshed, TokenHeader};
use tower_keep::store::Wait;

/// Clones are one and the same.
#[derive(Clone)]
pub struct Script(Arc<State>);

struct State {
    keys: Mutex<Option<KeySet>>,
    can_be_asked: bool,
    answer: watch::Sender<Option<Refreshed>>,
    looks: AtomicUsize,
    asked: Mutex<Vec<TokenHeader>>,
    waiting: AtomicUsize,
}

impl Script {
    /// Knows these keys, and nobody can be asked for others.
    pub fn fixed(keys: Option<KeySet>) -> Self {
        Self::new(keys, false)
    }

    /// Knows these keys, and has others to be asked for, which come when [`answer`](Self::answer) says so.
    pub fn asking(keys: Option<KeySet>) -> Self {
        Self::new(keys, true)
    }

    fn new(keys: Option<KeySet>, can_be_asked: bool) -> Self {
        Self(Arc::new(State {
            keys: Mutex::new(keys),
            can_be_asked,
            answer: watch::Sender::new(None),
            looks: AtomicUsize::new(0),
            asked: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// What is known from now on.
    pub fn know(&self, keys: Option<KeySet>) {
        *self.0.keys.lock().unwrap() = keys;
    }

    /// Ends all waiting, now and later, in this way.
    pub fn answer(&self, answer: Refreshed) {
        self.0.answer.send_replace(Some(answer));
    }

    /// How often it was looked at.
    pub fn looks(&self) -> usize {
        self.0.looks.load(Ordering::Relaxed)
    }

    /// For which tokens somebody has waited.
    pub fn asked(&self) -> Vec<TokenHeader> {
        self.0.asked.lock().unwrap().clone()
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl KeySource for Script {
    fn keys(&self) -> Option<KeySet> {
        self.0.looks.fetch_add(1, Ordering::Relaxed);
        self.0.keys.lock().unwrap().clone()
    }

    fn refreshed<'a>(&'a self, header: &'a TokenHeader) -> Option<Wait<'a, Refreshed>> {
        self.0.can_be_asked.then(|| -> Wait<'a, Refreshed> {
            Box::pin(async move {
                self.0.asked.lock().unwrap().push(header.clone());
                let _place = Place::of(&self.0.waiting);
                let mut answers = self.0.answer.subscribe();
                let answer = answers.wait_for(Option::is_some).await.unwrap();
                answer.clone().unwrap()
            })
        })
    }
}

/// One who waits, until he has his answer or is gone.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn of(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
