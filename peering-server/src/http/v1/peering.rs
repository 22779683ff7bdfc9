//! `GET` and `DELETE /v1/peering/:name`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::render;
use crate::http::App;
use crate::http::answer;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking_for_one};
use crate::service::access::Action;
use crate::service::peerings::{peering_key, peering_not_found};

pub(crate) async fn read(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    asked.refuse_partition()?;
    let options = ReadOptions::of(&parts)?;
    let watched = peering_key(&name);
    let found = blocking_for_one(&app, options, watched.as_deref(), || async {
        // Asked again after a wait, over which a token may have ended.
        app.service.require(&asked.actor, Action::PeeringRead).await?;
        app.service.find_peering(&name).await
    })
    .await?;
    let found = found.or_not_found(|| peering_not_found(&name))?;
    let response = answer::json(&app, &asked, &render::peering(&found.value));
    Ok(answer::with_index(response, found.index))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    asked.refuse_partition()?;
    let origin = app.service.require(&asked.actor, Action::PeeringWrite).await?;
    app.service.delete_peering(&name, origin).await?;
    Ok(answer::empty())
}

pub(crate) async fn without_name() -> HttpError {
    HttpError::bad_request("Must specify a name to fetch.")
}
