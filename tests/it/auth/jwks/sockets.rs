//! The ready client, over sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use tokio::net::TcpListener;
use tower_keep::auth::{JwksClient, JwksErrorKind};

use super::*;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Counts who comes, and gives keys to whoever does.
async fn trap() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, came) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = came.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (address, came)
}

fn served(ids: &[&str]) -> impl IntoResponse {
    let ids: Vec<_> = ids.iter().map(|id| key(id)).collect();
    ([("content-type", "application/json"), ("etag", "\"1\"")], set_of(&ids))
}

fn local() -> JwksOptions {
    JwksKeys::options().http_to_loopback()
}

#[tokio::test]
async fn keys_come_over_a_socket() {
    let address = serve(Router::new().route("/jwks", get(async || served(&["a"])))).await;
    let url = format!("http://{address}/jwks");
    let keys = local().at(&url, JwksClient::new().unwrap()).unwrap();
    keys.load().await.unwrap();
    assert_eq!(ids(&keys.keys().unwrap()), ["a"]);
    assert_eq!(keys.stats().fetches, 1);
}

#[tokio::test]
async fn metadata_and_keys_come_over_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}/t", listener.local_addr().unwrap());
    let metadata = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/jwks"}}"#);
    let metadata = async move || ([("content-type", "application/json;charset=UTF-8")], metadata);
    let app = Router::new()
        .route("/t/.well-known/openid-configuration", get(metadata))
        .route("/t/jwks", get(async || served(&["a"])));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let keys = local().discover(&issuer, JwksClient::new().unwrap()).unwrap();
    assert_eq!(current(&refreshed(keys, "a".to_owned()).await), ["a"]);
}

#[tokio::test]
async fn k11_nobody_is_sent_elsewhere_by_the_issuer_or_by_a_token() {
    let (trap, came) = trap().await;
    let elsewhere = format!("http://{trap}/jwks");
    let redirect = elsewhere.clone();
    let app = Router::new()
        .route("/jwks", get(async || served(&["a"])))
        .route("/moved", get(async move || Redirect::temporary(&redirect)));
    let address = serve(app).await;
    // A redirect.
    let url = format!("http://{address}/moved");
    let keys = local().at(&url, JwksClient::new().unwrap()).unwrap();
    assert_eq!(keys.load().await.unwrap_err().kind(), JwksErrorKind::Status);
    // A token that names where its key is.
    let url = format!("http://{address}/jwks");
    let keys = local().at(&url, JwksClient::new().unwrap()).unwrap();
    for (name, value) in [
        ("jku", format!("\"{elsewhere}\"")),
        ("x5u", format!("\"{elsewhere}\"")),
        ("kid", format!("\"{elsewhere}\"")),
        ("iss", format!("\"http://{trap}\"")),
        ("jwk", key("b")),
    ] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","{name}":{value}}}"#));
        let header = TokenHeader::of(format!("{header}.e30.AA").as_bytes()).unwrap();
        let answer = keys.refreshed(&header).unwrap().await;
        assert_eq!(current(&answer), ["a"], "{name}");
    }
    assert_eq!(keys.stats().fetches, 1);
    assert_eq!(came.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_breaks_off_is_a_failure_of_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let breaking = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let breaks_off = breaking.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = breaking.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await.unwrap();
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n";
        socket.write_all(format!("{head}{{\"keys\":[]}}").as_bytes()).await.unwrap();
    });
    for address in [nobody, breaks_off] {
        let url = format!("http://{address}/jwks");
        let keys = local().at(&url, JwksClient::new().unwrap()).unwrap();
        let error = keys.load().await.unwrap_err();
        assert_eq!(error.kind(), JwksErrorKind::Client);
        assert!(std::error::Error::source(&error).is_some());
        assert!(keys.keys().is_none());
    }
}

#[tokio::test]
async fn tls_is_spoken_with_certificates_that_are_trusted_and_no_others() {
    // It speaks no TLS, so what comes of it is an error and not a reply.
    let address = serve(Router::new().route("/jwks", get(async || StatusCode::OK))).await;
    let url = format!("https://{address}/jwks");
    let keys = JwksKeys::new(&url, JwksClient::new().unwrap()).unwrap();
    assert_eq!(keys.load().await.unwrap_err().kind(), JwksErrorKind::Client);
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}
