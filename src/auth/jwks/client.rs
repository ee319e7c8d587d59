//! A ready client.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use tower_service::Service;

type Inner = Client<HttpsConnector<HttpConnector>, String>;

/// Fetches keys over HTTP/1.1 and HTTP/2, on the current tokio runtime. Needs the feature `jwks-client`.
///
/// Servers are known by the certificates that the system trusts; the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name
/// others. Redirects are not followed, and no proxy is used. The process's own choice of a TLS provider is neither made nor asked.
///
/// ```no_run
/// use tower_keep::auth::{JwksClient, JwksKeys};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = JwksKeys::discover("https://login.example", JwksClient::new()?)?;
/// keys.load().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct JwksClient {
    inner: Inner,
}

impl JwksClient {
    /// A client that gives up a connection which is not there after five seconds.
    ///
    /// # Errors
    ///
    /// If the system's certificates cannot be read, or there are none.
    pub fn new() -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(Arc::new(aws_lc_rs::default_provider()))?
            // Which URLs may be asked is judged before one comes here.
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        // One fetch in minutes needs no connection in between.
        let inner =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { inner })
    }
}

impl Service<Request<String>> for JwksClient {
    type Response = <Inner as Service<Request<String>>>::Response;
    type Error = <Inner as Service<Request<String>>>::Error;
    type Future = <Inner as Service<Request<String>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        self.inner.call(request)
    }
}

impl fmt::Debug for JwksClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClient").finish_non_exhaustive()
    }
}

const CONNECT_MAX: Duration = Duration::from_secs(5);
