#![cfg(unix)]

use tokio::net::TcpStream;

use super::program::{Gateway, soon};
use super::streaming::by_hand;
use super::wire::{open, read_to_end, read_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[tokio::test]
async fn the_first_signal_lets_requests_in_flight_finish() {
    for signal in ["TERM", "INT"] {
        let (address, chunks) = by_hand(("cache-control", "no-store")).await;
        let mut gateway = Gateway::before(address).await;
        let mut stream = open(gateway.public, GET).await;
        chunks.send(Ok("first".into())).await.unwrap();
        read_until(&mut stream, "first").await;

        gateway.signal(signal).await;
        soon(async { while TcpStream::connect(gateway.public).await.is_ok() {} }).await;
        assert_eq!(gateway.admin("GET", "/healthz").await.status(), 200);

        chunks.send(Ok("second".into())).await.unwrap();
        drop(chunks);
        let rest = read_to_end(&mut stream).await;
        assert!(rest.contains("second") && rest.ends_with("\r\n0\r\n\r\n"), "{rest:?}");
        assert_eq!(gateway.exit_code().await, Some(0));
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let (address, chunks) = by_hand(("cache-control", "no-store")).await;
    drop(chunks);
    let mut gateway = Gateway::before(address).await;
    let mut idle = open(gateway.public, GET).await;
    read_until(&mut idle, "0\r\n\r\n").await;
    let untouched = open(gateway.public, "").await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, Some(0));
    drop(untouched);
}

#[tokio::test]
async fn the_second_signal_ends_at_once() {
    let (address, chunks) = by_hand(("cache-control", "no-store")).await;
    let mut gateway = Gateway::before(address).await;
    let mut stream = open(gateway.public, GET).await;
    chunks.send(Ok("first".into())).await.unwrap();
    read_until(&mut stream, "first").await;
    gateway.signal("TERM").await;
    soon(async { while TcpStream::connect(gateway.public).await.is_ok() {} }).await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, Some(1));
}
