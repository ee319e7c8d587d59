//! The layers that let only good tokens pass.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io::Read as _};

use serde_json::json;
use tower::Layer;
use tower_keep::auth::{
    JwksClient, JwksKeys, Jwt, JwtLayer, KeySet, Require, RequireScope, RequireToken, Verifier,
};
use tower_keep::cache::Partition;
use tower_keep::clock::SystemClock;

use super::{KeysFrom, TokenFlags};
use crate::admin::Figures;
use crate::complain;

/// A token first, and what it must allow next.
pub(crate) struct Guard {
    jwt: JwtLayer,
    scope: Option<RequireScope>,
    published: Option<JwksKeys>,
    pub(crate) partition: Option<Partition>,
}

impl Guard {
    pub(crate) fn new(flags: TokenFlags) -> Result<Self, String> {
        let verifier = Verifier::new(flags.issuer, flags.audience);
        let verifier = if flags.is_plain { verifier.or_plain_jwt() } else { verifier };
        let (jwt, published) = match flags.keys {
            KeysFrom::File(path) => {
                let keys = keys(&path);
                let keys = keys.map_err(|why| format!("--jwt-keys: {}: {why}", path.display()))?;
                (JwtLayer::new(verifier, keys), None)
            }
            KeysFrom::Url(url) => {
                let keys = published(&url).map_err(|why| format!("--jwks-url: {url:?}: {why}"))?;
                // What is not there yet is fetched before anybody asks.
                keys.start();
                (JwtLayer::new(verifier, keys.clone()), Some(keys))
            }
        };
        let scope = flags.scope.as_deref().map(RequireScope::new);
        let partition = flags.partition_by.map(|claim| match claim.as_str() {
            "sub" => Partition::principal(),
            _ => Partition::claim(claim),
        });
        Ok(Self { jwt, scope, published, partition })
    }

    /// What `GET /stats` shows of the keys that are fetched.
    pub(crate) fn key_stats(&self) -> Option<Figures> {
        let keys = self.published.clone()?;
        Some(Arc::new(move || {
            let stats = keys.stats();
            json!({
                "keys": stats.keys,
                "left_out": stats.left_out,
                "fetches": stats.fetches,
                "failures": stats.failures,
                "refused": stats.refused,
                "age_secs": stats.age.map(|age| age.as_secs()),
                "last_error": stats.last_error.map(|kind| format!("{kind:?}")),
            })
        }))
    }
}

impl<S> Layer<S> for Guard {
    type Service = Jwt<Require<S>, SystemClock>;

    fn layer(&self, inner: S) -> Self::Service {
        self.jwt.layer(match &self.scope {
            Some(scope) => scope.layer(inner),
            None => RequireToken::new().layer(inner),
        })
    }
}

/// The keys of a file. Of those that cannot be used it says how many there are.
fn keys(path: &Path) -> Result<KeySet, String> {
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is longer than {FILE_BYTES_MAX} bytes"));
    }
    let (keys, left_out) = KeySet::from_jwks(&text).map_err(|error| error.to_string())?;
    if left_out > 0 {
        complain(&format!("--jwt-keys: {left_out} of the keys cannot be used"));
    }
    if keys.keys().is_empty() {
        return Err("there is no key in it that can be used".to_owned());
    }
    Ok(keys)
}

/// The keys that an issuer publishes, perhaps one on this machine.
fn published(url: &str) -> Result<JwksKeys, String> {
    let client = JwksClient::new().map_err(|error| error.to_string())?;
    JwksKeys::options().http_to_loopback().at(url, client).map_err(|error| error.to_string())
}

const FILE_BYTES_MAX: u64 = 256 << 10;
