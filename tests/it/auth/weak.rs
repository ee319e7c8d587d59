//! J09: RSA keys that are too weak. Those here have truly signed something; their private halves were thrown away.

use serde_json::json;
use tower_keep::auth::Algorithm::{Es256, Rs256};
use tower_keep::auth::{Key, KeyErrorKind};

use super::admission::{SIGNATURE, good, jwk, published};
use super::guarded::PASSES;
use super::tokens::{encoded, signers};

/// A public key, and its signature (RS256) of [`HEADER`] and [`CLAIMS`].
struct Weak {
    modulus: &'static str,
    exponent: &'static str,
    signature: &'static str,
}

const HEADER: &str = r#"{"alg":"RS256","kid":"weak","typ":"at+jwt"}"#;
const CLAIMS: &str = r#"{"iss":"https://login.example","aud":"api","sub":"alice","client_id":"app","jti":"1","iat":1600000000,"exp":1600000300}"#;

/// Of 1024 bits.
const SHORT: Weak = Weak {
    modulus: "10IdQBHgCE-cT452tXRJQ4yp1YhJ3KqHhSITeY_jy-5oUkQ_iNwPqJZ6UjHyLzPC6LWZsxf-k9anv5ViFvXfBn5lyNYIyqWrnaLgTxN4RBCMec\
        t48-TC-BvUm4TPEQfcflSoEBX3agQZST7tasvHkQtZ8PgxkFeLT-dgcY_QfOs",
    exponent: "AQAB",
    signature: "pnkc9z_JtWFXdrxQilzJsQL3h6J_bLsY8m6qA60vqcyhltQS6f6x8UpuoC8w73iCzGOkO-MmnXYsbLmzsFRfL_7zRclyVpMTXNLxAso9spF1GC\
        u-VcBpu678Z-kwUl31VrUSojDa79FcFE-T4hrWS3-WpwvSx0zmpRglqA3agVo",
};

/// Of 2047 bits.
const ALMOST: Weak = Weak {
    modulus: "W9sbYtnAfdqkmWYLSTzn34FPKPfOJVMlxX1GZcxZrwTzB75eRiw2qaljAZqiICmKuNiX8cBX5a-P3F7hYWIX8WwSxs68tYI3vfU7t4zk3nmvz_\
        KGUIC6ikv0KyRGx0-vWkvpb2ZyK1XE5bG9pM54A_VwctAjrehHVz1gKFrr5aIQnYX0LSWJ1qqJ4QAbsEt0faIGfAtP2JuaUjAelAeyMbKcWQzI\
        i3zWNYmwRv5BXH8NvdeJhaFq4MuEwKLP6iKs_te72iv1_lcjwik9Lt9lSbyguErijCEw66Pgaby8gTqUgp4Aykn0Z9H_fIUqcJMTJD9NVbkCnn\
        6cGgsMfwjwxw",
    exponent: "AQAB",
    signature: "J5bKtmAr1V6sNxLOZK_d0hgQ6cJZxzsG7PhnCqbHBVNHb3HfFnOP11llMKVDoisODpw6fliwtVTNVwvrFdR0C_r9t0c2SFXS7RGUyKEB1ERUKH\
        bucwqPqY5F31gtHchiJoB5Z39cjGHFx5eJigtvxPat8Hgvj0EXAMkin_0tqjn8feccq5XXvEKkOljpZ2KKTwbdLNRNjmUQoNjg1pkvi6BXvwpQ\
        Q1W1zfMlcwdDxtR69JHBTlSuzA3xT9JugcgjMTz1ZW9FK9Df2eMQWmaE7dyLvsEgntogkNxehorwt3TC8ZBcGQ1sEAR-Oij_tdMXUG_dWjBhTL\
        _oKa6qmB8Ytw",
};

