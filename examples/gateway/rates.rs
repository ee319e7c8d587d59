//! How much each client may ask: the flags about rates.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::HeaderName;
use tower_keep::limit::Quota;

use crate::args::{Given, Wrong};

/// What the command line says of rates.
#[derive(Debug)]
pub(crate) struct RateFlags {
    pub(crate) quota: Quota,
    pub(crate) key: RateKey,
}

/// What a client is.
#[derive(Debug)]
#[expect(dead_code, reason = "a limit reads it")]
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

/// An address, and how many of its bits all that are in it have in common.
#[derive(Debug)]
#[expect(dead_code, reason = "a limit reads it")]
pub(crate) struct Network {
    pub(crate) address: IpAddr,
    pub(crate) prefix_len: u8,
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
    let expected = "expected an address, or a network such as 10.0.0.0/8 or fd00::/8";
    let (address, prefix_len) = match value.split_once('/') {
        Some((address, prefix_len)) => (address, Some(prefix_len)),
        None => (value, None),
    };
    let address: IpAddr = address.parse().map_err(|_| expected)?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let prefix_len = match prefix_len {
        Some(digits) => count(digits).ok().and_then(|bits| u8::try_from(bits).ok()),
        None => Some(whole),
    };
    let prefix_len = prefix_len.filter(|bits| *bits <= whole).ok_or(expected)?;
    let first = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix_len)).unwrap_or(0);
            IpAddr::from(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    };
    match first == address {
        true => Ok(Network { address, prefix_len }),
        false => Err(format!("it has bits beyond its prefix: the network is {first}/{prefix_len}")),
    }
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
