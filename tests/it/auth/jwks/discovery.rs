//! Where the issuer's metadata says that its keys are.

use std::collections::BTreeMap;

use tower_keep::auth::JwksErrorKind;

use super::*;

const ISSUER: &str = "https://login.test/tenant";
const METADATA: &str = "https://login.test/tenant/.well-known/openid-configuration";

fn metadata(issuer: &str, jwks_url: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","scopes":["a"],"jwks_uri":"{jwks_url}"}}"#)
}

/// An issuer that has these texts at these URLs.
fn having(texts: &[(&str, String)]) -> impl Fn(&Request<Body>, usize) -> Act + Send + Sync + use<> {
    let texts: BTreeMap<_, _> =
        texts.iter().map(|(url, text)| (url.to_string(), text.clone())).collect();
    move |request, _| match texts.get(&request.uri().to_string()) {
        Some(text) => Act::Reply(json(&[], text.clone())),
        None => status(404),
    }
}

fn discovering(
    change: impl FnOnce(JwksOptions) -> JwksOptions,
    issuer: &str,
    answer: impl Fn(&Request<Body>, usize) -> Act + Send + Sync + 'static,
) -> World {
    let (client, clock) = (Issuer::new(answer), ManualClock::new());
    let options = change(JwksKeys::options().clock(clock.clone()));
    let keys = options.discover(issuer, client.clone()).unwrap();
    World { issuer: client, clock, keys }
}

fn asked(world: &World) -> Vec<String> {
    world.issuer.seen().iter().map(|request| request.uri.to_string()).collect()
}

#[tokio::test]
async fn keys_are_where_the_metadata_says_on_another_host_too() {
    let texts = [
        (METADATA, metadata(ISSUER, "https://keys.test/k")),
        ("https://keys.test/k", set_of(&[key("a")])),
    ];
    let world = discovering(|options| options, ISSUER, having(&texts));
    world.keys.load().await.unwrap();
    assert_eq!(world.ids().unwrap(), ["a"]);
    assert_eq!(asked(&world), [METADATA, "https://keys.test/k"]);
    // One fetch, for the cooldown.
    assert_eq!(world.keys.stats().fetches, 1);
    // Afterwards the keys alone, for a day.
    world.pass(600).await;
    assert_eq!(asked(&world)[2..], ["https://keys.test/k"]);
}

#[tokio::test]
async fn oauth_metadata_is_before_the_path() {
    let at = "https://login.test/.well-known/oauth-authorization-server/tenant";
    let texts = [(at, metadata(ISSUER, URL)), (URL, set_of(&[key("a")]))];
    let world = discovering(JwksOptions::oauth_metadata, ISSUER, having(&texts));
    world.keys.load().await.unwrap();
    assert_eq!(asked(&world), [at, URL]);
}

#[tokio::test]
async fn k07_metadata_of_another_issuer_is_refused() {
    for other in [
        "https://evil.test",
        "https://login.test/tenant/",
        "https://login.test/other",
        "https://login.test",
        "https://LOGIN.test/tenant",
        "https://login.test:443/tenant",
        "http://login.test/tenant",
        "",
    ] {
        let texts = [(METADATA, metadata(other, URL)), (URL, set_of(&[key("a")]))];
        let world = discovering(|options| options, ISSUER, having(&texts));
        let error = world.keys.load().await.unwrap_err();
        assert_eq!(error.kind(), JwksErrorKind::Issuer, "{other}");
        assert!(world.keys.keys().is_none());
        assert_eq!(asked(&world), [METADATA], "its keys are not asked for");
    }
}

#[tokio::test]
async fn k07_an_issuer_that_changes_its_name_gives_no_keys_and_the_old_set_stays() {
    let texts = [(METADATA, metadata(ISSUER, URL)), (URL, set_of(&[key("a")]))];
    let world = discovering(|options| options, ISSUER, having(&texts));
    world.keys.load().await.unwrap();
    let texts = [(METADATA, metadata("https://evil.test", URL)), (URL, set_of(&[key("b")]))];
    world.issuer.answers(having(&texts));
    world.clock.advance(Duration::from_secs(86_400));
    settle().await;
    world.pass(40).await;
    assert_eq!(world.keys.stats().last_error, Some(JwksErrorKind::Issuer));
    assert_eq!(world.keys.stats().keys, 1);
    assert!(!asked(&world)[2..].contains(&URL.to_owned()), "{:?}", asked(&world));
}

