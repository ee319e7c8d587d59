//! A caching reverse proxy: one upstream, one shared cache in front of it.
//!
//! ```text
//! cargo run --release --example gateway -- --listen 127.0.0.1:8080 --upstream http://127.0.0.1:9000
//! ```
//!
//! A request passes these services, outermost first. Those with a flag are there only where it is given:
//!
//! 1. [`front`] removes what belongs to the client's connection, and turns the errors that come back from further
//!    in into 502 and 504;
//! 2. `--rate` ([`rates`]): the limit, where it is by address or by a field. Who is refused costs no look at a token;
//! 3. `--jwt-keys`, `--jwks-url` ([`tokens`], a build with `--features jwks-client`): nothing is served to who has no good token,
//!    stored or not;
//! 4. `--rate` with `--rate-key sub`: the limit, where it is by user. Who has no token of a user cannot use up what that one has;
//! 5. the cache, which answers what it may and sees errors before they are 502 and 504, so that it can serve a stale response
//!    where the rules allow one. Its hits have passed the limit too;
//! 6. `--etag`: one that answers preconditions and ranges;
//! 7. `--etag`: one that gives responses their tag;
//! 8. [`proxy`], which forwards to the upstream and streams both ways.
//!
//! With `--etag` a stored response that has become stale is validated even where the upstream knows no
//! tags: its body comes from the upstream once more, but goes no further when it is the same. What is asked for in part,
//! or with its tag, while nothing is stored is answered 206 or 304, as by an upstream that can do that: it is stored only
//! when somebody gets all of it.
//!
//! Method, path, query, fields, status and trailers pass as they are. What does not:
//!
//! - CONNECT is answered 405: this is a gateway to one upstream, not a tunnel to anywhere.
//! - An interim response (1xx) reaches HTTP/1.1 clients only: hyper's server cannot send one of the application's,
//!   [`interim`] does it for one request at a time. 100 is hyper's own, to either side.
//! - `Upgrade: h2c` is not passed on (RFC 9113 §3.1 withdrew it): its tunnel would carry requests past the cache.
//! - An upgraded connection ends with the program; shutdown waits for requests, not for tunnels.
//!
//! What is stored is purged by `POST /purge` on the admin address ([`purging`]), which is there with
//! `--admin-secret-file` only:
//!
//! ```text
//! curl -X POST -H "Authorization: Bearer $(cat secret)" 'http://127.0.0.1:9090/purge?tag=user:7&soft=1'
//! {"purged":{"tag":"user:7"},"reach":"this-process","soft":true}
//! ```
//!
//! Each leaves a line in the log, target `gateway::audit`; a `RUST_LOG` of your own should name it.
//! `RUST_LOG=tower_keep=debug,gateway::audit=info` with `--features tracing` shows why a response was stored or not.

