//! The vectors of client addresses, where they are: see `docs/evidence.md`.

use std::net::IpAddr;

use serde_json::Value;
use tower_keep::limit::{ForwardedIn, LimitBy, Network};

use super::support::{behind, from, is_counted_as, key, of_peer};

/// Every file in the folder.
fn files() -> Option<Vec<Value>> {
    let folder = std::env::var("TOWER_KEEP_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let folder = format!("{folder}/vectors/client-addr");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("SKIPPED: there is no {folder}");
        return None;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let texts = paths.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    Some(texts.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect())
}

#[test]
fn r01_r02_r03_r04_client_addresses_are_told_as_expected() {
    let Some(files) = files() else { return };
    let (mut tried, mut wrong) = (0, Vec::new());
    for case in files.iter().flat_map(|file| file["cases"].as_array().unwrap()) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let fields: Vec<_> = case["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| (text(&field[0]), text(&field[1])))
            .collect();
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let field = text(&case["source"]).parse::<http::HeaderName>().unwrap();
        let trusted = case["trusted"].as_array().unwrap().iter();
        let trusted = trusted.map(|network| text(network).parse::<Network>().unwrap());
        // The file's own default.
        let hops_max = case["max_hops"].as_u64().unwrap_or(32) as usize;
        let client = of_peer().behind(trusted, ForwardedIn::from(field)).hops_max(hops_max);

        let request = from(&text(&case["peer"]), &fields);
        let expected: Network = text(&case["expect_key"]).parse().unwrap();
        let address = client.address_of((&request).into()).unwrap();
        let is_right = expected.contains(address)
            && is_counted_as(&client, &request, &expected.address().to_string())
            && !is_counted_as(&client, &request, &next(expected).to_string());
        if !is_right {
            wrong.push(format!("{}: {address} instead of {expected}", case["id"]));
        }
        tried += 1;
    }
    assert!(wrong.is_empty() && tried >= 20, "{} of {tried}: {wrong:#?}", wrong.len());
    println!("{tried} vectors of client addresses");
}

/// The first address behind a network: it is another key.
fn next(network: Network) -> IpAddr {
    let beyond = u32::from(network.prefix_len());
    match network.address() {
        IpAddr::V4(address) => {
            std::net::Ipv4Addr::from(u32::from(address).wrapping_add(1 << (32 - beyond))).into()
        }
        IpAddr::V6(address) => {
            std::net::Ipv6Addr::from(u128::from(address).wrapping_add(1 << (128 - beyond))).into()
        }
    }
}

/// The defaults that the vectors name are ours, but for the hops: of those we read 16.
#[test]
fn sixteen_members_are_read_unless_another_number_is_set() {
    let trusted = |count| vec!["10.2.2.2"; count].join(", ");
    let (client, longer) =
        (behind(ForwardedIn::XForwardedFor), behind(ForwardedIn::XForwardedFor).hops_max(17));
    let line = |count| format!("198.51.100.7, {}", trusted(count));
    let counted = |client, count, address| {
        let line = line(count);
        is_counted_as(client, &from("10.1.1.1", &[("x-forwarded-for", &line)]), address)
    };
    assert!(counted(&client, 15, "198.51.100.7"));
    assert!(counted(&client, 16, "10.2.2.2"));
    assert!(counted(&longer, 16, "198.51.100.7"));
    assert!(counted(&longer, 17, "10.2.2.2"));
    // Of none, none.
    let none = behind(ForwardedIn::XForwardedFor).hops_max(0);
    assert!(counted(&none, 0, "10.1.1.1"));
    let by = LimitBy::client(client);
    assert!(key(&by, &http::Request::new(())).is_none(), "nobody said who the peer is");
}
