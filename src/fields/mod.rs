//! Field values: bytes in, values out. Total functions on whatever the network sends; no clock.
//!
//! *Invariant:* nothing here panics on any bytes, and every reader takes linear time.

pub(crate) mod accept_encoding;
pub(crate) mod authority;
pub(crate) mod cache_control;
mod cache_control_builder;
pub(crate) mod cache_status;
mod calendar;
pub(crate) mod date;
pub(crate) mod etag;
pub(crate) mod groups;
pub(crate) mod list;
pub(crate) mod number;
pub(crate) mod range;
pub(crate) mod survey;
pub(crate) mod targeted;
pub(crate) mod validators;
pub(crate) mod vary;

pub use cache_control_builder::CacheControl;
