//! Conditions that are made to cost, to mislead, or to smuggle (RFC 9110 §13, RFC 9111 §4.3).

mod lists;
mod updates;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const ETAG: (&str, &str) = ("etag", "\"1\"");

type Fields<'a> = &'a [(&'a str, &'a str)];
