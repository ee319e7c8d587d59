//! The `gateway` example as a program: over sockets, in front of an origin that the test starts.

// Outside the functions marked as tests, clippy does not know that this is a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod caching;
mod command_line;
mod forwarding;
mod lifecycle;
mod origin;
mod program;
mod streaming;
mod wire;
