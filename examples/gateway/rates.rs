//! How much each client may ask: the flags about rates, and the layer that they make.

use std::sync::Arc;

use http::HeaderName;
use serde_json::json;
use tower_keep::limit::{
    ClientAddress, LimitBy, Network, NetworkError, NoKey, Quota, RateLimitFields, RateLimitLayer,
};

use crate::admin::Figures;
use crate::args::{Given, Wrong};
use crate::server::Peer;

/// What the command line says of rates.
#[derive(Debug)]
pub(crate) struct RateFlags {
    pub(crate) quota: Quota,
    pub(crate) key: RateKey,
}

/// What a client is.
#[derive(Debug)]
pub(crate) enum RateKey {
    /// The address at the other end of the connection.
    Peer,
    /// The address that these proxies have written into the field.
    Behind { proxies: Vec<Network>, field: HeaderName },
    /// The user of a token.
    Sub,
    /// The value of a field.
    Header(HeaderName),
}

/// The layer, and where it stands.
pub(crate) enum Limit {
    /// In front of all that costs something, such as to verify a token.
    OfClients(RateLimitLayer),
    /// Behind the tokens, which say who asks.
    OfUsers(RateLimitLayer),
}

impl RateFlags {
    /// `None` where no flag asks for a limit. Whether there are flags about tokens says who has read them.
    pub(crate) fn read(given: &mut Given, has_tokens: bool) -> Result<Option<Self>, Wrong> {
        let Some(quota) = given.optional(RATE, rate)? else {
            for flag in [BURST, KEY, PROXY, FIELD] {
                if given.has(flag) {
                    return Err(Wrong(format!("{flag} needs {RATE}")));
                }
            }
            return Ok(None);
        };
        let quota = match given.optional(BURST, count)? {
            Some(burst) => quota.burst(burst),
            None => quota,
        };
        // The rate alone can be kept: it is the burst that cannot.
        let quota = quota.check().map_err(|why| Wrong(format!("{BURST}: {why}")))?;
        let key = RateKey::read(given)?;
        if matches!(key, RateKey::Sub) && !has_tokens {
            return Err(Wrong(format!("{KEY} sub needs --jwt-keys or --jwks-url")));
        }
        Ok(Some(Self { quota, key }))
    }
}

impl Limit {
    pub(crate) fn new(flags: RateFlags) -> Result<Self, String> {
        let peer = ClientAddress::of_peer(|peer: &Peer| peer.0.ip());
        let (by, place): (_, fn(RateLimitLayer) -> Self) = match flags.key {
            RateKey::Peer => (LimitBy::client(peer), Self::OfClients),
            RateKey::Behind { proxies, field } => {
                (LimitBy::client(peer.behind(proxies, field)), Self::OfClients)
            }
            RateKey::Header(name) => (LimitBy::header(name), Self::OfClients),
            RateKey::Sub => (LimitBy::principal(), Self::OfUsers),
        };
        let layer = RateLimitLayer::new(flags.quota, by).map_err(|why| format!("--rate: {why}"))?;
        // Who could leave out what is counted by would have no limit.
        Ok(place(layer.no_key(NoKey::Share).fields(RateLimitFields::Both)))
    }

    /// What `GET /stats` shows of it.
    pub(crate) fn figures(&self) -> Figures {
        let (Self::OfClients(layer) | Self::OfUsers(layer)) = self;
        let handle = layer.handle();
        Arc::new(move || {
            let stats = handle.stats();
            json!({
                "admitted": stats.admitted,
                "refused": stats.refused,
                "keyless": stats.keyless,
            })
        })
    }
}

impl RateKey {
    fn read(given: &mut Given) -> Result<Self, Wrong> {
        let key = given.or(KEY, "peer", key)?;
        let proxies = given.each(PROXY, network)?;
        if proxies.is_empty() {
            return match given.has(FIELD) {
                true => Err(Wrong(format!("{FIELD} needs {PROXY}"))),
                false => Ok(key),
            };
        }
        match key {
            Self::Peer => {
                let field = given.or(FIELD, "X-Forwarded-For", field_name)?;
                Ok(Self::Behind { proxies, field })
            }
            _ => Err(Wrong(format!("{PROXY} needs {KEY} peer"))),
        }
    }
}

fn rate(value: &str) -> Result<Quota, String> {
    let expected = "expected a number of requests and a time, N/s, N/m, N/h or N/d, such as 100/s";
    let (amount, unit) = value.split_once('/').ok_or(expected)?;
    let amount = count(amount).map_err(|_| expected)?;
    let quota = match unit {
        "s" => Quota::per_second(amount),
        "m" => Quota::per_minute(amount),
        "h" => Quota::per_hour(amount),
        "d" => Quota::per_day(amount),
        _ => return Err(expected.into()),
    };
    quota.check().map_err(|why| why.to_string())
}

fn key(value: &str) -> Result<RateKey, String> {
    match (value, value.strip_prefix("header:")) {
        ("peer", _) => Ok(RateKey::Peer),
        ("sub", _) => Ok(RateKey::Sub),
        (_, Some(name)) => field_name(name).map(RateKey::Header),
        _ => Err("expected peer, sub or header:NAME".into()),
    }
}

fn network(value: &str) -> Result<Network, String> {
    value.parse().map_err(|why: NetworkError| why.to_string())
}

/// Digits alone: `parse` would take a sign too.
fn count(value: &str) -> Result<u64, String> {
    match value.bytes().all(|byte| byte.is_ascii_digit()) {
        true => value.parse().map_err(|_| "expected a number".into()),
        false => Err("expected a number".into()),
    }
}

fn field_name(value: &str) -> Result<HeaderName, String> {
    value.parse().map_err(|_| "expected the name of a request field, such as X-Api-Key".into())
}

const RATE: &str = "--rate";
const BURST: &str = "--burst";
const KEY: &str = "--rate-key";
const PROXY: &str = "--trusted-proxy";
const FIELD: &str = "--client-header";