/// With the exponent 3.
const THREE: Weak = Weak {
    modulus: "1uLjLCADc3QAgDQypZpVdBdg7xrmqbRnFCsb6v5QNUFcZpFDHfLp82O1Ti70scNJo6yrqROYzEYz3UBlx1IPAbGja-b9gWTym4JDq26iCvNvrm\
        xQCWfOeN3dS0q1jtbMjxHGOhNIR0LJjsJj7qjNjLUeGD8gCeTYb8-Po16fNQWIahykdeY6YxohjguRL3bxBDBnB_yni3xknfzBEWULHyL6odwi\
        8C4ygb_K5N3vd7agty-keMBGP6_VVy2kH-r6KLFVccQgtQRpJUe1L6rTkQgTZ-EvbeL_SyBL1hZnffI_9uGRBfhgBlaUxtxfRBr-rIXJM2dysH\
        LP3SvVmyl8bQ",
    exponent: "Aw",
    signature: "w5T4DXaJxk7S6VqGkfCbhMmLeKLJWpz-tprPXTX200H18cdtkiFnQc5i4bU-zdoJrQl8pHTuvu8J92uZFDaAIFnhgzOCsXt8c_N0ycC0KYpvuU\
        MUF0M-J2y6eFBj2SfEux6S0UW5iMmQJfJEk6S4LNfVhkffpalY2wOaWtpausSw5X_EHLvO-g_cDtLFmw2ShpX__xwRsDl1jjWuijDHuqCytr-8\
        jU5r7zuBvfr9Z6SO9ITc8F5fVG9UYCG_u1p6VAkLGSMIYfqWxJbOHdJ8Q_Pbor1yCSaPX1z-UzktYg_e5fOm6k62hkAmOPMQARUMsNTHMyNfna\
        Syd_RyIHlbDA",
};

/// Of the kind that CVE-2017-15361 is about: each prime is k times the product of the first 126, and a power of 65537 modulo that.
const ROCA: Weak = Weak {
    modulus: "pALQFPDQV6IwQ1WeHZG6flDIkf9PECGoET2W34B-uOTcp9E_sb67WsveDV1xkh0iawlE1e-8fil9B2lFzro2CUgxywSHbfpAk_BTuclaoQIxmt\
        aPm8JQFV-cdC9f4KJD5cOkfIEH11fJ_Z3OZRzsjwXCfrUd93375HhB7kHUv_q_4hY0rYuU-tWmvF1hR21CJrdO7mOWre1OLzBKlc6f3k2IJoi9\
        3iNzqZkhP6FkgAFqyDvIA18cvqC_XEkI7B5usWT47sZhobNL_0siHN2ijt4p2mYdUNXTc_a__mF8BFJl8wMrWAkr0r-xCiRqkWgxNhkzfkhCZO\
        sMdcDB5QDs-Q",
    exponent: "AQAB",
    signature: "B7Syd6SiBO903SVZRVpjKNfkXqPftC4YSRIJXluvLvdPxbc_L-Pv2q7PAutkzoxpCYehYxnq-tTeO19QvTlLGZT03julA6W6GWnqxR_dL8gZAb\
        SCaNltrXGmLOTkOKVuUasitjPxMMAXz5IaiL7nzjscEwuU5bc9sFxWyEHMfQixyRH996x_d1NNz5SYxZjNWS8cJ1A52VZ3C3pu-Dwuymwn4uwj\
        8ek1PsXZyvskXoiAvc0ZhNy0YvupQQsZMpa7_vns4_7x8ohORFDoOkTKjrhyCx7Ve4e7iIJjPryobyG3c47i-QoscDPCoFxJfKXrnT9lwtzkVk\
        SuiDioNw-2zA",
};

/// Each has truly signed the token.
#[test]
fn j09_weak_rsa_keys_verify_nothing() {
    for (name, key) in [("1024", SHORT), ("2047", ALMOST), ("3", THREE), ("ROCA", ROCA)] {
        let Weak { modulus, exponent, signature } = key;
        let jwk = json!({"kty": "RSA", "alg": "RS256", "kid": "weak", "n": modulus, "e": exponent});
        let error = Key::from_jwk(jwk.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.kind(), KeyErrorKind::Weak, "{name}");
        let (guarded, left_out) = published(&[jwk, signers().jwk(Rs256)]);
        assert_eq!(left_out, 1, "{name}");
        let parts = format!("{}.{}", encoded(HEADER), encoded(CLAIMS));
        assert_eq!(guarded.verdict(&format!("{parts}.{signature}")), SIGNATURE, "{name}");
        assert_eq!(guarded.verdict(&good(Rs256)), PASSES);
    }
    for exponent in ["AA", "AQ", "Ag", "AQAA", "AAAB", ""] {
        let (guarded, left_out) =
            published(&[jwk(Rs256, json!({"e": exponent})), signers().jwk(Es256)]);
        assert_eq!((left_out, guarded.verdict(&good(Rs256))), (1, SIGNATURE), "{exponent}");
    }
    let (_, left_out) = published(&[jwk(Rs256, json!({"n": encoded([255; 1025])}))]);
    assert_eq!(left_out, 1, "8200 bits");
}
