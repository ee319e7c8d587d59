//! Where a request carries its token (RFC 6750 §2).

use http::header::{self, HeaderMap};

use crate::auth::refusal::{Detail, Refusal};

/// The token that a request carries, in the one place where it may be: `Authorization`, or the cookie of this name.
///
/// RFC 6750 §2: never in more than one place. A query is no place (RFC 9700 §4.3.2): it ends up in logs.
pub(crate) fn token<'a>(headers: &'a HeaderMap, cookie: Option<&str>) -> Result<&'a [u8], Refusal> {
    let bearer = bearer(headers)?;
    let cookie = match cookie {
        Some(name) => cookie_of(headers, name)?,
        None => None,
    };
    match (bearer, cookie) {
        (Bearer::Token(_), Some(_)) => Err(Refusal(Detail::TwoTokens)),
        (Bearer::Token(b""), None) | (_, Some(b"")) => Err(Refusal(Detail::EmptyToken)),
        (Bearer::Token(token), None) | (_, Some(token)) => Ok(token),
        (Bearer::None, None) => Err(Refusal(Detail::NoToken)),
        (Bearer::OtherScheme, None) => Err(Refusal(Detail::OtherScheme)),
    }
}

/// What `Authorization` says.
enum Bearer<'a> {
    None,
    OtherScheme,
    Token(&'a [u8]),
}

/// RFC 9110 §11.6.2: one line. §11.1: the name of the scheme without case. §11.4: one space or more behind it.
fn bearer(headers: &HeaderMap) -> Result<Bearer<'_>, Refusal> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Ok(Bearer::None) };
    if lines.next().is_some() {
        return Err(Refusal(Detail::TwoTokens));
    }
    let line = line.as_bytes().trim_ascii();
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (scheme, rest) = line.split_at_checked(end).unwrap_or_default();
    match scheme.eq_ignore_ascii_case(b"bearer") {
        true => Ok(Bearer::Token(rest.trim_ascii_start())),
        false => Ok(Bearer::OtherScheme),
    }
}

/// RFC 6265 §5.4: the value of the one cookie of this name. Of two, one was put there by somebody else.
fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut values =
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(|pair| {
            match pair.trim_ascii().strip_prefix(name.as_bytes()) {
                Some([b'=', value @ ..]) => Some(value),
                _ => None,
            }
        });
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Refusal(Detail::TwoTokens)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn token_of(fields: &[(&'static str, &str)]) -> Result<String, Detail> {
        let headers = headers(fields);
        token(&headers, Some("session"))
            .map(|token| String::from_utf8_lossy(token).into_owned())
            .map_err(|refusal| refusal.0)
    }

    #[test]
    fn the_name_of_the_scheme_has_no_case_and_spaces_follow_it() {
        for line in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", "Bearer a.b.c "] {
            assert_eq!(token_of(&[("authorization", line)]), Ok("a.b.c".into()), "{line:?}");
        }
        for line in ["Basic YQ==", "Bearerx a", "DPoP a.b.c", "", "a.b.c", "Bearer\ta"] {
            let refused = Err(Detail::OtherScheme);
            assert_eq!(token_of(&[("authorization", line)]), refused, "{line:?}");
        }
        assert_eq!(token_of(&[]), Err(Detail::NoToken));
        assert_eq!(token_of(&[("authorization", "Bearer a b")]), Ok("a b".into()));
    }

    #[test]
    fn a_token_is_in_one_place() {
        let line = ("authorization", "Bearer a");
        let cookie = ("cookie", "x=1; session=b;y=2");
        assert_eq!(token_of(&[cookie]), Ok("b".into()));
        for two in [
            &[line, cookie][..],
            &[line, line],
            &[line, ("authorization", "Basic YQ==")],
            &[("cookie", "session=a; session=b")],
            &[("cookie", "session=a"), ("cookie", "session=a")],
            &[line, ("cookie", "session=")],
        ] {
            assert_eq!(token_of(two), Err(Detail::TwoTokens), "{two:?}");
        }
        let other = ("authorization", "Basic YQ==");
        assert_eq!(token_of(&[other, cookie]), Ok("b".into()));
    }

    #[test]
    fn an_empty_token_is_an_error_of_the_request() {
        for fields in [
            [("authorization", "Bearer")],
            [("authorization", "Bearer ")],
            [("cookie", "session=")],
        ] {
            assert_eq!(token_of(&fields), Err(Detail::EmptyToken), "{fields:?}");
        }
    }

    #[test]
    fn a_cookie_is_of_this_name_exactly_and_only_where_it_was_asked_for() {
        for line in ["sessions=a", "xsession=a", "Session=a", "session", "__Host-session=a"] {
            assert_eq!(token_of(&[("cookie", line)]), Err(Detail::NoToken), "{line}");
        }
        let headers = headers(&[("cookie", "session=a")]);
        assert_eq!(token(&headers, None), Err(Refusal(Detail::NoToken)));
    }
}
