//! J30: what keys from the network show of themselves.

use tower_keep::auth::{Admission, JwksKeys, Refreshed};

use super::super::shown::{MARK, Shown};
use super::{Act, Issuer, World, X, json, key, refreshed, set_of};

/// 32 bytes that would be a secret.
const SECRET: &str = "zq7hiddenzq7hiddenzq7hiddenzq7hiddenzq7hidd";

#[tokio::test]
async fn j30_keys_from_the_network_show_neither_a_key_nor_its_id_nor_what_was_received() {
    let mut shown = Shown::default();
    shown.hide_text("key", X);
    shown.hide_text("secret", SECRET);
    let kid = format!("\"kid\":\"{MARK}\"");
    let good = key(MARK);
    for (text, is_good) in [
        (set_of(std::slice::from_ref(&good)), true),
        (set_of(&[good.clone(), format!("{{\"kty\":\"{MARK}\"}}")]), true),
        (set_of(&[good.clone(), good.clone()]), false),
        (
            set_of(&[format!("{{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"{SECRET}\",{kid}}}")]),
            false,
        ),
        (set_of(&[good.replacen('{', &format!("{{\"d\":\"{SECRET}\","), 1)]), false),
        (set_of(&[MARK.to_owned()]), false),
        (format!("{{\"{MARK}\":[]}}"), false),
        (MARK.repeat(60_000), false),
    ] {
        let world =
            World::new(move |_, _| Act::Reply(json(&[("etag", "\"zq7hidden\"")], text.clone())));
        let loaded = world.keys.load().await;
        assert_eq!(loaded.is_ok(), is_good, "{loaded:?}");
        if let Err(error) = loaded {
            shown.show_error(&error);
            shown.show(&error.kind());
        }
        shown.show(&world.keys);
        shown.show(&world.keys.stats());
        let asked = refreshed(world.keys.clone(), MARK.to_owned()).await;
        assert_eq!(matches!(asked, Refreshed::Current(_)), is_good);
        shown.show(&asked);
    }
    // A URL is a place, and what stands in its query may be a credential.
    let issuer = Issuer::new(|_, _| Act::Fail);
    let url = "https://login.test/jwks?key=zq7hidden";
    match JwksKeys::new(url, issuer.clone()) {
        Ok(keys) => {
            let error = keys.load().await.unwrap_err();
            shown.show(&keys);
            shown.show_error(&error);
        }
        Err(error) => shown.show_error(&error),
    }
    for url in [
        "https://zq7hidden@login.test/jwks",
        "https://login.test/zq7 hidden zq7hidden",
        "http://zq7hidden.test/",
    ] {
        shown.show_error(&JwksKeys::new(url, issuer.clone()).unwrap_err());
    }
    shown.show(&JwksKeys::options().admission(Admission::new()));
    shown.nothing_is_shown();
}
