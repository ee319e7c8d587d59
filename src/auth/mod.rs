//! Stateless authentication by signed tokens (RFC 7519).

mod algorithm;
mod claims;
mod json;
mod jwk;
mod jwks;
mod key;
mod keys;
mod refusal;
mod token;
#[cfg(test)]
mod vectors;
mod verify;

pub use algorithm::Algorithm;
pub use claims::Verified;
pub use jwk::KeySet;
pub use jwks::JwksKeys;
#[cfg(feature = "jwks-client")]
pub use jwks::client::JwksClient;
pub use jwks::error::{JwksError, JwksErrorKind};
pub use jwks::options::JwksOptions;
pub use jwks::stats::JwksStats;
pub use key::{Key, KeyError, KeyErrorKind};
pub use keys::{KeySource, Refreshed};
pub use refusal::{Refusal, RefusalKind};
pub use token::TokenHeader;
pub use verify::Verifier;
