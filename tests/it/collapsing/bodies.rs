//! In which order things happen to a body that many read.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;

use super::{Crowd, settled};
use crate::scripted::Step::{Data, Pending, Trailer};
use crate::scripted::{fresh, paused, read, scripted};
use crate::support::request;

#[tokio::test]
async fn a_follower_has_its_first_frame_before_the_inner_body_has_made_its_second() {
    let (script, body, made) = paused();
    let body = Mutex::new(Some(body));
    let crowd = Crowd::new(move |_, _| Ok(fresh(&[], body.lock().unwrap().take().unwrap())));
    let clients: Vec<_> = (0..3).map(|_| crowd.start(request("GET", "/", &[]))).collect();
    settled().await;
    crowd.origin.let_go(1);
    let mut bodies = Vec::new();
    for client in clients {
        // The head is there before any frame is.
        bodies.push(client.await.unwrap().unwrap().into_body());
    }
    assert_eq!(made.load(Ordering::Relaxed), 0);
    for (at, frame) in ["first", "second"].into_iter().enumerate() {
        script.send(Data(frame)).unwrap();
        // The one who comes late to it has the same, whoever asked the inner body.
        for body in bodies.iter_mut().rev() {
            let got = body.frame().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(got.into_data().unwrap(), frame);
            assert_eq!(made.load(Ordering::Relaxed), at + 1);
        }
    }
    // And one who comes when it has begun, from the beginning.
    let late = crowd.start(request("GET", "/", &[])).await.unwrap().unwrap();
    script.send(Trailer("x-sum", "7")).unwrap();
    drop(script);
    for body in bodies.into_iter().chain([late.into_body()]) {
        let read = read(body).await;
        assert!(["", "firstsecond"].contains(&&*read.text()));
        assert_eq!(read.trailers.unwrap()["x-sum"], "7");
    }
    assert_eq!(crowd.origin.calls(), 1);
}

#[tokio::test]
async fn a_slow_reader_does_not_stop_the_others_while_the_body_fits() {
    let steps = [Data("0123456789"); 20];
    let crowd = Crowd::with(
        |layer| layer.body_bytes_max(200),
        move |_, _| Ok(fresh(&[], scripted(&steps))),
    );
    let clients: Vec<_> = (0..4).map(|_| crowd.start(request("GET", "/", &[]))).collect();
    settled().await;
    crowd.origin.let_go(1);
    let mut bodies = Vec::new();
    for client in clients {
        bodies.push(client.await.unwrap().unwrap().into_body());
    }
    // The leader reads nothing, and one has read a little.
    bodies[1].frame().await.unwrap().unwrap();
    let slow = bodies.drain(..2).collect::<Vec<_>>();
    for body in bodies {
        assert_eq!(read(body).await.text().len(), 200);
    }
    assert!(crowd.get(&[]).await.unwrap().is_hit(), "it is stored though two have not read it");
    let lengths: Vec<_> = futures_util::future::join_all(slow.into_iter().map(read)).await;
    assert_eq!(lengths.iter().map(|read| read.text().len()).collect::<Vec<_>>(), [200, 190]);
    crowd.assert_nothing_left().await;
}

/// What a follower is told of the body is true (C62).
#[tokio::test]
async fn c62_a_follower_is_told_a_length_only_where_there_is_one() {
    for (fields, length) in [(&[][..], None), (&[("content-length", "6")], Some("6"))] {
        let steps = [Data("abc"), Pending, Data("def")];
        let crowd = Crowd::new(move |_, _| Ok(fresh(fields, scripted(&steps))));
        let clients: Vec<_> = (0..2).map(|_| crowd.start(request("GET", "/", &[]))).collect();
        settled().await;
        crowd.origin.let_go(1);
        for client in clients {
            let response = client.await.unwrap().unwrap();
            let told = response.headers().get("content-length").map(|it| it.to_str().unwrap());
            assert_eq!(told, length);
            assert_eq!(read(response.into_body()).await.text(), "abcdef");
        }
    }
}

#[tokio::test]
async fn a_follower_that_holds_the_response_gets_a_304_and_none_of_the_body() {
    let crowd = Crowd::new(|request, call| {
        // It cannot be told which: the stored validators are what is asked about.
        let is_asked = request.headers().get("if-none-match").is_some_and(|tag| tag == "\"old\"");
        assert!(call == 0 || is_asked);
        let etag = if call == 0 { "\"old\"" } else { "\"new\"" };
        Ok(fresh(&[("etag", etag)], scripted(&[Data("page")])))
    });
    crowd.origin.let_go(1);
    crowd.get(&[]).await.unwrap();
    crowd.clock.advance(std::time::Duration::from_secs(61));
    let leader = crowd.send(request("GET", "/", &[]));
    settled().await;
    let holds = crowd.send(request("GET", "/", &[("if-none-match", "\"new\"")]));
    let lacks = crowd.send(request("GET", "/", &[("if-none-match", "\"other\"")]));
    settled().await;
    crowd.origin.let_go(1);
    assert_eq!(leader.await.unwrap().unwrap().body, "page");
    let holds = holds.await.unwrap().unwrap();
    assert_eq!((holds.status.as_u16(), &*holds.body), (304, ""));
    assert_eq!(lacks.await.unwrap().unwrap().body, "page");
    assert_eq!(crowd.origin.calls(), 2);
}

/// RFC 9111 §3.1, §7.3: nobody else gets what was for one client, or for one connection.
#[tokio::test]
async fn a_follower_gets_neither_cookies_nor_hop_by_hop_fields() {
    let crowd = Crowd::with(
        |layer| {
            let policy = tower_keep::cache::CachePolicy::shared()
                .set_cookie(tower_keep::cache::SetCookie::StoredWithoutCookies);
            layer.policy(policy)
        },
        |_, _| {
            let fields =
                [("set-cookie", "id=7"), ("connection", "x-hop"), ("x-hop", "1"), ("x-end", "1")];
            Ok(fresh(&fields, scripted(&[Data("page")])))
        },
    );
    let clients = crowd.crowd(3, &[]).await;
    crowd.origin.let_go(1);
    let mut cookies = 0;
    for client in clients {
        let got = client.await.unwrap().unwrap();
        cookies += usize::from(got.field("set-cookie").is_some());
        let followed = got.outcome.unwrap().is_collapsed();
        assert_eq!(got.field("x-hop").is_none(), followed);
        assert_eq!(got.field("x-end"), Some("1"));
    }
    assert_eq!(cookies, 1);
}
