//! `GET /v1/peerings`: lists all peerings.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use peering_core::api::v1::Peering;

use super::render;
use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking};
use crate::service::access::Action;
use crate::store::key;

pub(crate) async fn list(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    asked.refuse_partition()?;
    let options = ReadOptions::of(&parts)?;
    let listed = blocking(&app, options, key::PEERINGS, || async {
        // Asked again after a wait, over which a token may have ended.
        app.service.require(&asked.actor, Action::PeeringRead).await?;
        app.service.list_peerings().await
    })
    .await?;
    let peerings: Vec<Peering> = listed.value.iter().map(render::peering).collect();
    Ok(answer::with_index(answer::json(&app, &asked, &peerings), listed.index))
}
