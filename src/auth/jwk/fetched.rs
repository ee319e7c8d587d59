//! Sets of keys as issuers publish them.

use crate::auth::json::{self, Value};
use crate::auth::jwk::{KeySet, LIMITS, Members};
use crate::auth::key::{Admission, Key};

/// A JWK Set from the network, and how many of its keys cannot be used. Those are left out (RFC 7517 §5), but one secret or private
/// key in it refuses the whole set: whoever can read it can sign.
pub(crate) fn read(text: &[u8], admission: Admission) -> Result<(KeySet, usize), FetchedError> {
    let members = Members::of(text).map_err(|_| FetchedError::Malformed)?;
    let Some(Value::Array(keys)) = members.get("keys") else { return Err(FetchedError::Malformed) };
    let keys = json::elements(keys, LIMITS).map_err(|_| FetchedError::Malformed)?;
    if keys.len() > KeySet::KEYS_MAX {
        return Err(FetchedError::TooMany);
    }
    let (mut set, mut left_out) = (Vec::new(), 0);
    let mut ids: Vec<String> = Vec::new();
    for key in keys {
        let Value::Object(text) = key else { return Err(FetchedError::Malformed) };
        let members = Members::of(text).map_err(|_| FetchedError::Malformed)?;
        let is_secret = matches!(members.get("kty"), Some(Value::String(kty)) if kty == "oct");
        // Of keys of an unknown type, too.
        if is_secret || SECRET_MEMBERS.iter().any(|name| members.get(name).is_some()) {
            return Err(FetchedError::Secret);
        }
        if let Some(Value::String(id)) = members.get("kid") {
            if ids.iter().any(|other| other == id) {
                return Err(FetchedError::Duplicate);
            }
            ids.push(id.clone().into_owned());
        }
        match Key::from_jwk_with(text, admission) {
            Ok(key) => set.push(key),
            Err(_) => left_out += 1,
        }
    }
    Ok((KeySet { keys: set.into() }, left_out))
}

/// Why a set from the network is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchedError {
    Malformed,
    TooMany,
    Duplicate,
    Secret,
}

/// RFC 7518 §6.2.2, §6.3.2, §6.4.1, and of the registry of JWK parameters what else is private.
const SECRET_MEMBERS: [&str; 9] = ["k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
