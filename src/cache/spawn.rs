//! Work that no client waits for.

use std::future::Future;
use std::task::{Context, Poll, Waker};

/// Does the work at once where it need not wait, as with a store in this process; else on the current
/// tokio runtime. Where there is none, what would have to wait is dropped: a store may forget anything.
///
/// Each piece of work is bounded in time by the store's deadline.
pub(crate) fn finish_soon(work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    if let Poll::Ready(()) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return;
    }
    #[cfg(feature = "rt")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}
