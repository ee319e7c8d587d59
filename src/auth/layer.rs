//! The layer that verifies tokens.

use std::sync::Arc;

use http::HeaderName;
use tower_layer::Layer;

use crate::auth::challenge::Challenge;
use crate::auth::forward::Forwarded;
use crate::auth::gate::Gate;
use crate::auth::keys::KeySource;
use crate::auth::service::Jwt;
use crate::auth::trusts::{Trust, Trusts};
use crate::auth::verify::Verifier;
use crate::clock::{Clock, SystemClock};

/// Lets requests pass that carry a good token (RFC 6750), and tells all who are further in whose it is: a
/// [`Verified`](crate::auth::Verified) and a [`Principal`](crate::head::Principal) in the extensions of the request. Whatever there was of
/// either before is removed.
///
/// All others are answered, and no cache may keep the answers:
///
/// | the request | the answer |
/// |---|---|
/// | has no token, or credentials of another scheme | 401, and a challenge without a word on what is wrong |
/// | has two tokens, two lines of `Authorization`, or an empty token | 400 `invalid_request` |
/// | has a token that is not good | 401 `invalid_token`, in one and the same words |
/// | cannot be judged, since the issuer's keys are not there | 503 with `Retry-After` |
///
/// The bodies are problem details (RFC 9457). A request of gRPC is answered in gRPC's own way, with the status UNAUTHENTICATED or
/// UNAVAILABLE and nothing else. The reason lies in the extensions of the response as a [`Refusal`](crate::auth::Refusal).
///
/// The layer itself asks the network for nothing; a [`KeySource`] may, for a token whose key is not there.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_keep::auth::{Algorithm, JwtLayer, Key, KeySet, Verified, Verifier};
///
/// let keys = KeySet::new([Key::secret(Algorithm::Hs256, &[7; 32]).unwrap()]).unwrap();
/// let jwt = JwtLayer::new(Verifier::new("https://login.example", "api"), keys);
/// let app: Router = Router::new()
///     .route("/me", get(async |verified: Verified| verified.subject().unwrap_or("nobody").to_owned()))
///     .layer(jwt);
/// # let _ = app;
/// ```
///
/// A site that has a login, with tokens in a cookie, and a partner who has an issuer of his own:
///
/// ```
/// use http::HeaderName;
/// use tower_keep::auth::{JwtLayer, KeySet, Verifier};
///
/// # let (keys, partners_keys) = (KeySet::default(), KeySet::default());
/// let jwt = JwtLayer::new(Verifier::new("https://login.example", "site"), keys)
///     .or(Verifier::new("https://partner.example", "site"), partners_keys)
///     .or_cookie("__Host-token")
///     .optional()
///     .realm("site")
///     .memo_bytes_max(1 << 20);
/// # let _ = jwt;
/// ```
#[derive(Clone, Debug)]
pub struct JwtLayer<C = SystemClock> {
    trusts: Arc<Trusts>,
    memo_bytes_max: usize,
    needs_token: bool,
    cookie: Option<Arc<str>>,
    forwarded: Forwarded,
    challenge: Challenge,
    clock: C,
}

impl JwtLayer {
    /// The memory for tokens that were verified, if nothing else is said: 4 MiB.
    pub const MEMO_BYTES_MAX: usize = 4 << 20;

    /// For tokens that this verifier accepts by these keys.
    pub fn new(verifier: Verifier, keys: impl KeySource) -> Self {
        Self::with_clock(verifier, keys, SystemClock::new())
    }
}

impl<C: Clock + Clone> JwtLayer<C> {
    /// With a clock of your own.
    pub fn with_clock(verifier: Verifier, keys: impl KeySource, clock: C) -> Self {
        let trust = Trust { verifier, keys: Arc::new(keys) };
        let memo_bytes_max = JwtLayer::MEMO_BYTES_MAX;
        Self {
            trusts: Arc::new(Trusts::new(vec![trust], memo_bytes_max)),
            memo_bytes_max,
            needs_token: true,
            cookie: None,
            forwarded: Forwarded::default(),
            challenge: Challenge::new(),
            clock,
        }
    }

    /// Or for those that this one accepts by those keys. A token is judged by the first verifier whose issuer it names, and
    /// by no key of another's (RFC 8725 §3.8).
    #[must_use]
    pub fn or(self, verifier: Verifier, keys: impl KeySource) -> Self {
        let mut list = self.trusts.list().to_vec();
        list.push(Trust { verifier, keys: Arc::new(keys) });
        Self { trusts: Arc::new(Trusts::new(list, self.memo_bytes_max)), ..self }
    }

    /// Lets requests pass that have no token, without saying who asks. One that has a token must have a good one.
    ///
    /// Routes inside that need one are wrapped in a [`RequireToken`](crate::auth::RequireToken) or
    /// [`RequireScope`](crate::auth::RequireScope).
    #[must_use]
    pub fn optional(self) -> Self {
        Self { needs_token: false, ..self }
    }

    /// Takes the token from the cookie of this name too, where `Authorization` has none.
    ///
    /// Let the cookie live no longer than its token: one with an expired token is refused, also where a token is optional.
    ///
    /// **Browsers send cookies with requests that other sites have made** (RFC 6265 §8.2): give it `SameSite`, `Secure` and
    /// `HttpOnly`, and keep other sites from writing, as with tower-http's `csrf`.
    #[must_use]
    pub fn or_cookie(self, name: &str) -> Self {
        Self { cookie: Some(name.into()), ..self }
    }

    /// Puts a claim into a field of the request, for a service behind this one that trusts it. Fields of this name that came
    /// with the request are removed first, and those that differ from it only in marks such as `_`. The token is passed on too.
    ///
    /// A string is put there as it is, a number and a truth value as in JSON; without the claim there is no field. A claim that no
    /// field can hold, such as an array or a string with other than visible ASCII, refuses the request with 403.
    ///
    /// ```
    /// use http::HeaderName;
    /// # use tower_keep::auth::{JwtLayer, KeySet, Verifier};
    /// # let (verifier, keys) = (Verifier::new("https://login.example", "api"), KeySet::default());
    /// let jwt = JwtLayer::new(verifier, keys).forward_claim("sub", HeaderName::from_static("x-user"));
    /// # let _ = jwt;
    /// ```
    #[must_use]
    pub fn forward_claim(mut self, claim: impl Into<String>, field: HeaderName) -> Self {
        self.forwarded.add(claim.into(), field);
        self
    }

    /// The realm of challenges (RFC 9110 §11.5), `api` if nothing else is said. What a quoted string cannot hold is left out.
    #[must_use]
    pub fn realm(self, realm: &str) -> Self {
        Self { challenge: self.challenge.realm(realm), ..self }
    }

    /// The memory for tokens that were verified, in bytes. A token that is remembered is looked at again for its times and for its
    /// key, but its signature is not computed again. With 0 none is; and of tokens that a secret has signed none is ever, since
    /// that is as fast.
    #[must_use]
    pub fn memo_bytes_max(self, memo_bytes_max: usize) -> Self {
        let trusts = Arc::new(Trusts::new(self.trusts.list().to_vec(), memo_bytes_max));
        Self { trusts, memo_bytes_max, ..self }
    }
}

impl<S, C: Clock + Clone> Layer<S> for JwtLayer<C> {
    type Service = Jwt<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let gate = Gate {
            trusts: self.trusts.clone(),
            needs_token: self.needs_token,
            cookie: self.cookie.clone(),
            forwarded: self.forwarded.clone(),
            challenge: self.challenge.clone(),
            clock: self.clock.clone(),
        };
        Jwt::new(inner, Arc::new(gate))
    }
}
