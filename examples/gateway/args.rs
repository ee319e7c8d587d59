//! The command line, by hand: every wrong value is named together with its flag.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::rates::RateFlags;
use crate::size;
use crate::tokens::TokenFlags;
use crate::upstream::Upstream;

pub(crate) enum Command {
    Help,
    Run(Box<Config>),
}

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) store: StoreKind,
    pub(crate) mode: Mode,
    pub(crate) entry_bytes_max: u64,
    pub(crate) upstream_timeout: Duration,
    pub(crate) tag_header: Option<HeaderName>,
    pub(crate) etag: bool,
    pub(crate) tokens: Option<TokenFlags>,
    pub(crate) rates: Option<RateFlags>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) admin_secret_file: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum StoreKind {
    Memory { bytes_max: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    /// What the origin says explicitly, and never a Set-Cookie.
    Safe,
    /// Everything that RFC 9111 allows a shared cache.
    Rfc,
}

/// What is wrong with the command line, in words for who typed it.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) String);

pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Wrong> {
    let mut given = match read(args)? {
        Some(given) => given,
        None => return Ok(Command::Help),
    };
    let tokens = TokenFlags::read(&mut given)?;
    let config = Config {
        listen: given.required("--listen", address)?,
        upstream: given.required("--upstream", Upstream::parse)?,
        store: given.or("--store", "memory:64MiB", store)?,
        mode: given.or("--mode", "safe", mode)?,
        entry_bytes_max: given.or("--entry-bytes-max", "1MiB", size::bytes)?,
        upstream_timeout: given.or("--upstream-timeout", "30s", size::duration)?,
        tag_header: given.optional("--tag-header", field_name)?,
        etag: given.switch("--etag"),
        rates: RateFlags::read(&mut given, tokens.is_some())?,
        tokens,
        admin: given.optional("--admin", address)?,
        admin_secret_file: given.optional("--admin-secret-file", |path| Ok(path.into()))?,
    };
    if config.admin_secret_file.is_some() && config.admin.is_none() {
        return Err(Wrong("--admin-secret-file needs --admin".into()));
    }
    Ok(Command::Run(Box::new(config)))
}

/// The values of each flag, of most of them one; that of a switch is empty.
pub(crate) struct Given(BTreeMap<&'static str, Vec<String>>);

impl Given {
    pub(crate) fn switch(&mut self, flag: &str) -> bool {
        self.0.remove(flag).is_some()
    }

    /// Whether it is given and nobody has read it yet.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.0.contains_key(flag)
    }

    pub(crate) fn optional<T>(&mut self, flag: &str, read: Reader<T>) -> Result<Option<T>, Wrong> {
        self.each(flag, read).map(|mut values| values.pop())
    }

    /// All values of a flag that may be given more than once.
    pub(crate) fn each<T>(&mut self, flag: &str, read: Reader<T>) -> Result<Vec<T>, Wrong> {
        let read = |value: String| {
            read(&value)
                .map_err(|expected| Wrong(format!("{flag}: {value:?} is wrong: {expected}")))
        };
        self.0.remove(flag).unwrap_or_default().into_iter().map(read).collect()
    }

    pub(crate) fn or<T>(
        &mut self,
        flag: &'static str,
        value: &str,
        read: Reader<T>,
    ) -> Result<T, Wrong> {
        self.0.entry(flag).or_insert_with(|| vec![value.to_owned()]);
        self.required(flag, read)
    }

    pub(crate) fn required<T>(&mut self, flag: &str, read: Reader<T>) -> Result<T, Wrong> {
        self.optional(flag, read)?.ok_or_else(|| Wrong(format!("{flag} is required")))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a value, or says what it should have been.
pub(crate) type Reader<T> = fn(&str) -> Result<T, String>;

/// Splits the arguments into flags and values; `None` when help is wanted.
fn read(args: impl Iterator<Item = OsString>) -> Result<Option<Given>, Wrong> {
    let mut given = BTreeMap::<_, Vec<_>>::new();
    let mut args = args.map(|arg| {
        arg.into_string().map_err(|arg| Wrong(format!("{} is not UTF-8", arg.display())))
    });
    while let Some(arg) = args.next().transpose()? {
        if arg == "--help" || arg == "-h" {
            return Ok(None);
        }
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let Some(flag) = FLAGS.into_iter().find(|flag| *flag == name) else {
            return Err(Wrong(match name.starts_with('-') {
                true => format!("{name} is no flag of this program"),
                false => {
                    format!("{arg:?} is not expected: every argument is a flag or its value")
                }
            }));
        };
        let value = match (SWITCHES.contains(&flag), inline) {
            (true, None) => String::new(),
            (true, Some(_)) => return Err(Wrong(format!("{flag} takes no value"))),
            (false, inline) => {
                let value = match inline {
                    Some(value) => Some(value),
                    None => args.next().transpose()?.filter(|value| !value.starts_with("--")),
                };
                value
                    .filter(|value| !value.is_empty())
                    .ok_or_else(|| Wrong(format!("{flag} needs a value")))?
            }
        };
        let values = given.entry(flag).or_default();
        if !values.is_empty() && !REPEATED.contains(&flag) {
            return Err(Wrong(format!("{flag} is given twice")));
        }
        values.push(value);
    }
    Ok(Some(Given(given)))
}

fn address(value: &str) -> Result<SocketAddr, String> {
    value.parse().map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080".into())
}

fn store(value: &str) -> Result<StoreKind, String> {
    match value.split_once(':') {
        Some(("memory", bytes)) => Ok(StoreKind::Memory { bytes_max: size::bytes(bytes)? }),
        _ => Err("expected memory:SIZE, such as memory:64MiB".into()),
    }
}

fn mode(value: &str) -> Result<Mode, String> {
    match value {
        "safe" => Ok(Mode::Safe),
        "rfc" => Ok(Mode::Rfc),
        _ => Err("expected safe or rfc".into()),
    }
}

fn field_name(value: &str) -> Result<HeaderName, String> {
    value.parse().map_err(|_| "expected the name of a response field, such as Surrogate-Key".into())
}

const FLAGS: [&str; 22] = [
    "--listen",
    "--upstream",
    "--store",
    "--mode",
    "--entry-bytes-max",
    "--upstream-timeout",
    "--tag-header",
    "--etag",
    "--admin",
    "--admin-secret-file",
    "--jwt-keys",
    "--jwks-url",
    "--issuer",
    "--audience",
    "--typ",
    "--require-scope",
    "--partition-by",
    "--rate",
    "--burst",
    "--rate-key",
    "--trusted-proxy",
    "--client-header",
];

/// The flags that stand alone.
const SWITCHES: [&str; 1] = ["--etag"];

/// The flags that may be given more than once.
const REPEATED: [&str; 1] = ["--trusted-proxy"];

pub(crate) const HELP: &str = "\
A caching reverse proxy in front of one upstream.

Usage: gateway --listen ADDRESS:PORT --upstream http://HOST[:PORT][/BASE] [FLAGS]

  --listen ADDRESS:PORT        where to serve, HTTP/1.1 and HTTP/2 without TLS (port 0: any free one)
  --upstream URL               where to forward to, over HTTP/1.1; a path in it goes before every request's
  --store memory:SIZE          where responses are stored, and how much of it [memory:64MiB]
  --mode safe|rfc              safe: only what the upstream allows explicitly, and no Set-Cookie
                               rfc: everything that RFC 9111 allows a shared cache (heuristic freshness,
                               Set-Cookie with explicit freshness, stale when disconnected) [safe]
  --entry-bytes-max SIZE       a response with a larger body passes through and is not stored; never more than
                               an eighth of the store [1MiB]
  --upstream-timeout TIME      how long the upstream may take to the head of its response, counted from
                               the last byte of the request that was passed on [30s]
  --tag-header NAME            a field of the upstream's responses with the tags that they can be purged by, such
                               as Surrogate-Key; it is not sent to clients
  --etag                       an ETag for responses without one, and answers by it (304, 206, 412) to GET and HEAD.
                               Made of the body, which is read to its end first: for a second at most, up to 1 MiB,
                               and only where its length is known; any other streams on without a tag. If-Match of
                               a write is still for the upstream alone, which does not know these tags
  --jwt-keys FILE              lets only requests pass that carry a good token (Authorization: Bearer), signed by a key of this
                               JWK Set; it may hold secrets (oct), and then nothing else
  --jwks-url URL               the same, with the keys that the issuer publishes there; https, or http to this machine
                               (the token is passed on to the upstream)
  --issuer TEXT                who must have issued the token: its iss, exactly
  --audience TEXT              whom it must be for: one of its aud, exactly
  --typ at+jwt|JWT             at+jwt: access tokens as in RFC 9068; JWT: plain ones too, and then ID tokens pass as well where
                               their audience is the same [at+jwt]
  --require-scope \"WORD...\"   what its scope must have
  --partition-by CLAIM         stores responses apart for each value of this claim; sub: for each user, and then also what the
                               upstream does not call public
  --rate N/s|N/m|N/h|N/d       how many requests each client may send in a second, minute, hour or day, hits of the cache among
                               them; they come back evenly over it, and those beyond are answered 429, with when to come again.
                               RateLimit and X-RateLimit-* tell each how it stands
  --burst N                    how many of them at once, after a rest [the N of --rate]
  --rate-key KEY               what a client is: peer, an address (of IPv6 its first 64 bits), counted before its token is looked at;
                               sub, the user of a token that is good, counted before the cache is; header:NAME, the value of a
                               field, which a client can choose unless a proxy of yours sets it. All of whom that is not
                               known, such as who sends no such field, are one client together [peer]
  --trusted-proxy CIDR         a proxy of yours that stands in front, or a network of such, as 10.0.0.0/8; may be given again. A
                               client of theirs is the last address in --client-header that is none of them
  --client-header NAME         where these proxies write down whom they serve, and nobody else can: each must append to it or overwrite it
                               [X-Forwarded-For]
  --admin ADDRESS:PORT         GET /healthz and GET /stats, kept apart from what is served
  --admin-secret-file FILE     adds POST /purge to --admin, for who sends what is in FILE (16 bytes to 4 KiB, one
                               line) as Authorization: Bearer; without this flag there is no /purge
  --help

POST /purge takes exactly one of these in its query, percent-encoded, and soft=1 to make stale instead of removing:
  url=URL        all that is stored for it; absolute, as clients ask for it: http://HOST/PATH
  prefix=URL     all below it, at the end of a path segment
  tag=TAG        all that carries it, by Cache-Groups or by --tag-header
  all=1          everything
It answers JSON. More than 10 purges by prefix, by tag and of all in a second are 429. Each purge is one line on
standard error, which RUST_LOG turns off unless it names gateway::audit=info.

SIZE is in bytes, or with a unit: KiB, MiB, GiB. TIME has a unit: ms, s, m. --flag=VALUE works as well, where there is a value.
An upstream that cannot be reached is 502, a slow one 504, unless the cache may answer with a stale response.
SIGINT or SIGTERM: no new connection, 10 seconds for the requests in flight, exit 0; a second one ends it at once.
Exit status: 0, 1 when it cannot serve, 2 for a wrong command line.
";
