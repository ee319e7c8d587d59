//! Keys for tests, made once and used nowhere else. All have an id, as JSON has it.

use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A pair of RSA, in PKCS #8. Its public half is [`RSA_PEM`].
pub(crate) fn rsa_pair() -> aws_lc_rs::rsa::KeyPair {
    let text: String = include_str!("../../../tests/it/auth/rsa_2048.txt").lines().collect();
    aws_lc_rs::rsa::KeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
}

pub(crate) fn rsa_modulus() -> Vec<u8> {
    rsa_pair().public_key().modulus().big_endian_without_leading_zero().to_vec()
}

pub(crate) fn rsa() -> Value {
    json!({
        "kid": "a",
        "kty": "RSA",
        "n": "mSIvfDga3_g-Ryw4vk_nvwZjFEZ2yKd_AsEpqi5DwhGZaCmV3lquUwgU5OEZhE4qAGZw4LMbnbF7zherjttObNGh\
            yBtBYk5Ve7vKrKCYcj2k0VZkmBvQvBHn86cStAQ_7fNkYt35jm06ZQDFuzeCjtTTxVT1A0XuoFDHJBiD5yRFSncV\
            ljJUmmst-NXXpZGpizYW13OWPCnsh_VPmnkG6ZC6rpmMFf-la42C4JchcUiiXXFYoKyLzeCtMevmm-\
            BDDOV4U4nlowKLEAnpMSZKNSQ56uVhqq71zVyFJy_ueeEw7Y5vWXskXoiW5x6MPVdueDctgbPHvsWohcEJjEEyDw",
        "e": "AQAB",
        "alg": "RS256",
    })
}

pub(crate) fn p256() -> Value {
    json!({
        "kid": "a",
        "kty": "EC",
        "crv": "P-256",
        "x": "bNu0y-Z7jXcP_c5jw7_BpiDhaekCc8pt3-VV1fBSMdU",
        "y": "qP79KvUVIZcg2vz0PnDoTyT0DxCCSqvhOfy3bvsKSd4",
    })
}

pub(crate) fn p384() -> Value {
    json!({
        "kid": "a",
        "kty": "EC",
        "crv": "P-384",
        "x": "UE0QCgIpdwUN_2jFBets8LNsEtlXyPr7VhsmzmAPxjK8Tlp5aUjyMAKpBqzaLi09",
        "y": "gZgdInHQq412rEyWvpcmbPVW6xbaMp8T0EYajt-GXr7PQXgokB3x8AKvoUaY4py3",
    })
}

pub(crate) fn p521() -> Value {
    json!({
        "kid": "a",
        "kty": "EC",
        "crv": "P-521",
        "x": "ACELtywLY2aOmM2KW_-RhfQ0op9j9MdpRgte97TUUvX9A-Rwh5Qj7SGTbH95Y4_fWBR60so2ZqKI8SX2CjfQyl_v",
        "y": "AQlFQjESr71GhxeLApwdCbgaMjDFxiqojNX61gn2KWtShTP8Lg5sjPH1zKFfBJD0hTGGyXKncak8ReYYcWH_vr5s",
    })
}

pub(crate) fn ed25519() -> Value {
    json!({
        "kid": "a",
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "1OupKEQKknEK4Kl0rkmv9MVFfT3pd4TsE403823qN9E",
    })
}

/// As OpenSSL 3 writes it, as all below.
pub(crate) const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmSIvfDga3/g+Ryw4vk/n
vwZjFEZ2yKd/AsEpqi5DwhGZaCmV3lquUwgU5OEZhE4qAGZw4LMbnbF7zherjttO
bNGhyBtBYk5Ve7vKrKCYcj2k0VZkmBvQvBHn86cStAQ/7fNkYt35jm06ZQDFuzeC
jtTTxVT1A0XuoFDHJBiD5yRFSncVljJUmmst+NXXpZGpizYW13OWPCnsh/VPmnkG
6ZC6rpmMFf+la42C4JchcUiiXXFYoKyLzeCtMevmm+BDDOV4U4nlowKLEAnpMSZK
NSQ56uVhqq71zVyFJy/ueeEw7Y5vWXskXoiW5x6MPVdueDctgbPHvsWohcEJjEEy
DwIDAQAB
-----END PUBLIC KEY-----
";
pub(crate) const P256_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbNu0y+Z7jXcP/c5jw7/BpiDhaekC
c8pt3+VV1fBSMdWo/v0q9RUhlyDa/PQ+cOhPJPQPEIJKq+E5/Ldu+wpJ3g==
-----END PUBLIC KEY-----
";
pub(crate) const P384_PEM: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEUE0QCgIpdwUN/2jFBets8LNsEtlXyPr7
VhsmzmAPxjK8Tlp5aUjyMAKpBqzaLi09gZgdInHQq412rEyWvpcmbPVW6xbaMp8T
0EYajt+GXr7PQXgokB3x8AKvoUaY4py3
-----END PUBLIC KEY-----
";
pub(crate) const P521_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAIQu3LAtjZo6YzYpb/5GF9DSin2P0
x2lGC173tNRS9f0D5HCHlCPtIZNsf3ljj99YFHrSyjZmoojxJfYKN9DKX+8BCUVC
MRKvvUaHF4sCnB0JuBoyMMXGKqiM1frWCfYpa1KFM/wuDmyM8fXMoV8EkPSFMYbJ
cqdxqTxF5hhxYf++vmw=
-----END PUBLIC KEY-----
";
pub(crate) const ED25519_PEM: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA1OupKEQKknEK4Kl0rkmv9MVFfT3pd4TsE403823qN9E=
-----END PUBLIC KEY-----
";
pub(crate) const SECP256K1_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEP8PmyzfmafbK2VBDSPGImQR8HF29cu//
t/JfEtuAq0FpVCzGlNbxAZsdiHXsTGU8Dd/iMBu35BrVNLiN0PLkpA==
-----END PUBLIC KEY-----
";
