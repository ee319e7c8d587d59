//! Stateless authentication by signed tokens (RFC 7519).

mod algorithm;
mod json;
mod jwk;
mod key;
mod refusal;
mod token;
#[cfg(test)]
mod vectors;

pub use algorithm::Algorithm;
pub use jwk::KeySet;
pub use key::{Key, KeyError, KeyErrorKind};
pub use refusal::{Refusal, RefusalKind};
pub use token::TokenHeader;
