mod points;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use Algorithm::{EdDsa, Es256, Hs256, Hs384, Hs512, Ps256, Rs256};

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn kind<T>(result: Result<T, KeyError>) -> Option<KeyErrorKind> {
    result.err().map(|error| error.kind())
}

const STRICT: fn() -> Admission = Admission::new;

fn rsa(modulus: &[u8], exponent: &[u8], admission: Admission) -> Option<KeyErrorKind> {
    kind(Key::rsa(Rs256, modulus, exponent, admission))
}

/// Of so many bits, all of them set.
fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    modulus
}

#[test]
fn j07_each_kind_of_material_is_for_its_own_algorithms() {
    let wrong = Some(KeyErrorKind::Algorithm);
    for algorithm in [Rs256, Es256, EdDsa] {
        assert_eq!(kind(Key::secret(algorithm, &[7; 64])), wrong);
    }
    for algorithm in [Hs256, Es256, EdDsa] {
        assert_eq!(kind(Key::rsa(algorithm, &modulus(2048), &[1, 0, 1], STRICT())), wrong);
    }
    for algorithm in [Hs256, Rs256, EdDsa] {
        assert_eq!(kind(Key::ec(algorithm, &[7; 32], &[7; 32])), wrong);
    }
}

#[test]
fn j08_what_is_public_is_no_secret() {
    let pem = samples::RSA_PEM.as_bytes();
    assert_eq!(kind(Key::secret(Hs256, pem)), Some(KeyErrorKind::Format));
    let pair = samples::rsa_pair();
    let der = aws_lc_rs::encoding::AsDer::as_der(pair.public_key()).unwrap();
    assert_eq!(kind(Key::secret(Hs256, der.as_ref())), Some(KeyErrorKind::Format));
    // One bit of it less, and it is what it is: bytes.
    assert_eq!(kind(Key::secret(Hs256, &der.as_ref()[1..])), None);
}

#[test]
fn j09_an_rsa_key_has_2048_to_8192_bits() {
    let weak = Some(KeyErrorKind::Weak);
    for (bits, expected) in
        [(8, weak), (1024, weak), (2047, weak), (2048, None), (8192, None), (8193, weak)]
    {
        assert_eq!(rsa(&modulus(bits), &[1, 0, 1], STRICT()), expected, "{bits}");
    }
}

#[test]
fn j09_an_rsa_modulus_or_exponent_has_no_leading_zeros_and_is_there() {
    let malformed = Some(KeyErrorKind::Malformed);
    let modulus = modulus(2048);
    let padded = [&[0], &*modulus].concat();
    assert_eq!(rsa(&padded, &[1, 0, 1], STRICT()), malformed);
    assert_eq!(rsa(&modulus, &[0, 1, 0, 1], STRICT()), malformed);
    assert_eq!(rsa(&[], &[1, 0, 1], STRICT()), malformed);
    assert_eq!(rsa(&modulus, &[], STRICT()), malformed);
}

#[test]
fn j09_an_even_rsa_modulus_is_refused() {
    let mut modulus = modulus(2048);
    modulus[255] = 0xfe;
    assert_eq!(rsa(&modulus, &[1, 0, 1], STRICT()), Some(KeyErrorKind::Weak));
}

#[test]
fn j09_the_exponent_is_65537_unless_others_are_granted() {
    let (modulus, weak) = (modulus(2048), Some(KeyErrorKind::Weak));
    let granted = Admission::new().any_rsa_exponent();
    for (exponent, otherwise) in [
        (&[1, 0, 1][..], None),
        (&[3], None),
        (&[17], None),
        (&[1, 0, 0, 0, 1], None),
        (&[1, 0xff, 0xff, 0xff, 0xff], None),
        // Not odd, 1, of 34 bits, and so long that it wraps round to 3.
        (&[1, 0, 0], weak),
        (&[2], weak),
        (&[1], weak),
        (&[2, 0, 0, 0, 1], weak),
        (&[1, 0, 0, 0, 0, 0, 0, 0, 3], weak),
    ] {
        let by_default = if exponent == [1, 0, 1] { None } else { weak };
        assert_eq!(rsa(&modulus, exponent, STRICT()), by_default, "{exponent:?}");
        assert_eq!(rsa(&modulus, exponent, granted), otherwise, "{exponent:?}");
    }
}

#[test]
fn j09_a_granted_exponent_verifies() {
    for [modulus, exponent, signature] in [OF_EXPONENT_THREE, OF_EXPONENT_F5] {
        let granted = Admission::new().any_rsa_exponent();
        let key = Key::rsa(Rs256, &decoded(modulus), &decoded(exponent), granted).unwrap();
        assert!(key.has_signed(b"message", &decoded(signature)), "{exponent}");
        assert!(!key.has_signed(b"massage", &decoded(signature)), "{exponent}");
    }
}

