//! Clients that change one note at the same time.

use axum::http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::BoxError;
use crate::client::{Client, if_match, if_new};
use crate::report::{Counts, Row};

/// Each client adds 1 to the number in a note, so many times: reads it, and writes it back. Who is refused reads again.
pub(crate) async fn increments(origin: &str, id: u64, is_guarded: bool) -> Result<Row, BoxError> {
    let note = format!("/notes/{id}");
    let client = Client::new(origin);
    client.put(&note, if_new(), "0").await?;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(count(Client::new(origin), id, is_guarded));
    }
    let mut refused = 0;
    while let Some(client) = clients.join_next().await {
        refused += client??;
    }
    let there = client.read(&note).await?.0.parse()?;
    let lost = WRITES.checked_sub(there).ok_or("more increments than there were")?;
    let what = match is_guarded {
        true => "16 clients count to 320, If-Match",
        false => "16 clients count to 320, unguarded",
    };
    Ok(Row {
        what,
        counts: Some(Counts { written: WRITES, refused, there }),
        seen: format!("{lost} lost"),
        // How much is lost without the precondition depends on who comes when.
        is_right: lost == 0 || !is_guarded,
    })
}

/// How often it was refused.
async fn count(client: Client, id: u64, is_guarded: bool) -> Result<usize, BoxError> {
    let (note, unguarded) = (format!("/notes/{id}"), format!("/unguarded/{id}"));
    let (mut written, mut refused) = (0, 0);
    // Each time that one is refused, another has written since it read: so there is an end to it.
    while written < INCREMENTS && refused < WRITES {
        let (text, tag) = client.read(&note).await?;
        let more = (text.parse::<usize>()? + 1).to_string();
        let answer = match is_guarded {
            true => client.put(&note, if_match(&tag), &more).await?,
            false => client.put(&unguarded, None, &more).await?,
        };
        match answer.status {
            StatusCode::NO_CONTENT => written += 1,
            StatusCode::PRECONDITION_FAILED => refused += 1,
            _ => return Err(format!("PUT {note}: {answer:?}").into()),
        }
    }
    match written {
        INCREMENTS => Ok(refused),
        _ => Err(format!("refused {refused} times, more often than others wrote").into()),
    }
}

/// Two clients read the same version, and both add a line: without the precondition the first line is always lost.
pub(crate) async fn two_of_one_version(origin: &str, is_guarded: bool) -> Result<Row, BoxError> {
    let id = if is_guarded { 3 } else { 4 };
    let (note, unguarded) = (format!("/notes/{id}"), format!("/unguarded/{id}"));
    let (first, second) = (Client::new(origin), Client::new(origin));
    first.put(&note, if_new(), "milk\n").await?;
    let (seen_by_first, seen_by_second) = (first.read(&note).await?, second.read(&note).await?);
    let mut counts = Counts::default();
    for (client, (text, tag), line) in
        [(&first, seen_by_first, "bread\n"), (&second, seen_by_second, "eggs\n")]
    {
        if !is_guarded {
            client.put(&unguarded, None, &(text + line)).await?;
            counts.written += 1;
            continue;
        }
        let mut answer = client.put(&note, if_match(&tag), &(text + line)).await?;
        if answer.status == StatusCode::PRECONDITION_FAILED {
            counts.refused += 1;
            // What it did not know of is in it now.
            let (text, tag) = client.read(&note).await?;
            answer = client.put(&note, if_match(&tag), &(text + line)).await?;
        }
        counts.written += usize::from(answer.status == StatusCode::NO_CONTENT);
    }
    let (text, _) = first.read(&note).await?;
    counts.there = text.lines().count() - 1;
    let (what, lines, refused, seen) = match is_guarded {
        true => ("two add to what both have read, If-Match", "milk\nbread\neggs\n", 1, "none lost"),
        false => {
            ("two add to what both have read, unguarded", "milk\neggs\n", 0, "the first is lost")
        }
    };
    let is_right = text == lines && counts.refused == refused;
    let seen = if is_right { seen.to_owned() } else { format!("{text:?}") };
    Ok(Row { what, counts: Some(counts), seen, is_right })
}

/// All make the same note. One has made it, and it is his.
pub(crate) async fn creations(origin: &str) -> Result<Row, BoxError> {
    let note = "/notes/5";
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client::new(origin);
        clients.spawn(async move {
            let text = format!("made by {number}");
            let answer = client.put(note, if_new(), &text).await?;
            Ok::<_, BoxError>((answer.status, text))
        });
    }
    let (mut made, mut refused) = (Vec::new(), 0);
    while let Some(client) = clients.join_next().await {
        match client?? {
            (StatusCode::CREATED, text) => made.push(text),
            (status, _) => refused += usize::from(status == StatusCode::PRECONDITION_FAILED),
        }
    }
    let (text, _) = Client::new(origin).read(note).await?;
    let is_right = made == [text] && refused == CLIENTS - 1;
    Ok(Row {
        what: "16 make one note, If-None-Match: *",
        counts: Some(Counts { written: made.len(), refused, there: 1 }),
        seen: format!("201: {}, 412: {refused}", made.len()),
        is_right,
    })
}

/// Of those who change and those who remove one version, the first alone does so.
pub(crate) async fn update_or_removal(origin: &str) -> Result<Row, BoxError> {
    let note = "/notes/6";
    let client = Client::new(origin);
    client.put(note, if_new(), "here").await?;
    let (_, tag) = client.read(note).await?;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, tag) = (Client::new(origin), tag.clone());
        let method = if number % 2 == 0 { Method::PUT } else { Method::DELETE };
        clients.spawn(async move {
            let answer = client.send(method.clone(), note, if_match(&tag), "changed").await?;
            Ok::<_, BoxError>((method, answer.status))
        });
    }
    let (mut done, mut refused) = (Vec::new(), 0);
    while let Some(client) = clients.join_next().await {
        match client?? {
            (method, StatusCode::NO_CONTENT) => done.push(method),
            // What is removed cannot be removed again: RFC 9110 §13.2.1.
            (_, StatusCode::PRECONDITION_FAILED) | (Method::DELETE, StatusCode::NOT_FOUND) => {
                refused += 1;
            }
            (method, status) => return Err(format!("{method} {note}: {status}").into()),
        }
    }
    let now = client.get(note).await?;
    let expected = match done.as_slice() {
        [method] if method == Method::PUT => StatusCode::OK,
        _ => StatusCode::NOT_FOUND,
    };
    Ok(Row {
        what: "8 change and 8 remove one version",
        counts: Some(Counts {
            written: done.len(),
            refused,
            there: usize::from(now.status == StatusCode::OK),
        }),
        seen: format!("{} was first", done.first().map_or("none", Method::as_str)),
        is_right: done.len() == 1 && now.status == expected,
    })
}

const CLIENTS: usize = 16;
const INCREMENTS: usize = 20;
/// Of all clients together.
pub(crate) const WRITES: usize = CLIENTS * INCREMENTS;
