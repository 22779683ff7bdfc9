//! `GET /v1/agent/metrics` in Consul's JSON or as Prometheus' text, and `GET /metrics` as the latter.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::service::access::Action;

/// The type of Prometheus' text, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn consul(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    app.service.require(&asked.actor, Action::AgentRead).await?;
    let report = app.service.report().await?;
    Ok(match asked.query("format") {
        Some("prometheus") => answer::text(TEXT, report.prometheus()),
        _ => answer::json(&app, &asked, &report.consul()),
    })
}

pub(crate) async fn prometheus(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    app.service.require(&asked.actor, Action::AgentRead).await?;
    Ok(answer::text(TEXT, app.service.report().await?.prometheus()))
}