#[test]
fn j09_a_modulus_of_the_broken_generator_is_refused() {
    assert_eq!(rsa(&decoded(ROCA), &[1, 0, 1], STRICT()), Some(KeyErrorKind::Weak));
    // Of which some other of its size is not.
    let modulus = samples::rsa_modulus();
    assert_eq!(rsa(&modulus, &[1, 0, 1], STRICT()), None);
}

#[test]
fn j10_a_secret_is_at_least_as_long_as_the_hash() {
    for (algorithm, bytes) in [(Hs256, 32), (Hs384, 48), (Hs512, 64)] {
        let secret = vec![7; 200];
        assert_eq!(kind(Key::secret(algorithm, &secret[..bytes])), None);
        assert_eq!(kind(Key::secret(algorithm, &secret)), None);
        for too_short in [0, 1, bytes - 1] {
            let refused = kind(Key::secret(algorithm, &secret[..too_short]));
            assert_eq!(refused, Some(KeyErrorKind::Weak), "{algorithm} {too_short}");
        }
    }
}

#[test]
fn j10_a_secret_of_printable_text_looks_like_a_pass_phrase() {
    let looks = |secret: &[u8]| Key::secret(Hs256, secret).unwrap().looks_like_a_pass_phrase();
    assert!(looks(b"a pass phrase that is long enough"));
    assert!(looks(b"one that ends as a file does, so:\r\n"));
    assert!(looks("h\u{e9}l\u{e8}ne et ses quarante-deux oursons".as_bytes()));
    // Digits that were not decoded.
    assert!(looks(b"00112233445566778899aabbccddeeff"));
    assert!(!looks(&[7; 32]), "control characters");
    assert!(!looks(b"no text, since a byte is of none:\xff"));
    assert!(!looks(b"no text, since a byte is of none:\x7f"));
    assert!(!Key::ed25519(&decoded(ED25519)).unwrap().looks_like_a_pass_phrase());
}

/// The other point of the same x.
fn other_point() -> serde_json::Value {
    let mut jwk = samples::p256();
    jwk["y"] = "VwEC1Arq3mnfJQMLwY8XsNsL8PB9tVQexgNIkQT1tiE".into();
    jwk
}

#[test]
fn j28_a_key_is_the_same_by_id_algorithm_and_material() {
    let modulus = samples::rsa_modulus();
    let rsa = |algorithm| Key::rsa(algorithm, &modulus, &[1, 0, 1], STRICT()).unwrap();
    let granted = Admission::new().any_rsa_exponent();
    let json = |jwk: serde_json::Value| Key::from_jwk(jwk.to_string().as_bytes()).unwrap();
    let secret = |algorithm, byte| Key::secret(algorithm, &[byte; 64]).unwrap();
    let keys = [
        rsa(Rs256),
        rsa(Ps256),
        rsa(Rs256).with_id(""),
        rsa(Rs256).with_id("a"),
        rsa(Rs256).with_id("b"),
        secret(Hs256, 1),
        secret(Hs512, 1),
        secret(Hs256, 2),
        secret(Hs256, 2).with_id("a"),
        Key::rsa(Rs256, &modulus, &[3], granted).unwrap(),
        Key::rsa(Rs256, &[0xff; 256], &[1, 0, 1], STRICT()).unwrap(),
        Key::ed25519(&decoded(ED25519)).unwrap(),
        Key::ed25519(&[7; 32]).unwrap(),
        json(samples::p256()),
        json(other_point()),
    ];
    for (at, key) in keys.iter().enumerate() {
        for (other_at, other) in keys.iter().enumerate() {
            assert_eq!(key == other, at == other_at, "{at} {other_at}");
        }
        assert_eq!(*key, key.clone());
    }
    assert_eq!(rsa(Rs256), rsa(Rs256));
    assert_eq!(secret(Hs256, 2), secret(Hs256, 2));
    assert_eq!(rsa(Rs256).with_id("b").with_id("a"), rsa(Rs256).with_id("a"));
}

#[test]
fn j30_debug_and_display_show_nothing_of_a_key() {
    let key = Key::secret(Hs256, b"a pass phrase that is long enough").unwrap().with_id("my id");
    assert_eq!(format!("{key:?}"), "Key(HS256)");
    let key = Key::ed25519(&decoded(ED25519)).unwrap();
    assert_eq!(format!("{key:?}"), "Key(EdDSA)");
    let error = Key::secret(Hs256, b"short").unwrap_err();
    assert_eq!(format!("{error} {error:?}"), "the key is too weak KeyError(Weak)");
}

#[test]
fn a_key_verifies_what_its_pair_has_signed() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = Key::ed25519(pair.public_key().as_ref()).unwrap();
    assert!(key.has_signed(b"message", pair.sign(b"message").as_ref()));
    assert!(!key.has_signed(b"massage", pair.sign(b"message").as_ref()));
    let secret = Key::secret(Hs384, &[7; 48]).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA384, &[7; 48]), b"message");
    assert!(secret.has_signed(b"message", tag.as_ref()));
    assert!(!secret.has_signed(b"massage", tag.as_ref()));
    assert!(!secret.has_signed(b"message", &tag.as_ref()[..32]));
    assert!(!secret.has_signed(b"message", &[]));
}

