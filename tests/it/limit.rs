//! Limits, at the public layers.

mod concurrency;
