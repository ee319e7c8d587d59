//! Every transition, as a table: where a transaction stands, what happens, what it does next.

use bytes::Bytes;
use http::{Extensions, HeaderName, HeaderValue, Method};

mod joining;

use super::*;
use crate::cache::flight::Failure;
use crate::cache::hint::{PolicyHint, PolicyHints};
use crate::cache::key::Generation;
use crate::cache::mark::{Mark, Position};
use crate::cache::place::KeyStart;
use crate::fields::survey::Survey;
use crate::fields::vary::VaryList;
use crate::head::RequestHead;
use crate::rules::policy::Class;
use crate::rules::request::Eligibility;
use crate::rules::storable::Storable;
use crate::time::{Ticks, Timestamp};

use Event::{
    Answered, AnsweredByAnotherCore, AnsweredByAnotherWay, AnsweredPrivately, Failed, Indexed,
    Kept, Lost, Nothing, Rooted, ValidatedByAnotherWay,
};

/// What happens to a transaction.
enum Event {
    /// The store has nothing under the key.
    Nothing,
    /// A response with these fields, stored when the test began.
    Kept(&'static [(&'static str, &'static str)]),
    /// The same, but purged in this way since.
    Purged(Standing, &'static [(&'static str, &'static str)]),
    /// An index of variants by `accept`.
    Indexed,
    /// The root of the divisions.
    Rooted,
    /// The store failed.
    Lost,
    /// The inner service answered.
    Answered(u16, &'static [(&'static str, &'static str)]),
    /// The inner service answered through a private clone of the layer.
    AnsweredPrivately,
    /// ... through a clone that tells requests apart in another way.
    AnsweredByAnotherWay,
    /// The same, with a 304.
    ValidatedByAnotherWay,
    /// ... through a clone of another layer.
    AnsweredByAnotherCore,
    /// The inner service returned an error.
    Failed,
    /// It is the first of those who want the same.
    Led,
    /// What another request fetched arrived: stored when the test began, with these fields.
    Arrived(&'static [(&'static str, &'static str)]),
    /// ... and this request came when it was there already.
    CameLater(&'static [(&'static str, &'static str)]),
    /// ... but it was purged before this request came.
    ArrivedPurged(&'static [(&'static str, &'static str)]),
    /// ... but it was selected by other values than this request has.
    ArrivedForOthers,
    /// Nobody else may use what came.
    Released,
    /// What others waited for failed: may it be served stale?
    Waited(Failure),
    /// It failed twice.
    Grounded(Failure),
    /// What is stored cannot be refreshed in the background.
    InTheForeground,
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    method: &'static str,
    request: &'static [(&'static str, &'static str)],
    is_divided: bool,
    collapses: bool,
    /// Each event, and the command that answers it.
    steps: &'static [(Event, &'static str)],
}

const FRESH: &[(&str, &str)] = &[("cache-control", "max-age=60")];
const OLD: &[(&str, &str)] = &[("cache-control", "max-age=60"), ("age", "61"), ("etag", "\"a\"")];
const OLD_BARE: &[(&str, &str)] =
    &[("cache-control", "max-age=60, stale-if-error=9"), ("age", "61")];
const OLD_KEPT: &[(&str, &str)] =
    &[("cache-control", "max-age=60, stale-if-error=9"), ("age", "61"), ("etag", "\"a\"")];
const FRESH_KEPT: &[(&str, &str)] =
    &[("cache-control", "max-age=60, stale-if-error=9"), ("etag", "\"a\"")];
const NO_STORE: &[(&str, &str)] = &[("cache-control", "no-store")];

const fn case(name: &'static str, steps: &'static [(Event, &'static str)]) -> Case {
    Case { name, method: "GET", request: &[], is_divided: false, collapses: false, steps }
}

const fn head(name: &'static str, steps: &'static [(Event, &'static str)]) -> Case {
    Case { method: "HEAD", ..case(name, steps) }
}

const fn divided(name: &'static str, steps: &'static [(Event, &'static str)]) -> Case {
    Case { is_divided: true, ..case(name, steps) }
}

const fn asking(
    name: &'static str,
    request: &'static [(&'static str, &'static str)],
    steps: &'static [(Event, &'static str)],
) -> Case {
    Case { request, ..case(name, steps) }
}

const CASES: &[Case] = &[
    case("miss, stored", &[(Nothing, "call as it came"), (Answered(200, FRESH), "relay stored")]),
    case("miss, not stored", &[(Nothing, "call as it came"), (Answered(200, &[]), "relay")]),
    case("miss, inner error", &[(Nothing, "call as it came"), (Failed, "relay")]),
    case("store failed", &[(Lost, "call as it came"), (Answered(200, FRESH), "relay")]),
    case("hit", &[(Kept(FRESH), "serve")]),
    case("a root where a response should be", &[(Rooted, "call as it came")]),
    case("variant", &[(Indexed, "get"), (Kept(FRESH), "serve")]),
    case("variant missing", &[(Indexed, "get"), (Nothing, "call as it came")]),
    case("an index where a variant should be", &[(Indexed, "get"), (Indexed, "call as it came")]),
    divided("division", &[(Rooted, "get"), (Kept(FRESH), "serve")]),
    divided("no root", &[(Nothing, "call as it came"), (Answered(200, FRESH), "relay stored")]),
    divided("a response where the root should be", &[(Kept(FRESH), "call as it came")]),
    divided("division with variants", &[(Rooted, "get"), (Indexed, "get"), (Kept(FRESH), "serve")]),
    case(
        "gone",
        &[
            (Event::Purged(Standing::Gone, FRESH), "call as it came"),
            (Answered(200, FRESH), "relay stored"),
        ],
    ),
    case(
        "a variant that is gone",
        &[(Indexed, "get"), (Event::Purged(Standing::Gone, FRESH), "call as it came")],
    ),
    case(
        "purged softly",
        &[
            (Event::Purged(Standing::Soft, FRESH_KEPT), "call conditional"),
            (Answered(304, FRESH), "freshen"),
        ],
    ),
    case(
        "purged softly, and the service fails",
        &[(Event::Purged(Standing::Soft, FRESH_KEPT), "call conditional"), (Failed, "serve")],
    ),
    case(
        "unknown, and the service fails",
        &[(Event::Purged(Standing::Unknown, FRESH_KEPT), "call conditional"), (Failed, "relay")],
    ),
    case("validated", &[(Kept(OLD), "call conditional"), (Answered(304, FRESH), "freshen")]),
    case(
        "validated, no longer storable",
        &[(Kept(OLD), "call conditional"), (Answered(304, NO_STORE), "drop")],
    ),
    case("replaced", &[(Kept(OLD), "call conditional"), (Answered(200, FRESH), "relay stored")]),
    case(
        "replaced by what is not stored",
        &[(Kept(OLD), "call conditional"), (Answered(200, NO_STORE), "drop")],
    ),
    case("replaced by nothing", &[(Kept(OLD), "call conditional"), (Answered(404, &[]), "drop")]),
    case(
        "a fault of this request",
        &[(Kept(OLD), "call conditional"), (Answered(400, &[]), "relay")],
    ),
    case(
        "another's 304",
        &[
            (Kept(OLD), "call conditional"),
            (Answered(304, &[("etag", "\"b\"")]), "call unconditional"),
            (Answered(200, FRESH), "relay stored"),
        ],
    ),
    case(
        "another's 304, twice",
        &[
            (Kept(OLD), "call conditional"),
            (Answered(304, &[("etag", "\"b\"")]), "call unconditional"),
            (Answered(304, &[("etag", "\"b\"")]), "relay"),
        ],
    ),
    case(
        "another's 304, then a failure",
        &[
            (Kept(OLD_KEPT), "call conditional"),
            (Answered(304, &[("etag", "\"b\"")]), "call unconditional"),
            (Answered(503, &[]), "serve"),
        ],
    ),
    case(
        "stale, nothing to validate by",
        &[(Kept(OLD_BARE), "call as it came"), (Answered(200, FRESH), "relay stored")],
    ),
    case(
        "a 304 to the client's own condition",
        &[(Kept(OLD_BARE), "call as it came"), (Answered(304, &[]), "relay")],
    ),
    case("stale if error", &[(Kept(OLD_KEPT), "call conditional"), (Answered(503, &[]), "serve")]),
    case("stale on an inner error", &[(Kept(OLD_KEPT), "call conditional"), (Failed, "serve")]),
    case(
        "an error and no leave",
        &[(Kept(OLD), "call conditional"), (Answered(503, &[]), "relay")],
    ),
    case("an inner error and no leave", &[(Kept(OLD), "call conditional"), (Failed, "relay")]),
    asking(
        "a request that wants an answer now",
        &[("cache-control", "only-if-cached")],
        &[(Nothing, "refuse")],
    ),
    asking(
        "nothing fit, only if cached",
        &[("cache-control", "only-if-cached")],
        &[(Kept(OLD), "refuse")],
    ),
    asking(
        "no-cache replaced, what others get stays",
        &[("cache-control", "no-cache")],
        &[(Kept(FRESH), "call as it came"), (Answered(200, NO_STORE), "relay")],
    ),
    asking(
        "no-store request",
        &[("cache-control", "no-store")],
        &[(Nothing, "call as it came"), (Answered(200, FRESH), "relay")],
    ),
    head("HEAD from GET", &[(Kept(FRESH), "serve")]),
    head("HEAD never fills", &[(Nothing, "call as it came"), (Answered(200, FRESH), "relay")]),
    head(
        "HEAD freshens",
        &[
            (Kept(OLD), "call conditional"),
            (Answered(200, &[("cache-control", "max-age=9"), ("etag", "\"a\"")]), "freshen"),
        ],
    ),
    head(
        "HEAD tells of another",
        &[
            (Kept(OLD), "call conditional"),
            (Answered(200, &[("cache-control", "max-age=9"), ("etag", "\"b\"")]), "drop"),
        ],
    ),
    case(
        "a clone further in that divides more",
        &[(Nothing, "call as it came"), (AnsweredByAnotherWay, "relay")],
    ),
    case(
        "a 304 through a clone further in that divides more",
        &[
            (Kept(OLD), "call conditional"),
            (ValidatedByAnotherWay, "call unconditional"),
            (AnsweredByAnotherWay, "drop"),
        ],
    ),
    case(
        "another cache further in",
        &[(Nothing, "call as it came"), (AnsweredByAnotherCore, "relay stored")],
    ),
    case(
        "a private clone further in",
        &[(Nothing, "call as it came"), (AnsweredPrivately, "relay")],
    ),
];

#[test]
fn every_transition_is_as_the_table_says() {
    for case in CASES.iter().chain(joining::CASES) {
        let (mut transaction, facts) = begin(case);
        assert_eq!(name(&transaction.start()), "get", "{}", case.name);
        for (at, (event, expected)) in case.steps.iter().enumerate() {
            let command = happen(&mut transaction, &facts, event);
            assert_eq!(name(&command), *expected, "{}, step {at}", case.name);
        }
    }
}

fn begin(case: &Case) -> (Transaction, RequestFacts) {
    let (uri, extensions) = ("/a".parse().unwrap(), Extensions::new());
    let headers = fields(case.request);
    let method: Method = case.method.parse().unwrap();
    let head =
        RequestHead { method: &method, uri: &uri, headers: &headers, extensions: &extensions };
    let policy = CachePolicy::shared();
    let Eligibility::Lookup(demand) = policy.eligible(head, &Survey::of(head.headers), false)
    else {
        panic!("{}", case.name)
    };
    let division = case.is_divided.then(|| Bytes::from_static(b"division"));
    let place = Place::new(&KeyStart::new("", "http"), b"a.test", &[], "/a", division);
    let facts = RequestFacts { demand, headers, spread: 0 };
    let setting = Setting {
        policy: Arc::new(policy),
        secret: Secret::new([7; 16]),
        core: CORE,
        telling: by(""),
        collapses: case.collapses,
        serves_meanwhile: true,
        spread: 0,
    };
    (Transaction::new(setting, place, demand), facts)
}

fn happen(transaction: &mut Transaction, facts: &RequestFacts, event: &Event) -> Command {
    let mut extensions = Extensions::new();
    let (status, headers) = match event {
        Nothing => return transaction.found(&facts.headers, None, Standing::Good, NOW),
        Lost => return transaction.lost(),
        Failed => return transaction.failed(NOW),
        Event::Led => return transaction.led(),
        Event::Arrived(fields) => {
            return arrived(transaction, facts, &landing(fields), true, Standing::Good);
        }
        Event::CameLater(fields) => {
            return arrived(transaction, facts, &landing(fields), false, Standing::Good);
        }
        Event::ArrivedPurged(fields) => {
            return arrived(transaction, facts, &landing(fields), true, Standing::Gone);
        }
        Event::ArrivedForOthers => {
            let landing = Landing { vary: accept(), ..landing(FRESH) };
            return arrived(transaction, facts, &landing, true, Standing::Good);
        }
        Event::Released => return transaction.released(),
        Event::Waited(failure) => {
            let instead = transaction.stale_instead(*failure, NOW);
            return instead.unwrap_or_else(|| transaction.led());
        }
        Event::Grounded(failure) => return transaction.grounded(*failure, NOW),
        Event::InTheForeground => {
            let Transaction { setting, place, .. } = transaction;
            let (setting, place) = (setting.clone(), place.clone());
            *transaction = Transaction::without_meanwhile(setting, place, facts.demand);
            return transaction.start();
        }
        Rooted => return found(transaction, facts, Stored::Root(Arc::new(Generation([1; 16])))),
        Indexed => {
            let index = Index::new(Generation([2; 16]), accept());
            return found(transaction, facts, Stored::Index(Arc::new(index)));
        }
        Kept(fields) => return found(transaction, facts, stored(fields)),
        Event::Purged(standing, fields) => {
            return purged(transaction, facts, stored(fields), *standing);
        }
        Answered(status, headers) => (*status, fields(headers)),
        AnsweredPrivately => {
            let policy = CachePolicy { class: Class::Private, ..CachePolicy::shared() };
            extensions.insert(hinted(CORE, "", policy));
            (200, fields(FRESH))
        }
        AnsweredByAnotherWay => {
            extensions.insert(hinted(CORE, "other", CachePolicy::shared()));
            (200, fields(FRESH))
        }
        ValidatedByAnotherWay => {
            extensions.insert(hinted(CORE, "other", CachePolicy::shared()));
            (304, fields(FRESH))
        }
        AnsweredByAnotherCore => {
            extensions.insert(hinted(CORE + 1, "other", CachePolicy::shared()));
            (200, fields(FRESH))
        }
    };
    let status = StatusCode::from_u16(status).unwrap();
    let answer = ResponseHead { status, headers: &headers, extensions: &extensions };
    transaction.answered(facts, answer, AT)
}

/// What a leader brings, with these fields.
fn landing(fields: &[(&'static str, &str)]) -> Landing {
    let Stored::Response(stored) = stored(fields) else { panic!("{fields:?}") };
    let (_, facts) = begin(&case("the leader", &[]));
    let values =
        begin(&case("the leader", &[])).0.selector().values(&stored.meta.vary, &facts.headers);
    let vary = stored.meta.vary.clone();
    let what = What::Coming { meta: Box::new(stored.meta.copied()), length: None, trailer: None };
    Landing { vary, values, is_new: true, left_out: Arc::default(), what }
}

fn arrived(
    transaction: &mut Transaction,
    facts: &RequestFacts,
    landing: &Landing,
    has_waited: bool,
    standing: Standing,
) -> Command {
    transaction.arrived(facts, landing, has_waited, standing, NOW)
}

fn found(transaction: &mut Transaction, facts: &RequestFacts, what: Stored) -> Command {
    purged(transaction, facts, what, Standing::Good)
}

fn purged(
    transaction: &mut Transaction,
    facts: &RequestFacts,
    what: Stored,
    standing: Standing,
) -> Command {
    transaction.found(&facts.headers, Some(Entry(what)), standing, NOW)
}

/// A response with these fields, as the rules would have stored it.
fn stored(response: &[(&'static str, &str)]) -> Stored {
    let (headers, extensions) = (fields(response), Extensions::new());
    let answer =
        ResponseHead { status: StatusCode::OK, headers: &headers, extensions: &extensions };
    let (_, facts) = begin(&case("stored before", &[]));
    let Storable::Yes(kept) = CachePolicy::shared().storable(&facts, answer, AT) else {
        panic!("{response:?}")
    };
    let body = Bytes::from_static(b"body");
    Stored::Response(Arc::new(StoredResponse { meta: kept.meta, body, trailers: None }))
}

fn hinted(core: u64, scope: &str, policy: CachePolicy) -> PolicyHints {
    PolicyHints(vec![PolicyHint { core, telling: by(scope), policy: Arc::new(policy) }])
}

fn by(scope: &str) -> Arc<Telling> {
    let mut telling = Telling::new();
    telling.scope = scope.into();
    Arc::new(telling)
}

fn accept() -> VaryList {
    match crate::fields::vary::Vary::read(&fields(&[("vary", "accept")])) {
        crate::fields::vary::Vary::Names(list) => list,
        other => panic!("{other:?}"),
    }
}

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Get(_) => "get",
        Command::Call(Inward::AsItCame) => "call as it came",
        Command::Call(Inward::Conditional(_)) => "call conditional",
        Command::Call(Inward::Unconditional) => "call unconditional",
        Command::Join => "join",
        Command::Meanwhile(_) => "serve and refresh",
        Command::Follow(_) => "follow",
        Command::BackOff(_) => "back off",
        Command::Serve(_) => "serve",
        Command::Freshen(..) => "freshen",
        Command::Drop(_) => "drop",
        Command::Relay(Relay { filing: Some(_), .. }) => "relay stored",
        Command::Relay(_) => "relay",
        Command::Refuse(_) => "refuse",
    }
}

const CORE: u64 = 1;
const NOW: Moment =
    Moment { wall: Timestamp::from_secs(1_600_000_000), ticks: Ticks::from_nanos(1) };
const AT: Exchange = Exchange {
    began: Position { ledger: 1, mark: Mark::new(0) },
    request_time: NOW,
    response_time: NOW,
};
