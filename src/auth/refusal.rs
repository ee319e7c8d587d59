//! Why a token is refused.

use std::error::Error;
use std::fmt;

/// Why a token is not accepted.
///
/// Clients learn the class alone, which [`kind`](Self::kind) tells: who forges tokens must not learn how far one came (RFC 8725
/// §3.2). The [`detail`](Self::detail) is for traces. Neither shows anything of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub(crate) Detail);

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The token is not good: malformed, forged, expired, or meant for somebody else (RFC 6750 §3.1: `invalid_token`).
    InvalidToken,
}

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
}

impl Refusal {
    /// What a client may be told.
    pub fn kind(&self) -> RefusalKind {
        RefusalKind::InvalidToken
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
            Detail::KeyId => "the key id is too long or not printable",
            Detail::TokenType => "the token is of another type",
            Detail::Signature => "no key of this algorithm and id has signed it",
            Detail::ClaimsSyntax => "the claims are no JSON object with each name once",
            Detail::ClaimType => "a registered claim is of another type, or out of range",
            Detail::Missing => "a claim is missing that must be there",
            Detail::Issuer => "it is of another issuer",
            Detail::Audience => "it is for another audience",
            Detail::Bound => "it is bound to a key that nobody asks for",
            Detail::Expired => "it has expired",
            Detail::NotYet => "it is not valid yet",
            Detail::Lifetime => "it lives too long",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token is not valid")
    }
}

impl Error for Refusal {}
