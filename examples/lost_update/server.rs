//! The server, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::BoxError;
use crate::notes::Notes;
use crate::routes;

pub(crate) struct Server {
    /// Of its URLs: scheme, host and port.
    pub(crate) origin: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, notes: Arc<Notes>) -> Result<Self, BoxError> {
        let origin = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let serving = axum::serve(listener, routes::app(notes)).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        Ok(Self { origin, stop, serving: tokio::spawn(serving.into_future()) })
    }

    /// Accepts no more, and returns when all that was asked is answered. A client that never ends its request does not
    /// keep it: no note depends on him.
    pub(crate) async fn stop(self) -> Result<(), BoxError> {
        let _ = self.stop.send(());
        let Ok(served) = timeout(STOP_MAX, self.serving).await else { return Ok(()) };
        Ok(served??)
    }
}

#[cfg(unix)]
pub(crate) async fn until_told_to_stop() -> Result<(), BoxError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) async fn until_told_to_stop() -> Result<(), BoxError> {
    Ok(tokio::signal::ctrl_c().await?)
}

const STOP_MAX: Duration = Duration::from_secs(5);
