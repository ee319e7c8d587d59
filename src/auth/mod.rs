//! Stateless authentication by signed tokens (RFC 7519).

mod algorithm;
mod claims;
pub(crate) mod json;
mod jwk;
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
pub use key::{Key, KeyError, KeyErrorKind};
pub use keys::{KeySource, Refreshed};
pub use refusal::{Refusal, RefusalKind};
pub use token::TokenHeader;
pub use verify::Verifier;
