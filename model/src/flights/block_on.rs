//! An executor whose wakers loom sees.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::{Condvar, Mutex};

/// Polls once, and again each time that it is woken. loom's own also polls for nothing, and sees each count of
/// references: that makes more interleavings than can be tried.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut has_rung = alarm.has_rung.lock().unwrap();
        while !*has_rung {
            has_rung = alarm.rings.wait(has_rung).unwrap();
        }
        *has_rung = false;
    }
}

#[derive(Default)]
struct Alarm {
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.has_rung.lock().unwrap() = true;
        self.rings.notify_one();
    }
}
