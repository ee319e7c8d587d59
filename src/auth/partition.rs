//! A cache that is divided by what tokens say.

use crate::auth::claims::claim;
use crate::auth::json::Value;
use crate::auth::verified::Verified;
use crate::cache::partition::Partition;

impl Partition {
    /// By a claim of the request's token, such as a tenant, and its issuer. **Requests without a token, or without the claim, share
    /// one area** under `partition_by`, of what is public; where that must not be, put a
    /// [`RequireClaim`](crate::auth::RequireClaim) outside.
    ///
    /// All who have the same value share what is stored, so that the rule for answers to requests with `Authorization` stays (RFC 9111
    /// §3.5): for one user alone, take [`Partition::principal`]. [`CacheLayer::private_by`](crate::cache::CacheLayer::private_by) knows no
    /// such rule: given a claim that several users have in common, **it serves what is private to one of them to the others**.
    ///
    /// ```
    /// use tower_keep::cache::{CacheLayer, Partition};
    /// use tower_keep::store::MemoryStore;
    ///
    /// let tenants = Partition::claim("tenant");
    /// let cache = CacheLayer::new(MemoryStore::with_bytes_max(64 << 20)).partition_by(tenants);
    /// # let _ = cache;
    /// ```
    pub fn claim(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::with(move |head| {
            let verified = head.extensions.get::<Verified>()?;
            let value = claim(verified.claims_json(), &name)?;
            // The number 1 and the string "1" are two.
            let (kind, value) = match &value {
                Value::Null => return None,
                Value::String(text) => (b"s", text.as_bytes()),
                Value::Number(text) => (b"n", text.as_bytes()),
                Value::Bool(is) => (b"b", if *is { &b"1"[..] } else { b"0" }),
                Value::Array(text) | Value::Object(text) => (b"j", *text),
            };
            let issuer = verified.issuer();
            let length = (issuer.len() as u64).to_le_bytes();
            Some([&length[..], issuer.as_bytes(), kind, value].concat())
        })
    }
}