mod admin;
mod args;
mod fields;
mod front;
mod interim;
mod proxy;
mod purging;
mod rates;
mod server;
mod signals;
mod size;
mod tokens;
mod upstream;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use args::{Command, Config, Mode, StoreKind};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use proxy::{Proxy, ProxyError};
use purging::Secret;
use rates::Limit;
use signals::Signals;
use tokens::Guard;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::{Layer as _, Service};
use tower_keep::cache::{CacheLayer, CachePolicy};
use tower_keep::conditional::{ConditionalLayer, EtagLayer};
use tower_keep::store::MemoryStore;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let config = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(config)) => config,
        Ok(Command::Help) => {
            say(args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            complain(&format!("{wrong}\nTry --help."));
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt().with_env_filter(log_filter()).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    let code = match runtime.block_on(run(*config)) {
        Ok(code) => code,
        Err(message) => failed(&message),
    };
    // Waits for nothing: a name look-up that hangs must not hold up the exit.
    runtime.shutdown_background();
    code
}

async fn run(config: Config) -> Result<ExitCode, String> {
    let secret = match &config.admin_secret_file {
        Some(path) => Some(
            Secret::read(path)
                .map_err(|error| format!("--admin-secret-file: {}: {error}", path.display()))?,
        ),
        None => None,
    };
    let mut signals = Signals::new().map_err(|error| format!("cannot catch signals: {error}"))?;
    let public = bind("--listen", config.listen).await?;
    let admin = match config.admin {
        Some(address) => Some(bind("--admin", address).await?),
        None => None,
    };

    let StoreKind::Memory { bytes_max } = config.store;
    let entry_bytes_max = config.entry_bytes_max.saturating_add(FIELDS_ALLOWANCE);
    let store = MemoryStore::with_bytes_max(bytes_max).entry_bytes_max(entry_bytes_max);
    let guard = config.tokens.map(Guard::new).transpose()?;
    let limit = config.rates.map(Limit::new).transpose()?;
    let cache = CacheLayer::new(store.clone())
        .policy(policy(config.mode, config.tag_header))
        .body_bytes_max(config.entry_bytes_max)
        .cache_status(NAME);
    let cache = match guard.as_ref().and_then(|guard| guard.partition.clone()) {
        Some(partition) => cache.partition_by(partition),
        None => cache,
    };
    let handle = cache.handle();
    let proxy = Proxy::new(config.upstream, config.upstream_timeout);

    say(&format!("listening on http://{}", address_of(&public)?));
    if let Some(listener) = admin {
        say(&format!("admin on http://{}", address_of(&listener)?));
        // Never told to stop: it shows what goes on until the process ends.
        let keys = guard.as_ref().and_then(Guard::key_stats);
        let rate = limit.as_ref().map(Limit::figures);
        tokio::spawn(admin::serve(listener, handle, store, secret, keys, rate));
    }

    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    let tagging = (ConditionalLayer::new(), EtagLayer::new());
    let mut serving = match config.etag {
        false => start(public, limit, guard, cache.layer(proxy), stopped),
        true => start(public, limit, guard, cache.layer(tagging.layer(proxy)), stopped),
    };
    signals.next().await;
    let _ = stop.send(());
    tokio::select! {
        _ = &mut serving => Ok(ExitCode::SUCCESS),
        () = tokio::time::sleep(DRAIN_MAX) => {
            complain("stopped with requests still in flight");
            Ok(ExitCode::SUCCESS)
        }
        () = signals.next() => Err("stopped at once, by a second signal".into()),
    }
}

/// Serves what is behind the limit and the guard, where there are such.
fn start<S, B>(
    public: TcpListener,
    limit: Option<Limit>,
    guard: Option<Guard>,
    cached: S,
    stop: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()>
where
    S: Service<Request<Body>, Response = Response<B>, Error = ProxyError> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    use Limit::{OfClients, OfUsers};
    match (limit, guard) {
        (None, None) => tokio::spawn(server::serve(public, cached, stop)),
        (None, Some(guard)) => tokio::spawn(server::serve(public, guard.layer(cached), stop)),
        (Some(OfClients(limit) | OfUsers(limit)), None) => {
            tokio::spawn(server::serve(public, limit.layer(cached), stop))
        }
        (Some(OfClients(limit)), Some(guard)) => {
            tokio::spawn(server::serve(public, limit.layer(guard.layer(cached)), stop))
        }
        (Some(OfUsers(limit)), Some(guard)) => {
            tokio::spawn(server::serve(public, guard.layer(limit.layer(cached)), stop))
        }
    }
}

fn policy(mode: Mode, tag_header: Option<HeaderName>) -> CachePolicy {
    let policy = match mode {
        Mode::Safe => CachePolicy::shared(),
        Mode::Rfc => CachePolicy::rfc9111(),
    };
    match tag_header {
        Some(field) => policy.tags_from(field),
        None => policy,
    }
}

/// Who purged what is told unless `RUST_LOG` says otherwise.
fn log_filter() -> EnvFilter {
    match std::env::var_os(EnvFilter::DEFAULT_ENV) {
        Some(directives) if !directives.is_empty() => EnvFilter::from_default_env(),
        _ => EnvFilter::new("error,gateway::audit=info"),
    }
}

async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("{flag}: cannot listen on {address}: {error}"))
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| error.to_string())
}

// `println!` and `eprintln!` panic when nobody reads; a gateway outlives its terminal.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", line.trim_end()).and_then(|()| out.flush());
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "{NAME}: {message}");
}

fn failed(message: &str) -> ExitCode {
    complain(message);
    ExitCode::FAILURE
}

/// In Cache-Status (RFC 9211 §2), in Via and before every message.
const NAME: &str = "gateway";

/// How long requests in flight may go on after the first signal.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// What the store counts of an entry besides its body.
const FIELDS_ALLOWANCE: u64 = 64 << 10;
