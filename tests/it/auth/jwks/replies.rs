//! Which replies are taken for a key set.

use std::sync::atomic::{AtomicUsize, Ordering};

use http_body::{Body as _, Frame};
use tower_keep::auth::JwksErrorKind;

use super::*;

/// A reply to the second question, by name, and what is said of it.
async fn refuses(name: &str, expected: JwksErrorKind, reply: impl Fn() -> Response<Body>) {
    let reply = Mutex::new(Some(reply()));
    let world = World::loaded(|options| options, |_, _| set(&["old"])).await;
    world.issuer.answers(move |_, _| Act::Reply(reply.lock().unwrap().take().unwrap()));
    world.pass(30).await;
    assert!(retry_after(&world.refreshed("new").await) > 0, "{name}");
    assert_eq!(world.ids().unwrap(), ["old"], "{name}: the old set stays");
    let stats = world.keys.stats();
    assert_eq!(stats.last_error, Some(expected), "{name}");
    assert_eq!((stats.failures, stats.refused, stats.keys), (1, 1, 1), "{name}");
    assert_eq!(world.issuer.calls(), 2, "{name}: nothing else is asked");
}

/// The same to the first question: then there are no keys.
async fn refuses_set(name: &str, expected: JwksErrorKind, keys: &[String]) {
    refuses(name, expected, || json(&[], set_of(keys))).await;
    let text = set_of(keys);
    let world = World::new(move |_, _| Act::Reply(json(&[], text.clone())));
    assert_eq!(world.keys.load().await.unwrap_err().kind(), expected, "{name}");
    assert!(world.keys.keys().is_none(), "{name}");
}

#[tokio::test]
async fn k06_a_redirect_is_not_followed_wherever_it_leads() {
    for status in [301, 302, 303, 307, 308] {
        for location in ["https://evil.test/jwks", "https://login.test/other", "/jwks", ""] {
            refuses(location, JwksErrorKind::Status, || {
                let response = Response::builder().status(status).header("location", location);
                let response = response.header("content-type", "application/json");
                response.body(set_of(&[key("new")]).into()).unwrap()
            })
            .await;
        }
    }
}

#[tokio::test]
async fn k06_only_json_by_its_type_is_read() {
    for content_type in ["text/html", "text/html; charset=utf-8", "text/plain", ""] {
        refuses(content_type, JwksErrorKind::ContentType, || {
            let response = Response::builder().header("content-type", content_type);
            response.body(set_of(&[key("new")]).into()).unwrap()
        })
        .await;
    }
    refuses("none", JwksErrorKind::ContentType, || Response::new(set_of(&[key("new")]).into()))
        .await;
    refuses("coded", JwksErrorKind::ContentType, || {
        json(&[("content-encoding", "gzip")], set_of(&[key("new")]))
    })
    .await;
}

#[tokio::test]
async fn k06_jwk_set_json_is_a_type_too() {
    let world = World::new(|_, _| {
        let response = Response::builder().header("content-type", "application/jwk-set+json");
        Act::Reply(response.body(set_of(&[key("a")]).into()).unwrap())
    });
    world.keys.load().await.unwrap();
    assert_eq!(world.ids().unwrap(), ["a"]);
}

/// A body of frames of 64 KiB that tells how many were asked for, and does not tell its length.
struct Long {
    frames: usize,
    made: Arc<AtomicUsize>,
}

impl http_body::Body for Long {
    type Data = bytes::Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<bytes::Bytes>>>> {
        let Some(left) = self.frames.checked_sub(1) else { return Poll::Ready(None) };
        self.frames = left;
        self.made.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(vec![b' '; 64 << 10].into()))))
    }
}

#[tokio::test]
async fn k06_five_megabytes_are_not_read_to_their_end() {
    let made = Arc::new(AtomicUsize::new(0));
    refuses("unknown length", JwksErrorKind::TooLarge, || {
        json(&[], Body::new(Long { frames: 80, made: made.clone() }))
    })
    .await;
    assert_eq!(made.swap(0, Ordering::Relaxed), 5);
    refuses("known length", JwksErrorKind::TooLarge, || {
        json(&[("content-length", "5242880")], Body::new(Long { frames: 80, made: made.clone() }))
    })
    .await;
    assert_eq!(made.load(Ordering::Relaxed), 0, "its head is enough");
}

#[tokio::test]
async fn k06_256_kib_are_read_and_not_a_byte_more() {
    let padded = |bytes: usize| {
        let text = set_of(&[key("new")]);
        text.clone() + &" ".repeat(bytes - text.len())
    };
    refuses("one more", JwksErrorKind::TooLarge, || {
        let body = Body::from(padded((256 << 10) + 1));
        json(&[], Body::new(http_body_util::BodyExt::boxed_unsync(body)))
    })
    .await;
    let world = World::new(move |_, _| {
        let body = Body::from(padded(256 << 10));
        assert_eq!(body.size_hint().exact(), Some(256 << 10));
        Act::Reply(json(&[], body))
    });
    world.keys.load().await.unwrap();
}

