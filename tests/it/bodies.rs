//! What becomes of a body on its way through the cache, and of what is stored of it.

mod aborted;
mod breaking;
mod caps;
mod framing;
mod streaming;
mod trailers;
