//! Measures every request to an endpoint, by its route.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use tokio::time::Instant;

use super::App;
use crate::metrics;

/// Methods that are told by name; whatever else a client invents is one series.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

pub(super) async fn timed(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|matched| label(matched.as_str()));
    let method = METHODS.into_iter().find(|method| method == request.method());
    let begun = Instant::now();
    let response = next.run(request).await;
    if let Some(path) = path {
        let method = method.as_ref().map_or("OTHER", Method::as_str);
        let labels = [(metrics::METHOD, method), (metrics::PATH, path.as_str())];
        app.service.metrics.took(&metrics::HTTP, &labels, begun.elapsed());
    }
    response
}

/// Turns a route into Consul's label: the fixed part, with `_` for every inner slash.
fn label(route: &str) -> String {
    let fixed = route.split('{').next().unwrap_or_default();
    fixed.trim_start_matches('/').replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_consuls() {
        for (route, expected) in [
            ("/v1/peering/token", "v1_peering_token"),
            ("/v1/peering/{*name}", "v1_peering_"),
            ("/v1/peering/", "v1_peering_"),
            ("/v1/config/{kind}/{*name}", "v1_config_"),
            ("/v1/exported-services", "v1_exported-services"),
        ] {
            assert_eq!(label(route), expected);
        }
    }
}