const ED25519: &str = "V923AsoS9WlZoNIBh_XhUe9EaBs98V_EDmkVIbQP9Uc";
/// Modulus, exponent, signature of `message` by RS256.
const OF_EXPONENT_THREE: [&str; 3] = [
    "\
        nxpWK3bilV3LhL32-\
        HqzHoPHYnrc0T6VEZsmDPNH3KC6xUys7KNB4FO0AVhZMJEo_bGgJrZmh6DHKX4foE0HO3WB3pMZAh4A_stn7AYso8Kay\
        7v81E3ZVrTLR1K2hFzpjxm9sAPdkDvvqF9Uuq-\
        Hn7aALDPVvc8lq-7ga9byxd1qTWRTIt5AZxHA_K71ZydrJeQbLKt2p7cdw5XmCTTrHMmN-o_oPLySYNnKPGuaiIu5LMg\
        ozMWO31WO1qS09fS3v9cb5kuqShXxqwwLMBlqlG8rL9mNop4zvtCANesuJlRI0YEH2nzQ458939loiJt76GqRJlYdLiP\
        Jvz8QQzRnAQ",
    "Aw",
    "\
        YIZJirMTVeRnM5bpIVeyRBiSEAFlC9HB3Y0ZdkjXFMvom8WOXLF3JL-\
        vBPyv9lhFY7cNAJ-y45LwOlimjr_zm5_SMZ3dD6Jm7EE-JVJJPQjgwRExKkPfrHr7pHdH8JFUEy-IdP7aHEI4aLmWeG7\
        pynXxLpnbA5CZZBJWiLKBxb2sp_waKGGJGFzEA3sHC4hdiYTVJPdKsFVkag_YkTmzcJqndnWwyIv3oHeQAh1aEtgE-\
        D9QRXepo_yGEpAq2BqVarVMQC0eLq4s0VlIu2cY996_CkFivWZxjUo_AEVsEVPy5yPj37L8WGzOQWKKyFSnoBBGcXJom\
        TXcwNGqgBWm8Q",
];
/// Modulus, exponent, signature of `message` by RS256.
const OF_EXPONENT_F5: [&str; 3] = [
    "\
        tdAb1UnTlmiMvcHpgYqgNQX0j19EsZyTAHVtN5A4TUJXIBkFVA3H8tLAMEbX-\
        elf7yPCiv6PIUL_0qrSKmN4aeKvI9fVs3Feu3ePoLxahxVIiZIgugIFmEnj0a1PDzmmRjkqZtz3dlql-JbP27hAyBJpY\
        GjYDRmKfm4uQYJsa3LQr_Aey3HXs9QveJ3Dmid9idjJUaatyzxrj3kcPLQIygvRZ6hRHUO2bdnjmNX41QavAcMib9_xe\
        AJiZ7ATzv_8FCqlJ01s7aqSC84QRm7ueHXULSPk8Rtk4BQnxqHW0YRHfRxwloTUhmMcStuVyVQP8fwWvjknyrgmMMrwH\
        E6hHw",
    "AQAAAAE",
    "\
        keovmMjsR5Lj1vCy2aLhHFh3kbBO9t1fyCFJC_ML-eYqCzmlVl8leyEhPMvbSjrMAKOT7oMLMZIdjbU-\
        QYEZPZk7brCZaBK39riEJF6ll1xIKGRMeCSNH6s6PDgKk8SzyWkpBV1-ysiuUIgxff-\
        fqsgdYJEF_nYBcnzWkjWotDTjg8KvVKMITxOGaXBu-HKtOHzBzygf5Q1xR1WtPmijUb74-\
        WZYp8S1LEeeOXaFy2MlD_XohvvuvqkuiQmcH6vFaO6iPV7S8joKsQTC_1I3VCc1cetb_GkrYNjayYyd8dN6v1-\
        mra_VQEWmnUfS_rEaWwVni4a0SQqhndnwZTAk1A",
];
/// A modulus of two primes as that generator made them.
const ROCA: &str = "\
    yusyNMfhDI4fsqf_YwpuP1Zl1Nxlbe1e6mtBIbl4zPQGu2U2kE9TdO5LjNO1zLoyEEmKrFNvIcKQN_D7mvhIhvAOQYwQ\
    EfSyajaOe_MN-hJEnMUqYY5msz27HpMxvm_MpfR7LkuI-iKq5yEhNMTz-\
    Kkdb3kyKFqMxBga3DkdhRWTIFZ4O9n-gGb4FCVf5VquHfk-\
    ubRKXRoidkFuwx5tVNHZFeJgx2BzqsRXheoZJaqSp_VlfgtvZnja8QokhbQnMhQfp-\
    YFm1esx2pRdCIj9UNNVOiRAmQUS4U8faPnP9dV3KYKUCao8UYGeefgUD-3_zPDfJdWxGFoTqGWCLrbow";
