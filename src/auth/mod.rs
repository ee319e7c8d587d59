//! Stateless authentication by signed tokens (RFC 7519).

mod algorithm;
mod json;
mod refusal;
mod token;

pub use algorithm::Algorithm;
pub use refusal::{Refusal, RefusalKind};
pub use token::TokenHeader;
