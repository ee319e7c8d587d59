//! The `gateway` example as a program: over sockets, in front of an origin that the test starts.

mod caching;
mod command_line;
mod forwarding;
mod lifecycle;
mod origin;
mod program;
mod purging;
mod rates;
mod streaming;
mod tagging;
mod tokens;
mod wire;
