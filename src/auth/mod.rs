//! Stateless authentication by signed tokens (RFC 7519).

mod algorithm;
mod body;
pub(crate) mod challenge;
mod claims;
mod credentials;
mod floor;
mod forward;
mod future;
mod gate;
mod json;
mod jwk;
mod key;
mod keys;
mod layer;
mod memo;
mod partition;
mod refusal;
mod require;
mod service;
mod token;
mod trusts;
mod unverified;
#[cfg(test)]
mod vectors;
pub(crate) mod verified;
mod verify;

pub use algorithm::Algorithm;
pub use body::AuthBody;
pub use future::JwtFuture;
pub use jwk::KeySet;
pub use key::{Key, KeyError, KeyErrorKind};
pub use keys::{KeySource, Refreshed};
pub use layer::JwtLayer;
pub use refusal::{Refusal, RefusalKind};
pub use require::{Require, RequireClaim, RequireFuture, RequireScope, RequireToken};
pub use service::Jwt;
pub use token::TokenHeader;
pub use verified::Verified;
pub use verify::Verifier;
