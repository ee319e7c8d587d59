//! J08, J10: what is a secret.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tower_keep::auth::Algorithm::{Es256, Es384, Hs256, Hs384, Hs512};
use tower_keep::auth::{Key, KeyErrorKind, KeySet};

use super::admission::{SIGNATURE, good, published};
use super::guarded::{Guarded, PASSES, PUBLIC};
use super::tokens::{claims, encoded, header, signers, verifier};

/// CVE-2016-10555: what is public is no secret, in whichever form an attacker takes it for one.
#[test]
fn j08_public_keys_sign_nothing() {
    for of_key in PUBLIC {
        let jwk = signers().jwk(of_key);
        let (guarded, _) = published(std::slice::from_ref(&jwk));
        let part =
            |name: &str| jwk[name].as_str().map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
        let mut secrets: Vec<Vec<u8>> = vec![Vec::new(), jwk.to_string().into_bytes()];
        for name in ["n", "e", "x", "y"] {
            let Some(bytes) = part(name) else { continue };
            secrets.push(jwk[name].as_str().unwrap().into());
            secrets.push(bytes.clone());
            secrets.push([&[0][..], &bytes].concat());
        }
        if let (Some(x), Some(y)) = (part("x"), part("y")) {
            let der = [&P256_SPKI[..], &[4], &x, &y].concat();
            let text = STANDARD.encode(&der);
            for line_end in ["", "\n"] {
                secrets.push(
                    format!(
                        "-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----{line_end}"
                    )
                    .into(),
                );
            }
            secrets.extend([der, [x, y].concat()]);
        }
        for (name, hash) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ] {
            for secret in &secrets {
                for id in [Some(of_key.name()), None] {
                    let header = json!({"alg": name, "typ": "at+jwt", "kid": id});
                    let mut header = header;
                    if id.is_none() {
                        header.as_object_mut().unwrap().remove("kid");
                    }
                    let parts = format!(
                        "{}.{}",
                        encoded(header.to_string()),
                        encoded(claims("alice").to_string())
                    );
                    let mac = hmac::sign(&hmac::Key::new(hash, secret), parts.as_bytes());
                    let token = format!("{parts}.{}", encoded(mac));
                    assert_eq!(guarded.verdict(&token), SIGNATURE, "{name} {of_key}");
                }
            }
        }
    }
}

/// RFC 5480 §2: an EC key on P-256, up to the point.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[test]
fn j08_secrets_and_public_keys_are_in_no_set_together() {
    for public in PUBLIC {
        for both in [[Hs256, public], [public, Hs256]] {
            let mixed = KeySet::from_jwks(&signers().jwks(&both)).unwrap_err();
            assert_eq!(mixed.kind(), KeyErrorKind::Set, "{both:?}");
            let mixed = KeySet::new(both.map(|algorithm| signers().key(algorithm))).unwrap_err();
            assert_eq!(mixed.kind(), KeyErrorKind::Set, "{both:?}");
        }
    }
    // Also where one of them cannot be used.
    let weak = json!({"keys": [{"kty": "oct", "k": "AA", "alg": "HS256"}, signers().jwk(Es256)]});
    assert!(KeySet::from_jwks(weak.to_string().as_bytes()).is_err());
    let secrets = Guarded::of(verifier(), signers().keys(&[Hs256]));
    assert_eq!((secrets.verdict(&good(Hs256)), secrets.verdict(&good(Es256))), (PASSES, SIGNATURE));
}

#[test]
fn j10_a_secret_is_as_long_as_its_hash() {
    for (algorithm, hash, bytes) in [
        (Hs256, hmac::HMAC_SHA256, 32),
        (Hs384, hmac::HMAC_SHA384, 48),
        (Hs512, hmac::HMAC_SHA512, 64),
    ] {
        for (length, is_taken) in
            [(0, false), (1, false), (bytes - 1, false), (bytes, true), (200, true)]
        {
            let secret: Vec<u8> = (0..length).map(|byte| byte as u8 ^ 0x9c).collect();
            let jwk = json!({"kty": "oct", "alg": algorithm.name(), "kid": algorithm.name(), "k": encoded(&secret)});
            let (guarded, left_out) = published(&[jwk]);
            assert_eq!(left_out == 0, is_taken, "{algorithm} {length}");
            let parts = format!(
                "{}.{}",
                encoded(header(algorithm).to_string()),
                encoded(claims("alice").to_string())
            );
            let mac = hmac::sign(&hmac::Key::new(hash, &secret), parts.as_bytes());
            let token = format!("{parts}.{}", encoded(mac));
            assert_eq!(guarded.passes(&token), is_taken, "{algorithm} {length}");
            let kind = Key::secret(algorithm, &secret).err().map(|error| error.kind());
            assert_eq!(kind, (!is_taken).then_some(KeyErrorKind::Weak), "{algorithm} {length}");
            // Not a byte more, not a byte less, and not a bit other.
            for other in
                [&mac.as_ref()[1..], &mac.as_ref()[..bytes - 1], &[mac.as_ref(), &[0]].concat()]
            {
                assert_eq!(guarded.verdict(&format!("{parts}.{}", encoded(other))), SIGNATURE);
            }
        }
    }
}

#[test]
fn j10_a_secret_is_for_hmac_alone() {
    for algorithm in [Es256, Es384, tower_keep::auth::Algorithm::Rs256] {
        let error = Key::secret(algorithm, &[7; 64]).unwrap_err();
        assert_eq!(error.kind(), KeyErrorKind::Algorithm, "{algorithm}");
        let jwk = json!({"kty": "oct", "alg": algorithm.name(), "k": encoded([7; 64])});
        assert_eq!(published(&[jwk]).1, 1, "{algorithm}");
    }
    let without = json!({"kty": "oct", "k": encoded([7; 64])});
    assert_eq!(published(&[without]).1, 1, "a secret says of which hash it is");
}