#[tokio::test]
async fn k11_metadata_sends_nobody_to_a_url_that_may_not_be_asked() {
    for wrong in [
        "http://keys.test/k",
        "http://127.0.0.1/k",
        "http://169.254.169.254/latest",
        "https://user@keys.test/k",
        "https://keys.test/k#x",
        "file:///etc/keys",
        "//keys.test/k",
        "k",
        "",
    ] {
        // Also where loopback is allowed: that is for an issuer on this machine.
        let texts = [(METADATA, metadata(ISSUER, wrong))];
        let world = discovering(JwksOptions::http_to_loopback, ISSUER, having(&texts));
        let error = world.keys.load().await.unwrap_err();
        assert_eq!(error.kind(), JwksErrorKind::JwksUrl, "{wrong}");
        assert_eq!(asked(&world), [METADATA]);
    }
    let issuer = "http://127.0.0.1:1/t";
    let at = "http://127.0.0.1:1/t/.well-known/openid-configuration";
    let keys = "http://localhost:2/k";
    let texts = [(at, metadata(issuer, keys)), (keys, set_of(&[key("a")]))];
    let world = discovering(JwksOptions::http_to_loopback, issuer, having(&texts));
    world.keys.load().await.unwrap();
    assert_eq!(asked(&world), [at, keys]);
}

#[tokio::test]
async fn metadata_is_read_again_after_a_failure_and_after_a_day() {
    let texts = [(METADATA, metadata(ISSUER, URL)), (URL, set_of(&[key("a")]))];
    let world = discovering(|options| options, ISSUER, having(&texts));
    world.keys.load().await.unwrap();
    let moved = "https://login.test/moved";
    let texts = [(METADATA, metadata(ISSUER, moved)), (moved, set_of(&[key("b")]))];
    world.issuer.answers(having(&texts));
    world.pass(640).await;
    assert_eq!(world.ids().unwrap(), ["b"]);
    assert_eq!(asked(&world), [METADATA, URL, URL, METADATA, moved]);
    // Without a failure, too.
    let texts = [
        (METADATA, metadata(ISSUER, URL)),
        (moved, set_of(&[key("b")])),
        (URL, set_of(&[key("c")])),
    ];
    world.issuer.answers(having(&texts));
    world.clock.advance(Duration::from_secs(86_400));
    settle().await;
    world.pass(1).await;
    assert_eq!(world.ids().unwrap(), ["c"]);
}

#[tokio::test]
async fn a_validator_is_not_sent_to_another_url() {
    let having_tags = |jwks_url: &'static str| {
        move |request: &Request<Body>, _| match request.uri().to_string().as_str() {
            METADATA => Act::Reply(json(&[], metadata(ISSUER, jwks_url))),
            _ => set_with(&[("etag", "\"1\"")], &["a"]),
        }
    };
    let world = discovering(|options| options, ISSUER, having_tags(URL));
    world.keys.load().await.unwrap();
    world.issuer.answers(having_tags("https://login.test/moved"));
    world.pass(600).await;
    world.clock.advance(Duration::from_secs(86_400));
    settle().await;
    let sent: Vec<_> = world
        .issuer
        .seen()
        .iter()
        .map(|request| request.headers.contains_key("if-none-match"))
        .collect();
    // Metadata, keys, keys again; a day later metadata, and keys elsewhere.
    assert_eq!(sent[..5], [false, false, true, false, false]);
}

#[tokio::test]
async fn metadata_and_keys_have_one_deadline() {
    let texts = [(METADATA, metadata(ISSUER, URL))];
    let answer = having(&texts);
    let world = discovering(
        |options| options,
        ISSUER,
        move |request, call| {
            if request.uri() == URL { Act::Hang } else { answer(request, call) }
        },
    );
    let loading = tokio::spawn({
        let keys = world.keys.clone();
        async move { keys.load().await }
    });
    settle().await;
    world.pass(9).await;
    assert!(!loading.is_finished());
    world.pass(1).await;
    assert_eq!(loading.await.unwrap().unwrap_err().kind(), JwksErrorKind::Deadline);
}

#[tokio::test]
async fn an_issuer_is_a_plain_url_of_https() {
    for wrong in
        ["http://login.test", "https://login.test?x", "https://login.test/#x", "login.test", ""]
    {
        let client = Issuer::new(|_, _| Act::Hang);
        let error = JwksKeys::discover(wrong, client).unwrap_err();
        assert_eq!(error.kind(), JwksErrorKind::Url, "{wrong}");
    }
}
