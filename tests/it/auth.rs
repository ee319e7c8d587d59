//! Authentication by tokens, at the public layer.

mod admission;
mod answers;
mod curves;
mod extensions;
mod guarded;
mod headers;
mod lent;
mod requirements;
mod scopes;
mod scripted_keys;
mod secrets;
mod shapes;
mod texts;
mod times;
pub mod tokens;
mod weak;
mod whom;
