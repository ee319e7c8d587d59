//! Who is believed, and whether a token is.

use std::fmt;
use std::sync::Arc;

use crate::auth::floor::Floor;
use crate::auth::jwk::KeySet;
use crate::auth::keys::KeySource;
use crate::auth::memo::{Digest, Memo};
use crate::auth::refusal::{Detail, Refusal};
use crate::auth::token::TokenHeader;
use crate::auth::unverified::{Unsigned, Unverified};
use crate::auth::verified::Verified;
use crate::auth::verify::Verifier;
#[cfg(feature = "tracing")]
use crate::auth::warning::CacheOutside;
use crate::time::Moment;

/// The issuers that are trusted, each with its own rules and keys, and what was verified of late.
pub(crate) struct Trusts {
    list: Vec<Trust>,
    /// The longest token that any of them looks at.
    bytes_max: usize,
    memo: Option<Memo>,
    floor: Floor,
    #[cfg(feature = "tracing")]
    cache_outside: CacheOutside,
}

#[derive(Clone)]
pub(crate) struct Trust {
    pub(crate) verifier: Verifier,
    pub(crate) keys: Arc<dyn KeySource>,
}

/// What a token is found to be.
pub(crate) enum Finding {
    Good(Verified),
    Bad(Refusal),
    /// All is well but that its key is not among these. Newer keys of this issuer may have it.
    NoKey(usize, TokenHeader, Option<KeySet>),
}

impl Trusts {
    pub(crate) fn new(list: Vec<Trust>, memo_bytes_max: usize) -> Self {
        let memo = (memo_bytes_max > 0).then(|| Memo::new(memo_bytes_max));
        let bytes_max = list.iter().map(|trust| trust.verifier.token_bytes_max()).max();
        Self {
            list,
            bytes_max: bytes_max.unwrap_or(0),
            memo,
            floor: Floor::new(),
            #[cfg(feature = "tracing")]
            cache_outside: CacheOutside::new("JwtLayer"),
        }
    }

    pub(crate) fn list(&self) -> &[Trust] {
        &self.list
    }

    /// Said once for all clones of a layer.
    #[cfg(feature = "tracing")]
    pub(crate) fn cache_outside(&self) -> &CacheOutside {
        &self.cache_outside
    }

    pub(crate) fn keys(&self, issuer: usize) -> Option<&Arc<dyn KeySource>> {
        self.list.get(issuer).map(|trust| &trust.keys)
    }

    /// By the keys that are known; those of one issuer may be newer.
    pub(crate) fn judge(
        &self,
        token: &[u8],
        now: Moment,
        newer: Option<(usize, &KeySet)>,
    ) -> Finding {
        if token.len() > self.bytes_max {
            return Finding::Bad(Refusal(Detail::TooLong));
        }
        let memo = self.memo.as_ref();
        // Where all tokens are signed by secrets, nothing is ever remembered, and no digest is worth its while.
        let known = memo.filter(|memo| memo.is_used()).map(|memo| (memo, memo.digest(token)));
        if let Some((memo, digest)) = &known
            && let Some(remembered) = memo.find(digest)
            && let Some(Trust { verifier, keys }) = self.list.get(remembered.issuer)
        {
            let is_signed = keys.keys().is_some_and(|keys| remembered.is_signed_by(&keys));
            let times = remembered.verified.times();
            if is_signed && verifier.is_of_time(times, self.floor.at(now)).is_ok() {
                return Finding::Good(remembered.verified.clone());
            }
            memo.forget(digest);
        }
        let digest = known.map(|(_, digest)| digest);
        self.judge_anew(token, digest, now, newer).unwrap_or_else(Finding::Bad)
    }

    fn judge_anew(
        &self,
        token: &[u8],
        digest: Option<Digest>,
        now: Moment,
        newer: Option<(usize, &KeySet)>,
    ) -> Result<Finding, Refusal> {
        let unverified = Unverified::read(token, self.bytes_max)?;
        let claims = unverified.claims()?;
        // RFC 8725 §3.8: its issuer's rules and its issuer's keys.
        let first =
            |is: &dyn Fn(&Verifier) -> bool| self.list.iter().position(|trust| is(&trust.verifier));
        let issuer = first(&|verifier| verifier.names_issuer_of(&claims))
            .or_else(|| first(&|verifier| verifier.is_of(&claims)))
            .ok_or(Refusal(Detail::Issuer))?;
        let Trust { verifier, keys } = self.list.get(issuer).ok_or(Refusal(Detail::Issuer))?;
        verifier.admit(&unverified, &claims, self.floor.at(now))?;
        let keys = match newer {
            Some((of, keys)) if of == issuer => Some(keys.clone()),
            _ => keys.keys(),
        };
        let no_key = |keys| Finding::NoKey(issuer, unverified.header().clone(), keys);
        let Some(keys) = keys else { return Ok(no_key(None)) };
        let key = match unverified.signer(&keys) {
            Ok(key) => key,
            Err(Unsigned::NoKey) => return Ok(no_key(Some(keys))),
            Err(Unsigned::Forged) => return Err(Refusal(Detail::Signature)),
        };
        let said = verifier.said(&unverified, &claims);
        let verified = unverified.into_verified(said);
        // A secret verifies as fast as a digest is made.
        if let Some(memo) = self.memo.as_ref().filter(|_| !key.is_secret()) {
            let digest = digest.unwrap_or_else(|| memo.digest(token));
            memo.remember(digest, issuer, verified.clone(), key);
        }
        Ok(Finding::Good(verified))
    }
}

impl fmt::Debug for Trusts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verifiers: Vec<_> = self.list.iter().map(|trust| &trust.verifier).collect();
        f.debug_struct("Trusts").field("verifiers", &verifiers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::auth::key::Key;
    use crate::time::{Ticks, Timestamp};

    const NOW: i64 = 1_600_000_000;

    fn now() -> Moment {
        Moment { wall: Timestamp::from_secs(NOW), ticks: Ticks::from_nanos(1) }
    }

    #[test]
    fn j28_a_token_that_is_remembered_asks_for_no_memory() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let keys = KeySet::new([Key::ed25519(pair.public_key().as_ref()).unwrap()]).unwrap();
        let trust = Trust { verifier: Verifier::new("a", "b"), keys: Arc::new(keys) };
        let trusts = Trusts::new(vec![trust], 1 << 20);
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"at+jwt"}"#);
        let claims = format!(
            r#"{{"iss":"a","aud":"b","sub":"{}","client_id":"e","jti":"d","iat":{NOW},"exp":{}}}"#,
            "c".repeat(280),
            NOW + 60
        );
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
        let token = format!("{signed}.{signature}");
        let judge = || {
            let mut is_good = false;
            let asked = allocation_counter::measure(|| {
                let finding = trusts.judge(token.as_bytes(), now(), None);
                is_good = matches!(finding, Finding::Good(_));
            });
            assert!(is_good);
            asked.count_total
        };
        assert!(token.len() > 600 && judge() > 5, "it is verified first");
        assert_eq!(judge(), 0);
    }
}
