//! What the verifier accepts, another accepts too, with the same claims: `jsonwebtoken`, which is less strict.

mod signers;
mod values;

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Validation, decode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tower_keep::auth::{KeySet, Verifier};
use tower_keep::time::Timestamp;

use signers::{ALGORITHMS, Signer};
use values::{CLAIM_VALUES, HEADER_VALUES};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://login.example";

/// A token to be made: what is signed, and what is done to it afterwards.
#[derive(Clone, Debug)]
struct Recipe {
    algorithm: &'static str,
    header: Vec<Change>,
    claims: Vec<Change>,
    afterwards: Option<(Index, u8)>,
}

/// What is done to a text of JSON before it is signed.
#[derive(Clone, Debug)]
enum Change {
    Set(&'static str, &'static str),
    Twice(Index),
    Without(Index),
    Space(Index, &'static str),
    Byte(Index, u8),
}

/// Members with their values, both as they stand in the text.
type Members = Vec<(String, String)>;

#[test]
fn what_is_accepted_another_verifier_accepts_with_the_same_claims() {
    let signers = Signer::all();
    let accepted = Mutex::new(BTreeMap::<&str, [u32; 2]>::new());
    let config = Config { failure_persistence: None, ..Config::with_cases(8_000) };
    TestRunner::new(config)
        .run(&recipe(), |recipe| {
            let signer = &signers[recipe.algorithm];
            let token = token(&recipe, signer);
            let is_changed = !recipe.header.is_empty() || !recipe.claims.is_empty();
            if is_accepted_by_both(&token, signer, recipe.algorithm)? {
                let mut accepted = accepted.lock().unwrap();
                accepted.entry(recipe.algorithm).or_default()[usize::from(is_changed)] += 1;
            }
            Ok(())
        })
        .unwrap();
    let accepted = accepted.into_inner().unwrap();
    println!("accepted as made and changed, by algorithm: {accepted:?}");
    for algorithm in ALGORITHMS {
        let [as_made, changed] = accepted.get(algorithm).copied().unwrap_or_default();
        assert!(as_made > 5 && changed > 20, "{algorithm}: {as_made} {changed}");
    }
}

#[test]
fn each_odd_value_alone_is_accepted_by_both_or_refused_here() {
    let signer = &Signer::all()["HS256"];
    let mut accepted = Vec::new();
    let all = HEADER_VALUES.iter().map(|odd| (true, odd));
    for (in_header, (name, value)) in all.chain(CLAIM_VALUES.iter().map(|odd| (false, odd))) {
        let change = vec![Change::Set(name, value)];
        let (header, claims) = if in_header { (change, vec![]) } else { (vec![], change) };
        let recipe = Recipe { algorithm: "HS256", header, claims, afterwards: None };
        if is_accepted_by_both(&token(&recipe, signer), signer, "HS256").unwrap() {
            accepted.push((name, value));
        }
    }
    println!("accepted: {accepted:?}");
    assert!(accepted.len() > 30, "{accepted:?}");
}

/// Whether we accept it; an error if we do and the other does not, or reads other claims.
fn is_accepted_by_both(
    token: &str,
    signer: &Signer,
    algorithm: &str,
) -> Result<bool, TestCaseError> {
    let keys = KeySet::new([signer.key.clone().with_id("a")]).unwrap();
    let verifier = Verifier::new(ISSUER, "api").or_plain_jwt();
    let Ok(ours) = verifier.verify(token.as_bytes(), &keys, Timestamp::from_secs(NOW)) else {
        return Ok(false);
    };
    let mut validation = Validation::new(algorithm.parse().unwrap());
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["api"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    // It looks at the system's clock.
    validation.validate_exp = false;
    let theirs = match decode::<Value>(token, &signer.theirs, &validation) {
        Ok(theirs) => theirs,
        Err(error) => return Err(TestCaseError::fail(format!("{error:?} of {}", shown(token)))),
    };
    let ours_read: Value = serde_json::from_slice(ours.claims_json()).unwrap();
    prop_assert_eq!(&ours_read, &theirs.claims, "{}", shown(token));
    prop_assert_eq!(ours.subject(), theirs.claims["sub"].as_str(), "{}", shown(token));
    for time in ["exp", "nbf", "iat"] {
        if let Some(at) = theirs.claims.get(time) {
            prop_assert!(at.is_number(), "{}", shown(token));
        }
    }
    Ok(true)
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let header = vec(change(HEADER_VALUES), 0..3);
    let claims = vec(change(CLAIM_VALUES), 0..4);
    let afterwards = prop::option::weighted(0.2, any::<(Index, u8)>());
    (select(ALGORITHMS), header, claims, afterwards).prop_map(
        |(algorithm, header, claims, afterwards)| Recipe { algorithm, header, claims, afterwards },
    )
}

fn change(values: &'static [(&'static str, &'static str)]) -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => select(values).prop_map(|(name, value)| Change::Set(name, value)),
        1 => any::<Index>().prop_map(Change::Twice),
        1 => any::<Index>().prop_map(Change::Without),
        3 => (any::<Index>(), select(&[" ", "\n", "\t\r\n", "\u{b}", "\u{a0}"][..]))
            .prop_map(|(at, space)| Change::Space(at, space)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
    ]
}

fn token(recipe: &Recipe, signer: &Signer) -> String {
    let header = members(&[
        ("\"typ\"", "\"JWT\""),
        ("\"alg\"", &format!("{:?}", recipe.algorithm)),
        ("\"kid\"", "\"a\""),
    ]);
    let issuer = format!("{ISSUER:?}");
    let claims = members(&[
        ("\"iss\"", &issuer),
        ("\"aud\"", "\"api\""),
        ("\"exp\"", "1800000600"),
        ("\"iat\"", "1799999990"),
        ("\"sub\"", "\"alice\""),
    ]);
    let [header, claims] = [changed(header, &recipe.header), changed(claims, &recipe.claims)]
        .map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let signature = (signer.sign)(signed.as_bytes());
    let mut token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes();
    if let Some((at, byte)) = &recipe.afterwards {
        let at = at.index(token.len());
        token[at] = b' ' + byte % 0x5f;
    }
    String::from_utf8(token).unwrap()
}

fn members(list: &[(&str, &str)]) -> Members {
    list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The text of an object after these changes: first those of members, then those of the text.
fn changed(mut members: Members, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        match change {
            Change::Set(name, value) => {
                let (name, value) = (name.to_string(), value.to_string());
                match members.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => *known = value,
                    None => members.push((name, value)),
                }
            }
            Change::Twice(at) if !members.is_empty() => {
                let member = members[at.index(members.len())].clone();
                members.push(member);
            }
            Change::Without(at) if !members.is_empty() => {
                members.remove(at.index(members.len()));
            }
            _ => {}
        }
    }
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    let mut text = format!("{{{}}}", members.join(",")).into_bytes();
    for change in changes {
        match change {
            Change::Space(at, space) => {
                let beside: Vec<usize> =
                    (0..text.len()).filter(|at| b"{}:,".contains(&text[*at])).collect();
                let at = beside.get(at.index(beside.len().max(1))).map_or(0, |at| at + 1);
                text.splice(at..at, space.bytes());
            }
            Change::Byte(at, byte) => {
                let at = at.index(text.len());
                text[at] = *byte;
            }
            _ => {}
        }
    }
    text
}

/// The JSON of a token, for whoever reads of a failure.
fn shown(token: &str) -> String {
    let parts = token.split('.').take(2).map(|part| URL_SAFE_NO_PAD.decode(part));
    let parts: Vec<_> = parts
        .map(|part| part.map_or("?".to_owned(), |part| String::from_utf8_lossy(&part).into_owned()))
        .collect();
    parts.join(" . ")
}
