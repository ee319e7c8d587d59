//! Authentication by tokens, at the public layer.

mod guarded;
mod headers;
mod scripted_keys;
mod shapes;
mod times;
pub mod tokens;
mod whom;
