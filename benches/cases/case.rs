//! The cases, and how each is known by its response.

use http::{Response, StatusCode, header};

use crate::cases::VERSION_ETAG;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Bare,
    /// A route that only clones a map of fields: as cheap as axum makes one.
    BareLean,
    /// What a hit costs at the least: see [`hand_written`](crate::cases::hand_written).
    HandWritten,
    HitOutside,
    HitInside,
    HitWithoutCacheStatus,
    NotModified,
    HitVariant,
    MissStored,
    /// The same where each request goes by itself: what a flight costs that nobody joins.
    MissAlone,
    Post,
    GetNoStore,
    /// Without a cache: a tag made of the body, and a 304 that the version decides before the route is asked.
    Tagged,
    VersionNotModified,
    /// The first once more: how far it is from 1 is how far the others may be off.
    BareAgain,
}

impl Case {
    pub(crate) const ALL: [Self; 15] = [
        Self::Bare,
        Self::BareLean,
        Self::HandWritten,
        Self::HitOutside,
        Self::HitInside,
        Self::HitWithoutCacheStatus,
        Self::NotModified,
        Self::HitVariant,
        Self::MissStored,
        Self::MissAlone,
        Self::Post,
        Self::GetNoStore,
        Self::Tagged,
        Self::VersionNotModified,
        Self::BareAgain,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareLean => "bare-lean",
            Self::HandWritten => "hand-written",
            Self::HitOutside => "hit-outside",
            Self::HitInside => "hit-inside",
            Self::HitWithoutCacheStatus => "hit-without-cache-status",
            Self::NotModified => "not-modified",
            Self::HitVariant => "hit-variant",
            Self::MissStored => "miss-stored",
            Self::MissAlone => "miss-alone",
            Self::Post => "post",
            Self::GetNoStore => "get-no-store",
            Self::Tagged => "tagged",
            Self::VersionNotModified => "version-not-modified",
            Self::BareAgain => "bare-again",
        }
    }

    /// Whether the response is what this case is about.
    pub(crate) fn is_shown_by<B>(self, response: &Response<B>) -> bool {
        let status = response.status();
        let text =
            |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap_or(""));
        let (told, has_age) = (text("cache-status"), response.headers().contains_key(header::AGE));
        let is_hit = told.contains("; hit") && has_age;
        let is_miss = told.contains("; fwd=uri-miss");
        match self {
            Self::Bare | Self::BareLean | Self::BareAgain => told.is_empty() && !has_age,
            Self::HandWritten | Self::HitWithoutCacheStatus => told.is_empty() && has_age,
            Self::HitOutside | Self::HitInside | Self::HitVariant => {
                is_hit && status == StatusCode::OK
            }
            Self::NotModified => is_hit && status == StatusCode::NOT_MODIFIED,
            Self::MissStored | Self::MissAlone => is_miss && told.contains("; stored"),
            Self::Post => told.contains("; fwd=method"),
            Self::GetNoStore => is_miss && !told.contains("; stored"),
            Self::Tagged => status == StatusCode::OK && text("etag").starts_with("W/"),
            Self::VersionNotModified => {
                status == StatusCode::NOT_MODIFIED && text("etag") == VERSION_ETAG
            }
        }
    }
}
