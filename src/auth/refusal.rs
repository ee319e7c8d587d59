//! Why a request is refused.

use std::error::Error;
use std::fmt;

use http::Extensions;

/// Why a request is refused.
///
/// Clients learn the class alone, which [`kind`](Self::kind) tells: who forges tokens must not learn how far one came (RFC 8725
/// §3.2). The [`detail`](Self::detail) is for traces. Neither shows anything of the token.
///
/// It lies in the extensions of the response that a layer refuses with.
///
/// ```
/// use tower_keep::auth::{KeySet, RefusalKind, Verifier};
/// use tower_keep::time::Timestamp;
///
/// let verifier = Verifier::new("https://login.example", "api");
/// let refusal = verifier.verify(b"a.b", &KeySet::default(), Timestamp::from_secs(0)).unwrap_err();
/// assert_eq!(refusal.kind(), RefusalKind::InvalidToken);
/// assert_eq!(refusal.to_string(), "the token is not valid");
/// assert_eq!(refusal.detail(), "not three parts of base64url with dots between them");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub(crate) Detail);

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// There is no token, or credentials of another scheme: 401 without a word on what is wrong (RFC 6750 §3).
    NoToken,
    /// The request itself is wrong, such as one with two tokens: 400 (RFC 6750 §3.1: `invalid_request`).
    InvalidRequest,
    /// The token is not good: malformed, forged, expired, or meant for somebody else: 401 (RFC 6750 §3.1: `invalid_token`).
    InvalidToken,
    /// The token is good and grants too little: 403 (RFC 6750 §3.1: `insufficient_scope`).
    InsufficientScope,
    /// The token is good and what it says does not do: 403.
    Forbidden,
    /// The keys are not there, so that nobody knows: 503. The token may be good.
    Unavailable,
}

/// In the extensions of a request that a layer has let pass without a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anonymous;

/// What is wrong in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    TooLong,
    Shape,
    Encoding,
    HeaderSyntax,
    HeaderMember,
    Algorithm,
    Critical,
    KeyId,
    TokenType,
    Signature,
    ClaimsSyntax,
    ClaimType,
    Missing,
    Issuer,
    Audience,
    Bound,
    Expired,
    NotYet,
    Lifetime,
    NoToken,
    NoLayer,
    OtherScheme,
    TwoTokens,
    EmptyToken,
    Scope,
    Claims,
    Forwarding,
    Keys,
}

impl RefusalKind {
    /// In words for a client, the same for all refusals of the kind.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::NoToken => "there is no token",
            Self::InvalidRequest => "the request must have one token, in one place",
            Self::InvalidToken => "the token is not valid",
            Self::InsufficientScope => "the scope of the token is too small",
            Self::Forbidden => "the token does not allow this",
            Self::Unavailable => "tokens cannot be verified at the moment",
        }
    }
}

impl Refusal {
    /// A request without a token, by what the layer outside has left in it.
    pub(crate) fn no_token(request: &Extensions) -> Self {
        match request.get::<Anonymous>() {
            Some(_) => Self(Detail::NoToken),
            None => Self(Detail::NoLayer),
        }
    }

    /// The claims are not what they should be.
    #[cfg(feature = "axum")]
    pub(crate) fn of_claims() -> Self {
        Self(Detail::Claims)
    }

    /// What a client may be told.
    pub fn kind(&self) -> RefusalKind {
        match self.0 {
            Detail::NoToken | Detail::NoLayer | Detail::OtherScheme => RefusalKind::NoToken,
            Detail::TwoTokens | Detail::EmptyToken => RefusalKind::InvalidRequest,
            Detail::Scope => RefusalKind::InsufficientScope,
            Detail::Claims | Detail::Forwarding => RefusalKind::Forbidden,
            Detail::Keys => RefusalKind::Unavailable,
            _ => RefusalKind::InvalidToken,
        }
    }

    /// What is wrong, in words for a trace. It is not for clients.
    pub fn detail(&self) -> &'static str {
        match self.0 {
            Detail::TooLong => "the token is too long",
            Detail::Shape => "not three parts of base64url with dots between them",
            Detail::Encoding => "not exact base64url",
            Detail::HeaderSyntax => "the header is no JSON object with each name once",
            Detail::HeaderMember => {
                "the header has a member of another type, or one that may not stand there"
            }
            Detail::Algorithm => "the algorithm is not known",
            Detail::Critical => "the header has a critical member that nobody understands",
            Detail::KeyId => "the key id is too long, not printable, or missing",
            Detail::TokenType => {
                "typ is of another type than the verifier takes: at+jwt, or a plain JWT where it says so"
            }
            Detail::Signature => "no key of this algorithm and id has signed it",
            Detail::ClaimsSyntax => "the claims are no JSON object with each name once",
            Detail::ClaimType => "a registered claim is of another type, or out of range",
            Detail::Missing => {
                "one of exp, iat, sub, jti and client_id is missing (RFC 9068); a plain JWT needs exp alone"
            }
            Detail::Issuer => "it is of another issuer",
            Detail::Audience => "it is for another audience",
            Detail::Bound => "it is bound to a key that nobody asks for",
            Detail::Expired => "it has expired",
            Detail::NotYet => "it is not valid yet",
            Detail::Lifetime => "it lives too long",
            Detail::NoToken => "there is no token",
            Detail::NoLayer => "no JwtLayer stands outside, so that there is no verified token",
            Detail::OtherScheme => "the credentials are of another scheme",
            Detail::TwoTokens => "there is more than one token, or field with credentials",
            Detail::EmptyToken => "the token is empty",
            Detail::Scope => "the scope of the token is too small",
            Detail::Claims => "the claims do not do, or are not of the type that is asked for",
            Detail::Forwarding => "a claim that is passed on has no form that a field can hold",
            Detail::Keys => "the keys of the issuer are not there",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().description())
    }
}

impl Error for Refusal {}
