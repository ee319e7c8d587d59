//! Authentication by tokens, at the public layer.

mod admission;
mod answers;
mod caches;
mod curves;
mod extensions;
mod extractors;
mod grpc;
mod guarded;
mod headers;
mod hostile;
mod lent;
mod partitions;
mod ready;
mod remembered;
mod requirements;
mod scopes;
mod scripted_keys;
mod secrecy;
mod secrets;
mod shapes;
mod sources;
mod texts;
mod times;
pub mod tokens;
mod weak;
mod whom;
