//! The verifier: which tokens are accepted (RFC 7519 §7.2, RFC 8725, RFC 9068 §4).

use std::sync::Arc;
use std::time::Duration;

use crate::auth::algorithm::Algorithm;
use crate::auth::claims::{Registered, Times, words_of};
use crate::auth::jwk::KeySet;
use crate::auth::refusal::{Detail, Refusal};
use crate::auth::token::{TokenHeader, TokenType};
use crate::auth::unverified::Unverified;
use crate::auth::verified::{Said, Verified};
use crate::head::Principal;
use crate::time::Timestamp;

/// Which tokens are accepted: from this issuer, for this audience, signed by a key that you give, and at this time.
///
/// By default an access token of RFC 9068: `typ` is `at+jwt`, and `iss`, `aud`, `exp`, `sub`, `iat`, `jti` and `client_id` are there. A
/// token that is bound to a key of its sender's (`cnf`, RFC 7800) is refused, since nobody asks for that key.
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
///
/// An issuer that keeps to other customs:
///
/// ```
/// use std::time::Duration;
/// use tower_keep::auth::{Algorithm, Verifier};
///
/// let verifier = Verifier::new("https://login.example", "api")
///     .or_audience("https://api.example")
///     .or_plain_jwt()
///     .or_scope_in("scp")
///     .algorithms([Algorithm::Rs256])
///     .require_key_id()
///     .leeway(Duration::from_secs(2))
///     .lifetime_max(Duration::from_secs(3600));
/// # let _ = verifier;
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    issuer: Option<Arc<str>>,
    audiences: Option<Vec<String>>,
    needs_expiry: bool,
    needs_key_id: bool,
    profile: Profile,
    algorithms: Option<Vec<Algorithm>>,
    understood: Vec<String>,
    scope_claims: Vec<String>,
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

    /// Access tokens of this issuer for this audience; both are compared byte for byte (RFC 9068 §4).
    pub fn new(issuer: impl Into<Arc<str>>, audience: impl Into<String>) -> Self {
        Self {
            issuer: Some(issuer.into()),
            audiences: Some(vec![audience.into()]),
            needs_expiry: true,
            needs_key_id: false,
            profile: Profile::AccessToken,
            algorithms: None,
            understood: Vec::new(),
            scope_claims: Vec::new(),
            leeway_secs: 0.0,
            lifetime_max_secs: Self::LIFETIME_MAX.as_secs_f64(),
            bytes_max: Self::BYTES_MAX,
        }
    }

    /// Or for this audience.
    #[must_use]
    pub fn or_audience(mut self, audience: impl Into<String>) -> Self {
        if let Some(audiences) = &mut self.audiences {
            audiences.push(audience.into());
        }
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

    /// Takes tokens of any issuer, and without one. **Whoever holds one of the keys can then speak for anybody.**
    #[must_use]
    pub fn waive_issuer(mut self) -> Self {
        self.issuer = None;
        self
    }

    /// Takes tokens for any audience, and without one. **A token that a user gave to another service then opens this one**
    /// (RFC 8725 §3.9).
    #[must_use]
    pub fn waive_audience(mut self) -> Self {
        self.audiences = None;
        self
    }

    /// Takes tokens without `exp`. **Such a token is good for ever**, or for [`lifetime_max`](Self::lifetime_max) where it has an `iat`. An
    /// `exp` that is there counts.
    #[must_use]
    pub fn waive_expiry(mut self) -> Self {
        self.needs_expiry = false;
        self
    }

    /// Refuses tokens that name no key. By default such a token may be signed by any key of its algorithm; three are tried.
    #[must_use]
    pub fn require_key_id(mut self) -> Self {
        self.needs_key_id = true;
        self
    }

    /// Takes these algorithms alone. By default all that there are keys of: a key is of one algorithm only.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Takes tokens whose header calls this extension critical (RFC 7515 §4.1.11). What it means is then yours to heed, by
    /// [`Verified::header_json`]. By default none is understood.
    #[must_use]
    pub fn understands(mut self, extension: impl Into<String>) -> Self {
        self.understood.push(extension.into());
        self
    }

    /// Reads the scope from this claim too, such as `scp` or `roles`: a string of words with spaces between them, or an array of
    /// words. By default it is `scope` alone, and that a string (RFC 8693 §4.2); `or_scope_in("scope")` takes an array there.
    #[must_use]
    pub fn or_scope_in(mut self, claim: impl Into<String>) -> Self {
        self.scope_claims.push(claim.into());
        self
    }

    /// How much the issuer's clock may differ from ours, at most [`LEEWAY_MAX`](Self::LEEWAY_MAX). By default not at all.
    #[must_use]
    pub fn leeway(mut self, length: Duration) -> Self {
        self.leeway_secs = length.min(Self::LEEWAY_MAX).as_secs_f64();
        self
    }

    /// The longest time from `iat` to `exp`; from now to `exp` where there is no `iat`.
    #[must_use]
    pub fn lifetime_max(mut self, length: Duration) -> Self {
        self.lifetime_max_secs = length.as_secs_f64();
        self
    }

    /// The longest token that is looked at, in bytes, [`BYTES_MAX`](Self::BYTES_MAX) if nothing else is said; at most 64 KiB.
    #[must_use]
    pub fn bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max.min(BYTES_MAX_MAX);
        self
    }

    /// The token, if it is accepted at this time.
    ///
    /// # Errors
    ///
    /// If it is not. All reasons look alike to a client: see [`Refusal`].
    pub fn verify(&self, token: &[u8], keys: &KeySet, now: Timestamp) -> Result<Verified, Refusal> {
        let unverified = Unverified::read(token, self.bytes_max)?;
        let claims = unverified.claims()?;
        self.admit(&unverified, &claims, now)?;
        unverified.signer(keys).map_err(|_| Refusal(Detail::Signature))?;
        let said = self.said(&unverified, &claims);
        Ok(unverified.into_verified(said))
    }

    pub(crate) fn token_bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Whether a token names the issuer that this verifier is for.
    pub(crate) fn names_issuer_of(&self, claims: &Registered<'_>) -> bool {
        self.issuer.is_some() && self.is_of(claims)
    }

    /// Whether a token is from the issuer of this verifier, by its own word, or from any where that is waived.
    pub(crate) fn is_of(&self, claims: &Registered<'_>) -> bool {
        self.issuer.is_none() || claims.issuer.as_deref() == self.issuer.as_deref()
    }

    /// All rules but the signature. They come first: most tokens that are refused have expired, and cost no key then.
    pub(crate) fn admit(
        &self,
        token: &Unverified<'_>,
        claims: &Registered<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if token.bytes() > self.bytes_max {
            return Err(Refusal(Detail::TooLong));
        }
        self.is_header_ours(token.header())?;
        self.is_meant_for_us(claims)?;
        self.is_whole(claims)?;
        self.is_of_time(&claims.times, now)
    }

    /// What others will ask of a token when all of it is verified.
    pub(crate) fn said(&self, token: &Unverified<'_>, claims: &Registered<'_>) -> Said {
        let issuer = match &self.issuer {
            Some(ours) => ours.clone(),
            None => Arc::from(claims.issuer.as_deref().unwrap_or_default()),
        };
        let subject = claims.subject.as_deref();
        let mut scope = claims.scope.as_deref().unwrap_or_default().to_owned();
        for word in self.scope_claims.iter().flat_map(|claim| words_of(token.claims_text(), claim))
        {
            scope.push(' ');
            scope.push_str(&word);
        }
        let principal = subject.map(|subject| Principal::new(issuer.clone(), subject));
        Said { issuer, principal, scope, times: claims.times }
    }

    /// Algorithm, extensions and type (RFC 8725 §3.1, RFC 7515 §4.1.11, RFC 9068 §2.1, RFC 8725 §3.11).
    fn is_header_ours(&self, header: &TokenHeader) -> Result<(), Refusal> {
        if self.algorithms.as_ref().is_some_and(|taken| !taken.contains(&header.algorithm())) {
            return Err(Refusal(Detail::Algorithm));
        }
        if header.critical().iter().any(|name| !self.understood.contains(name)) {
            return Err(Refusal(Detail::Critical));
        }
        if self.needs_key_id && header.key_id().is_none() {
            return Err(Refusal(Detail::KeyId));
        }
        match (self.profile, header.token_type()) {
            (_, TokenType::AccessToken) => Ok(()),
            (Profile::Plain, TokenType::None | TokenType::Jwt) => Ok(()),
            _ => Err(Refusal(Detail::TokenType)),
        }
    }

    fn is_meant_for_us(&self, claims: &Registered<'_>) -> Result<(), Refusal> {
        if !self.is_of(claims) {
            return Err(Refusal(Detail::Issuer));
        }
        let is_ours = |audience: &str| {
            self.audiences.as_ref().is_none_or(|ours| ours.iter().any(|our| our == audience))
        };
        if self.audiences.is_some() && !claims.audience.has(is_ours) {
            return Err(Refusal(Detail::Audience));
        }
        // RFC 7800 §3.1, RFC 9449 §7.1: whoever has stolen a bound token has not the key; nobody asks for it here.
        if claims.is_bound { Err(Refusal(Detail::Bound)) } else { Ok(()) }
    }

    /// RFC 9068 §2.2: what an access token must say.
    fn is_whole(&self, claims: &Registered<'_>) -> Result<(), Refusal> {
        if claims.subject.as_deref() == Some("") {
            return Err(Refusal(Detail::ClaimType));
        }
        let is_whole = claims.subject.is_some()
            && claims.times.issued.is_some()
            && claims.has_client_id
            && claims.has_token_id;
        let is_plain = self.profile == Profile::Plain;
        if is_whole || is_plain { Ok(()) } else { Err(Refusal(Detail::Missing)) }
    }

    pub(crate) fn is_of_time(&self, times: &Times, now: Timestamp) -> Result<(), Refusal> {
        let now = now.as_millis() as f64 / 1000.0;
        let is_ahead = |at: Option<f64>| at.is_some_and(|at| at > now + self.leeway_secs);
        match times.expires {
            // RFC 7519 §4.1.4: on or after.
            Some(expires) if now >= expires + self.leeway_secs => Err(Refusal(Detail::Expired)),
            None if self.needs_expiry => Err(Refusal(Detail::Missing)),
            // RFC 7519 §4.1.5, §4.1.6.
            _ if is_ahead(times.not_before) || is_ahead(times.issued) => {
                Err(Refusal(Detail::NotYet))
            }
            expires => {
                let issued = times.issued.unwrap_or(now);
                // Without `exp` it ends where its lifetime would.
                let lives_for = expires.unwrap_or(now) - issued;
                let is_too_long = lives_for > self.lifetime_max_secs;
                if is_too_long { Err(Refusal(Detail::Lifetime)) } else { Ok(()) }
            }
        }
    }
}

/// More than any server takes for a field.
const BYTES_MAX_MAX: usize = 64 << 10;
