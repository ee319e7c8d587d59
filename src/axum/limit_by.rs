//! Limits that count by route.

use axum::extract::MatchedPath;

use crate::limit::by::{Kind, LimitBy};
use crate::limit::refusal::Keyless;

impl LimitBy {
    /// By route, as the router wrote it down: all of `/users/{id}` is counted together, whichever user it is. The method is no part of
    /// it.
    ///
    /// A request that no route of axum's has matched has no key. So put the limit on with
    /// [`Router::route_layer`](axum::Router::route_layer), which leaves those to the router's own 404; outside the router nothing is matched
    /// yet.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use tower_keep::limit::LimitBy;
    ///
    /// let each_client_on_each_route =
    ///     LimitBy::route().and(LimitBy::peer(|info: &ConnectInfo<SocketAddr>| info.0.ip()));
    /// # let _ = each_client_on_each_route;
    /// ```
    pub fn route() -> Self {
        Self::made(Kind::Route, "LimitBy::route()", |request, parts| {
            let route = request.extensions.get::<MatchedPath>().ok_or(Keyless::Unknown)?;
            parts.part(route.as_str().as_bytes());
            Ok(())
        })
    }
}
