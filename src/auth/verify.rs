//! The verifier: which tokens are accepted (RFC 7519 §7.2, RFC 8725, RFC 9068 §4).

use std::time::Duration;

use crate::auth::claims::{Registered, Verified};
use crate::auth::jwk::KeySet;
use crate::auth::key::Key;
use crate::auth::refusal::{Detail, Refusal};
use crate::auth::token::{Compact, TokenHeader};
use crate::time::Timestamp;

/// Which tokens are accepted: from this issuer, for this audience, signed by a key of the set that you give, and at
/// this time.
///
/// By default an access token of RFC 9068: `typ` is `at+jwt`, and `iss`, `aud`, `exp`, `sub`, `iat`, `jti` and `client_id` are there.
///
/// ```
/// use tower_keep::auth::{Algorithm, Key, KeySet, Verifier};
/// use tower_keep::time::Timestamp;
///
/// let verifier = Verifier::new("https://login.example", "api");
/// let keys = KeySet::new([Key::secret(Algorithm::Hs256, &[7; 32]).unwrap()]).unwrap();
/// let refusal = verifier.verify(b"not.a.token", &keys, Timestamp::from_secs(1_800_000_000)).unwrap_err();
/// assert_eq!(refusal.to_string(), "the token is not valid");
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    issuer: Option<String>,
    audiences: Vec<String>,
    profile: Profile,
    leeway_secs: f64,
    lifetime_max_secs: f64,
    bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// RFC 9068.
    AccessToken,
    /// RFC 7519 and no more.
    Plain,
}

impl Verifier {
    /// The longest token that is looked at, if nothing else is said: 8 KiB.
    pub const BYTES_MAX: usize = 8 << 10;

    /// The most that clocks may differ: 60 seconds.
    pub const LEEWAY_MAX: Duration = Duration::from_secs(60);

    /// The longest lifetime of a token, if nothing else is said: a day.
    pub const LIFETIME_MAX: Duration = Duration::from_secs(86_400);

    /// Access tokens of this issuer for this audience; both are compared byte for byte.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: Some(issuer.into()),
            audiences: vec![audience.into()],
            profile: Profile::AccessToken,
            leeway_secs: 0.0,
            lifetime_max_secs: Self::LIFETIME_MAX.as_secs_f64(),
            bytes_max: Self::BYTES_MAX,
        }
    }

    /// Or for this one.
    #[must_use]
    pub fn or_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Takes plain JWTs too: `typ` is `JWT`, or missing, and of the claims only `iss`, `aud` and `exp` must be there. **A token that the
    /// issuer made for another purpose, such as an ID token, can then pass for an access token** where its audience is the same
    /// (RFC 8725 §3.11).
    #[must_use]
    pub fn or_plain_jwt(mut self) -> Self {
        self.profile = Profile::Plain;
        self
    }

    /// How much the issuer's clock may differ from ours, at most [`LEEWAY_MAX`](Self::LEEWAY_MAX). By default not at all.
    #[must_use]
    pub fn leeway(mut self, length: Duration) -> Self {
        self.leeway_secs = length.min(Self::LEEWAY_MAX).as_secs_f64();
        self
    }

    /// The longest time from `iat` to `exp`.
    #[must_use]
    pub fn lifetime_max(mut self, length: Duration) -> Self {
        self.lifetime_max_secs = length.as_secs_f64();
        self
    }

    /// The token, if it is accepted at this time.
    ///
    /// # Errors
    ///
    /// If it is not. All reasons look alike to a client: see [`Refusal`].
    pub fn verify(&self, token: &[u8], keys: &KeySet, now: Timestamp) -> Result<Verified, Refusal> {
        let token = Compact::of(token, self.bytes_max)?;
        let header = token.header()?;
        self.is_of_type(&header)?;
        let signature = token.signature()?;
        let mut candidates = candidates(keys, &header).take(TRIES_MAX);
        if !candidates.any(|key| key.has_signed(token.signed(), &signature)) {
            return Err(Refusal(Detail::Signature));
        }
        let payload = token.payload()?;
        let claims = Registered::read(&payload)?;
        self.is_meant_for_us(&claims)?;
        self.is_of_time(&claims, now.as_millis() as f64 / 1000.0)?;
        let (subject, scope) = (claims.subject, claims.scope);
        let (subject, scope) = (subject.map(String::from), scope.map(String::from));
        let expires = claims.expires;
        Ok(Verified { subject, scope, expires, payload })
    }

    /// RFC 9068 §2.1, RFC 8725 §3.11.
    fn is_of_type(&self, header: &TokenHeader) -> Result<(), Refusal> {
        match (self.profile, header.token_type()) {
            (_, Some("at+jwt")) | (Profile::Plain, None | Some("jwt")) => Ok(()),
            _ => Err(Refusal(Detail::TokenType)),
        }
    }

    fn is_meant_for_us(&self, claims: &Registered<'_>) -> Result<(), Refusal> {
        if let Some(issuer) = &self.issuer
            && claims.issuer.as_deref() != Some(issuer)
        {
            return Err(Refusal(Detail::Issuer));
        }
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
        if !claims.audience.iter().any(|audience| is_ours(audience)) {
            return Err(Refusal(Detail::Audience));
        }
        // RFC 7800 §3.1, RFC 9449 §7.1: whoever has stolen a bound token has not the key; nobody asks for it here.
        if claims.is_bound {
            return Err(Refusal(Detail::Bound));
        }
        let has_subject = claims.subject.as_deref().is_some_and(|subject| !subject.is_empty());
        let is_whole = has_subject && claims.has_client_id && claims.has_token_id;
        let is_empty = claims.subject.is_some() && !has_subject;
        match self.profile {
            // RFC 9068 §2.2.
            Profile::AccessToken if !is_whole || claims.issued.is_none() => {
                Err(Refusal(Detail::Missing))
            }
            _ if is_empty => Err(Refusal(Detail::ClaimType)),
            _ => Ok(()),
        }
    }

    fn is_of_time(&self, claims: &Registered<'_>, now: f64) -> Result<(), Refusal> {
        let expires = claims.expires.ok_or(Refusal(Detail::Missing))?;
        // RFC 7519 §4.1.4: on or after.
        if now >= expires + self.leeway_secs {
            return Err(Refusal(Detail::Expired));
        }
        let is_ahead = |at: Option<f64>| at.is_some_and(|at| at > now + self.leeway_secs);
        if is_ahead(claims.not_before) || is_ahead(claims.issued) {
            return Err(Refusal(Detail::NotYet));
        }
        if expires - claims.issued.unwrap_or(now) > self.lifetime_max_secs {
            return Err(Refusal(Detail::Lifetime));
        }
        Ok(())
    }
}

/// The keys that a token of this header may be signed by: of its algorithm, and of its key id where both have one.
pub(crate) fn candidates<'a>(
    keys: &'a KeySet,
    header: &'a TokenHeader,
) -> impl Iterator<Item = &'a Key> {
    keys.keys().iter().filter(move |key| {
        let is_named = match (header.key_id(), key.id()) {
            (Some(wanted), Some(id)) => wanted == id,
            (_, None) | (None, _) => true,
        };
        key.algorithm() == header.algorithm() && is_named
    })
}

/// How many keys are tried for one token: a token without a key id must not be a lever.
const TRIES_MAX: usize = 3;
