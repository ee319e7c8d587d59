//! The answers of one client after the other.

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderValue, Method, StatusCode};

use crate::BoxError;
use crate::client::{Answer, Client, if_match, if_new};
use crate::report::Row;
use crate::routes::TEXT_BYTES_MAX;

pub(crate) async fn as_they_must_be(origin: &str) -> Result<Row, BoxError> {
    let mut asked = Asked::default();
    let client = Client::new(origin);
    of_what_is_not_there(&client, &mut asked).await?;
    let first = of_what_is_there(&client, &mut asked).await?;
    of_what_was_removed(&client, &first, &mut asked).await?;
    Ok(Row {
        what: "one by one: 201, 204, 304, 404, 412, 413, 428",
        seen: match asked.wrong.is_empty() {
            true => format!("{} of {} as they must be", asked.count, asked.count),
            false => asked.wrong.join("; "),
        },
        is_right: asked.wrong.is_empty(),
        counts: None,
    })
}

async fn of_what_is_not_there(client: &Client, asked: &mut Asked) -> Result<(), BoxError> {
    let tag = HeaderValue::from_static("\"1\"");
    asked.expect("GET", &client.get(NOTE).await?, StatusCode::NOT_FOUND);
    let answer = client.put(NOTE, None, "x").await?;
    asked.expect("PUT without a precondition", &answer, StatusCode::PRECONDITION_REQUIRED);
    let answer = client.put(NOTE, if_match(&tag), "x").await?;
    asked.expect("PUT of a version", &answer, StatusCode::PRECONDITION_FAILED);
    let answer = client.send(Method::DELETE, NOTE, if_match(&tag), "").await?;
    asked.expect("DELETE of a version", &answer, StatusCode::NOT_FOUND);
    asked.expect("GET after all that", &client.get(NOTE).await?, StatusCode::NOT_FOUND);
    Ok(())
}

/// Gives back the first version's tag.
async fn of_what_is_there(client: &Client, asked: &mut Asked) -> Result<HeaderValue, BoxError> {
    let made = client.put(NOTE, if_new(), "one").await?;
    asked.expect("PUT, If-None-Match: *", &made, StatusCode::CREATED);
    let (text, first) = client.read(NOTE).await?;
    asked.hold("the tag of the 201 is that of the GET", made.tag.as_ref() == Some(&first));
    asked.hold("what was put is there", text == "one");
    let answer = client.send(Method::GET, NOTE, Some((IF_NONE_MATCH, &first)), "").await?;
    asked.expect("GET of what is held already", &answer, StatusCode::NOT_MODIFIED);
    asked.hold("the 304 has the tag", answer.tag.as_ref() == Some(&first));

    let answer = client.put(NOTE, None, "x").await?;
    asked.expect("PUT without a precondition", &answer, StatusCode::PRECONDITION_REQUIRED);
    let other = HeaderValue::from_static("\"another\"");
    let answer = client.put(NOTE, Some((IF_NONE_MATCH, &other)), "x").await?;
    asked.expect("PUT, If-None-Match: another", &answer, StatusCode::PRECONDITION_REQUIRED);
    let answer = client.put(NOTE, if_new(), "x").await?;
    asked.expect("PUT, If-None-Match: *", &answer, StatusCode::PRECONDITION_FAILED);
    // RFC 9110 §13.1.1: a weak tag never matches.
    let weak = HeaderValue::try_from(format!("W/{}", first.to_str()?))?;
    let answer = client.put(NOTE, if_match(&weak), "x").await?;
    asked.expect("PUT, If-Match: a weak tag", &answer, StatusCode::PRECONDITION_FAILED);
    let unquoted = HeaderValue::try_from(first.to_str()?.trim_matches('"'))?;
    let answer = client.put(NOTE, Some((IF_MATCH, &unquoted)), "x").await?;
    asked.expect("PUT, If-Match without quotes", &answer, StatusCode::PRECONDITION_FAILED);
    let answer = client.put(NOTE, if_match(&first), &"x".repeat(TEXT_BYTES_MAX + 1)).await?;
    asked.expect("PUT of too much", &answer, StatusCode::PAYLOAD_TOO_LARGE);
    asked.hold("nothing of all that was written", client.read(NOTE).await?.0 == "one");

    let changed = client.put(NOTE, if_match(&first), "two").await?;
    asked.expect("PUT, If-Match", &changed, StatusCode::NO_CONTENT);
    let answer = client.put(NOTE, if_match(&first), "three").await?;
    asked.expect("the same once more", &answer, StatusCode::PRECONDITION_FAILED);
    let (text, second) = client.read(NOTE).await?;
    asked.hold("the 204 has the new tag", changed.tag.as_ref() == Some(&second));
    asked.hold("so has the 412", answer.tag.as_ref() == Some(&second) && second != first);
    asked.hold("only the first of the two was written", text == "two");
    Ok(first)
}

async fn of_what_was_removed(
    client: &Client,
    first: &HeaderValue,
    asked: &mut Asked,
) -> Result<(), BoxError> {
    let (_, second) = client.read(NOTE).await?;
    let answer = client.send(Method::DELETE, NOTE, None, "").await?;
    asked.expect("DELETE without a precondition", &answer, StatusCode::PRECONDITION_REQUIRED);
    let answer = client.send(Method::DELETE, NOTE, if_match(first), "").await?;
    asked.expect("DELETE of a version that is gone", &answer, StatusCode::PRECONDITION_FAILED);
    let answer = client.send(Method::DELETE, NOTE, if_match(&second), "").await?;
    asked.expect("DELETE, If-Match", &answer, StatusCode::NO_CONTENT);
    let answer = client.put(NOTE, if_match(&second), "x").await?;
    asked.expect("PUT of what was removed", &answer, StatusCode::PRECONDITION_FAILED);
    let again = client.put(NOTE, if_new(), "again").await?;
    asked.expect("PUT, If-None-Match: *", &again, StatusCode::CREATED);
    let is_other = again.tag.is_some_and(|tag| tag != *first && tag != second);
    asked.hold("made again, it is no version that was", is_other);
    Ok(())
}

/// What was looked at.
#[derive(Default)]
struct Asked {
    count: usize,
    wrong: Vec<String>,
}

impl Asked {
    fn expect(&mut self, what: &str, answer: &Answer, status: StatusCode) {
        self.count += 1;
        if answer.status != status {
            self.wrong.push(format!("{what}: {} and not {status}", answer.status));
        }
    }

    fn hold(&mut self, what: &str, holds: bool) {
        self.count += 1;
        if !holds {
            self.wrong.push(format!("not true: {what}"));
        }
    }
}

const NOTE: &str = "/notes/7";