#[tokio::test]
async fn k06_more_than_a_hundred_keys_refuse_the_set() {
    let keys = |count| (0..count).map(|number| key(&number.to_string())).collect::<Vec<_>>();
    refuses_set("101", JwksErrorKind::TooManyKeys, &keys(101)).await;
    // So do those that cannot be used.
    refuses_set("10,000", JwksErrorKind::TooManyKeys, &vec!["{}".to_owned(); 10_000]).await;
    let hundred = keys(100);
    let world = World::new(move |_, _| Act::Reply(json(&[], set_of(&hundred))));
    world.keys.load().await.unwrap();
    assert_eq!(world.keys.stats().keys, 100);
}

#[tokio::test]
async fn k06_one_id_twice_refuses_the_set() {
    let twice = JwksErrorKind::DuplicateKeyId;
    refuses_set("two", twice, &[key("new"), key("other"), key("new")]).await;
    let unusable = r#"{"kty":"XYZ","kid":"new"}"#.to_owned();
    refuses_set("one unusable", twice, &[key("new"), unusable.clone()]).await;
    refuses_set("both unusable", twice, &[unusable.clone(), unusable]).await;
    let escaped = key("n\\u0065w");
    refuses_set("in two spellings", twice, &[key("new"), escaped]).await;
}

#[tokio::test]
async fn k06_secret_and_private_keys_refuse_the_set() {
    let secret = r#"{"kty":"oct","kid":"s","alg":"HS256","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;
    let mut sets = vec![("only secrets", vec![secret.to_owned()])];
    sets.push(("a secret", vec![key("new"), secret.to_owned()]));
    sets.push(("a malformed secret", vec![key("new"), r#"{"kty":"oct"}"#.to_owned()]));
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        let private = key("p").replace("\"crv\"", &format!("\"{name}\":\"AA\",\"crv\""));
        sets.push((name, vec![key("new"), private]));
        sets.push((name, vec![key("new"), format!(r#"{{"kty":"XYZ","{name}":"AA"}}"#)]));
    }
    for (name, keys) in sets {
        refuses_set(name, JwksErrorKind::SecretKey, &keys).await;
    }
}

#[tokio::test]
async fn k06_keys_that_cannot_be_used_are_left_out() {
    let unusable = [
        r#"{"kty":"XYZ","kid":"1"}"#,
        r#"{"kid":"2"}"#,
        r#"{"kty":7,"kid":"3"}"#,
        r#"{"kty":"OKP","crv":"Ed448","kid":"4","x":"AA"}"#,
        r#"{"kty":"EC","crv":"secp256k1","kid":"5","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","alg":"XY1","kid":"6","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","use":"enc","kid":"7","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","kid":8,"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","kid":"9","x":"AA"}"#,
        "{}",
    ];
    let mut keys: Vec<_> = unusable.iter().map(ToString::to_string).collect();
    keys.insert(3, key("a"));
    let world = World::new(move |_, _| Act::Reply(json(&[], set_of(&keys))));
    world.keys.load().await.unwrap();
    assert_eq!(world.ids().unwrap(), ["a"]);
    let stats = world.keys.stats();
    assert_eq!((stats.keys, stats.left_out, stats.failures), (1, 10, 0));
}

#[tokio::test]
async fn k06_what_is_no_set_is_refused() {
    let key = key("a");
    for text in [
        String::new(),
        "<html></html>".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        key.clone(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":[7]}"#.to_owned(),
        format!(r#"{{"keys":[{key}],"keys":[]}}"#),
        format!(r#"{{"keys":[{key}]}} x"#),
        format!("\u{feff}{{\"keys\":[{key}]}}"),
        format!(r#"{{"keys":[{}]}}"#, key.replace("\"kty\"", "\"kty\":\"EC\",\"kty\"")),
        format!(r#"{{"keys":{}"#, "[".repeat(10_000)),
    ] {
        refuses(&text, JwksErrorKind::Malformed, || json(&[], text.clone())).await;
    }
}

#[tokio::test]
async fn what_is_asked_is_a_plain_get_of_the_url() {
    let world = World::new(|_, _| set(&["a"]));
    world.keys.load().await.unwrap();
    let [request] = &world.issuer.seen()[..] else { panic!() };
    assert_eq!((request.method.as_str(), request.uri.to_string().as_str()), ("GET", URL));
    assert_eq!(request.headers["accept"], "application/jwk-set+json, application/json");
    assert_eq!(request.headers["accept-encoding"], "identity");
    assert_eq!(request.headers.len(), 3);
}

#[tokio::test]
async fn nothing_shows_what_keys_are_made_of() {
    let world = World::new(|_, _| set(&["a-key-id"]));
    world.keys.load().await.unwrap();
    let answer = world.refreshed("a-key-id").await;
    let (other, client) = (JwksKeys::options(), world.issuer.clone());
    let with_query = other.clone().at("https://login.test/jwks?key=hidden", client).unwrap();
    let secret = set_of(&[key("a-key-id"), key("a-key-id")]);
    let broken = World::new(move |_, _| Act::Reply(json(&[], secret.clone())));
    let error = broken.keys.load().await.unwrap_err();
    let shown = format!(
        "{:?} {answer:?} {:?} {other:?} {with_query:?} {error:?} {error}",
        world.keys,
        world.keys.stats()
    );
    for hidden in ["a-key-id", X, "hidden"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    assert!(shown.contains("https://login.test/jwks"), "{shown}");
}
