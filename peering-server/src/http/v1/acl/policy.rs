//! `/v1/acl/policy` and `/v1/acl/policies`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use peering_core::api::acl::{AclPolicyStub, decode_policy};

use super::{begin, render};
use crate::http::error::HttpError;
use crate::http::query::{ReadOptions, blocking};
use crate::http::{App, answer, body, to_its_end};
use crate::store::key;

pub(crate) async fn list(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = begin(&app, &parts)?;
    let options = ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    let listed = blocking(&app, options, key::ACL_POLICIES, || app.service.list_policies(&asked.actor)).await?;
    let policies: Vec<AclPolicyStub> = listed.value.iter().map(render::stub).collect();
    Ok(answer::with_index(answer::json(&app, &asked, &policies), listed.index))
}

pub(crate) async fn create(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = begin(&app, &parts)?;
    let wanted = decode_policy(&body::read(body).await?)?;
    if !wanted.id.is_empty() {
        return Err(HttpError::bad_request("Cannot specify the ID when creating a new policy"));
    }
    app.refuse_other_datacenter(&asked)?;
    let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
    let view = to_its_end(async move { service.create_policy(&actor, wanted).await }).await?;
    Ok(answer::json(&app, &asked, &render::policy(&view)))
}

pub(crate) async fn read(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = begin(&app, &parts)?;
    let options = ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    let found = blocking(&app, options, key::ACL_POLICIES, || app.service.read_policy(&asked.actor, &id)).await?;
    Ok(answer::with_index(answer::json(&app, &asked, &render::policy(&found.value)), found.index))
}

pub(crate) async fn read_by_name(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = begin(&app, &parts)?;
    let options = ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    let found =
        blocking(&app, options, key::ACL_POLICIES, || app.service.read_policy_by_name(&asked.actor, &name)).await?;
    Ok(answer::with_index(answer::json(&app, &asked, &render::policy(&found.value)), found.index))
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = begin(&app, &parts)?;
    let wanted = decode_policy(&body::read(body).await?)?;
    if !wanted.id.is_empty() && wanted.id != id {
        return Err(HttpError::bad_request("Policy ID in URL and payload do not match"));
    }
    app.refuse_other_datacenter(&asked)?;
    let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
    let view = to_its_end(async move { service.update_policy(&actor, &id, wanted).await }).await?;
    Ok(answer::json(&app, &asked, &render::policy(&view)))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let asked = begin(&app, &request.into_parts().0)?;
    app.refuse_other_datacenter(&asked)?;
    let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
    to_its_end(async move { service.delete_policy(&actor, &id).await }).await?;
    Ok(answer::json(&app, &asked, &true))
}

pub(crate) async fn without_id(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    begin(&app, &request.into_parts().0)?;
    Err(HttpError::bad_request("Missing policy ID"))
}

pub(crate) async fn without_name(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    begin(&app, &request.into_parts().0)?;
    Err(HttpError::bad_request("Missing policy Name"))
}
