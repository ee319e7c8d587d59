//! The future of a response that is tagged.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{self, HeaderMap};
use http::{Extensions, Method, Response, StatusCode, Uri, response};
use http_body::Body;
use pin_project_lite::pin_project;

use crate::clock::Clock;
use crate::conditional::body::ConditionalBody;
use crate::conditional::current::Current;
use crate::conditional::etag::client::{Client, Coding};
use crate::conditional::etag::gathering::{End, Gathering};
use crate::conditional::etag::layer::{Config, VersionFn};
use crate::conditional::tag::EntityTag;
use crate::fields::{list, number};
use crate::head::RequestHead;

pin_project! {
    /// The future of [`Etag`](crate::conditional::Etag).
    pub struct EtagFuture<F, B, C>
    where
        B: Body,
    {
        #[pin]
        state: State<F, B, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B, C>
    where
        B: Body,
    {
        Ready { response: Option<Response<ConditionalBody<B>>> },
        Untouched { #[pin] inner: F },
        Asked { #[pin] inner: F, tagging: Option<Tagging<C>> },
        Gathering { gathering: Box<Gathers<B, C>> },
        Done,
    }
}

/// How a response is to be tagged.
pub(crate) struct Tagging<C> {
    pub(crate) client: Client,
    /// By digest where there is none.
    pub(crate) version: Option<Box<Version>>,
    pub(crate) is_head: bool,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: C,
}

/// What the version function said, and the request of which it said it.
pub(crate) struct Version {
    function: Arc<VersionFn>,
    current: Current,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
}

impl Version {
    pub(crate) fn new(function: Arc<VersionFn>, head: RequestHead<'_>, current: Current) -> Self {
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let (headers, extensions) = (head.headers.clone(), head.extensions.clone());
        Self { function, current, method, uri, headers, extensions }
    }

    /// The state, if it is the same as before the handler was called: then the response shows that one.
    fn still(&self) -> Option<Current> {
        let Self { method, uri, headers, extensions, .. } = self;
        let now = (self.function)(RequestHead { method, uri, headers, extensions })?;
        now.is_same_state(&self.current).then_some(now)
    }
}

impl<F, B: Body, C> EtagFuture<F, B, C> {
    pub(crate) fn ready(response: Response<ConditionalBody<B>>) -> Self {
        Self { state: State::Ready { response: Some(response) } }
    }

    pub(crate) fn untouched(inner: F) -> Self {
        Self { state: State::Untouched { inner } }
    }

    pub(crate) fn asked(inner: F, tagging: Tagging<C>) -> Self {
        Self { state: State::Asked { inner, tagging: Some(tagging) } }
    }
}

impl<F, B, C, E> Future for EtagFuture<F, B, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    C: Clock,
{
    type Output = Result<Response<ConditionalBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let answered = match state.as_mut().project() {
                StateProj::Ready { response } => match response.take() {
                    Some(response) => Ok(response),
                    None => return Poll::Pending,
                },
                StateProj::Untouched { inner } => {
                    ready!(inner.poll(cx)).map(|response| response.map(ConditionalBody::passing))
                }
                StateProj::Asked { inner, tagging } => {
                    let answered = ready!(inner.poll(cx));
                    let Some(tagging) = tagging.take() else { return Poll::Pending };
                    match answered.map(|response| tagging.begin(response)) {
                        Ok(Ok(response)) => Ok(response),
                        Ok(Err(gathering)) => {
                            state.set(State::Gathering { gathering });
                            continue;
                        }
                        Err(error) => Err(error),
                    }
                }
                StateProj::Gathering { gathering: gathers } => {
                    let Gathers { gathering, head, tagging } = &mut **gathers;
                    let Tagging { config, clock, client, .. } = tagging;
                    let (end, gathered) = ready!(gathering.poll(config, clock, cx));
                    let Some(mut head) = head.take() else { return Poll::Pending };
                    if matches!(end, End::Whole) {
                        tag_by_digest(&mut head, &gathered.data, client);
                    }
                    Ok(Response::from_parts(head, ConditionalBody::gathered(gathered)))
                }
                StateProj::Done => return Poll::Pending,
            };
            state.set(State::Done);
            return Poll::Ready(answered);
        }
    }
}

type Begun<B, C> = Result<Response<ConditionalBody<B>>, Box<Gathers<B, C>>>;

/// A response whose body is read for its tag. In a box: most futures never have one.
struct Gathers<B: Body, C> {
    gathering: Gathering<B>,
    head: Option<response::Parts>,
    tagging: Tagging<C>,
}

impl<C: Clock> Tagging<C> {
    /// The response as it goes out, or one whose body has to be read first.
    fn begin<B: Body>(self, response: Response<B>) -> Begun<B, C> {
        if !is_taggable(&response, self.version.is_some()) {
            return Ok(response.map(ConditionalBody::passing));
        }
        let (mut head, body) = response.into_parts();
        if let Some(version) = &self.version {
            if let Some(current) = version.still() {
                self.tag_by_version(&mut head.headers, &current);
            }
            return Ok(Response::from_parts(head, ConditionalBody::passing(body)));
        }
        match self.length(&head.headers, &body) {
            Some(length) => {
                let gathering = Gathering::new(body, length);
                Err(Box::new(Gathers { gathering, head: Some(head), tagging: self }))
            }
            None => Ok(Response::from_parts(head, ConditionalBody::passing(body))),
        }
    }

    fn tag_by_version(&self, headers: &mut HeaderMap, current: &Current) {
        let coding = match headers.contains_key(header::CONTENT_ENCODING) {
            true => Coding::Untagged,
            false => Coding::Plain,
        };
        let given = current.tag().cloned().map(|tag| self.client.given(tag, coding));
        current.complete(headers, given.as_ref().map(|given| &given.tag), self.clock.now().wall);
        if let Some(given) = given {
            given.add_vary(headers);
        }
    }

    /// How long the body is, if it is to be read.
    fn length<B: Body>(&self, headers: &HeaderMap, body: &B) -> Option<u64> {
        let length = body.size_hint().exact()?;
        // The body that a GET would have may have been taken off already.
        let is_there = length > 0 || !self.is_head;
        let mut said = headers.get_all(header::CONTENT_LENGTH).iter();
        let agrees = said.all(|said| number::read(said.as_bytes()) == Some(length));
        (is_there && agrees && length <= self.config.body_bytes_max).then_some(length)
    }
}

fn tag_by_digest(head: &mut response::Parts, content: &[u8], client: &Client) {
    let tag = EntityTag::of_content(head.status, &head.headers, content);
    let coding = match head.headers.contains_key(header::CONTENT_ENCODING) {
        true => Coding::Tagged,
        false => Coding::Plain,
    };
    let given = client.given(tag, coding);
    given.add_vary(&mut head.headers);
    // A map that is full goes without.
    let _ = head.headers.try_insert(header::ETAG, given.tag.to_value());
}

/// Whether a response shows a representation that has no tag yet, and that somebody may keep.
fn is_taggable<B>(response: &Response<B>, is_versioned: bool) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let shows_one = match status {
        // RFC 9110 §15.3.5, §15.3.6: without content.
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => false,
        // §15.3.7: a part has the tag of the whole, which a version knows.
        StatusCode::PARTIAL_CONTENT => is_versioned,
        status => status.is_success() && !headers.contains_key(header::CONTENT_RANGE),
    };
    let names = |directive: &[u8]| {
        let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default();
        list::trim(name).eq_ignore_ascii_case(b"no-store")
    };
    shows_one
        && !headers.contains_key(header::ETAG)
        && !list::members(headers, header::CACHE_CONTROL).any(names)
}

impl<F, B: Body, C> fmt::Debug for EtagFuture<F, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EtagFuture(..)")
    }
}
