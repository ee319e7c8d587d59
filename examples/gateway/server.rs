//! The public listener: HTTP/1.1 and HTTP/2 without TLS, on one port.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tower::Service;

use crate::front;
use crate::interim::{Interims, Relaying};
use crate::proxy::ProxyError;

/// Who is at the other end of the connection; in the extensions of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves until `stop`; then accepts no more, and returns when the requests in flight are done.
pub(crate) async fn serve<S, B>(listener: TcpListener, service: S, stop: impl Future<Output = ()>)
where
    S: Service<Request<Body>, Response = Response<B>, Error = ProxyError> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut builder = Builder::new(TokioExecutor::new());
    // Without a timer hyper waits for a slow request head for ever.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    builder.http2().timer(TokioTimer::new());
    let in_flight = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, as a rule: one has to be closed before the next can be accepted.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        let interims = Interims::default();
        let io = TokioIo::new(Relaying { io: stream, interims: interims.clone() });
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let service = service.clone();
            interims.clone().before(request, move |request| front::answer(service, request))
        });
        let connection = builder.serve_connection_with_upgrades(io, service);
        // Ends with an error when the client breaks the rules or goes away: nothing to be done about either.
        tokio::spawn(in_flight.watch(connection.into_owned()));
    }
    drop(listener);
    in_flight.shutdown().await;
}

/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
