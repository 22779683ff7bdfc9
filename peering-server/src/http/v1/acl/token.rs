//! `/v1/acl/token` and `/v1/acl/tokens`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use peering_core::api::acl::{AclExpansion, AclToken, decode_token};

use super::{begin, render};
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking};
use crate::http::{App, answer, body, to_its_end};
use crate::service::acl::TokenView;
use crate::store::key;

/// What Consul adds to the path of a token to make another one like it.
const CLONE: &str = "/clone";

pub(crate) async fn list(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = begin(&app, &parts)?;
    let options = ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    let listed =
        blocking(&app, options, key::ACL_TOKENS, || app.service.list_tokens(&asked.actor, asked.query("policy")))
            .await?;
    let tokens: Vec<AclToken> = listed.value.iter().map(render::token).collect();
    Ok(answer::with_index(answer::json(&app, &asked, &tokens), listed.index))
}

pub(crate) async fn create(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = begin(&app, &parts)?;
    let wanted = decode_token(&body::read(body).await?)?;
    app.refuse_other_datacenter(&asked)?;
    let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
    let view = to_its_end(async move { service.create_token(&actor, wanted).await }).await?;
    Ok(answer::json(&app, &asked, &render::token(&view)))
}

pub(crate) async fn read_own(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = begin(&app, &parts)?;
    let options = ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    let found = blocking(&app, options, key::ACL_TOKENS, || app.service.read_own_token(&asked.actor)).await?;
    Ok(answer::with_index(answer::json(&app, &asked, &render::token(&found.value)), found.index))
}

pub(crate) async fn read(
    State(app): State<Arc<App>>,
    Path(accessor): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = begin(&app, &parts)?;
    let options = ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    let found = blocking(&app, options, key::ACL_TOKENS, || app.service.read_token(&asked.actor, &accessor)).await?;
    let mut token = render::token(&found.value);
    if asked.query("expanded").is_some_and(is_true) {
        token.expanded = Some(expansion(&app, &found.value).await?);
    }
    Ok(answer::with_index(answer::json(&app, &asked, &token), found.index))
}

async fn expansion(app: &App, view: &TokenView) -> Result<AclExpansion, HttpError> {
    let policies = app.service.policies_of(view).await?;
    let shown: Vec<_> = policies.iter().map(render::policy).collect();
    let access = app.service.access();
    Ok(AclExpansion {
        expanded_policies: (!shown.is_empty()).then_some(shown),
        agent_acl_default_policy: access.default_word().to_owned(),
        agent_acl_down_policy: "extend-cache".to_owned(),
        resolved_by_agent: access.node.clone(),
        ..AclExpansion::default()
    })
}

/// Changes a token, or makes another one like it.
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(accessor): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = begin(&app, &parts)?;
    let body = body::read(body).await?;
    match accessor.strip_suffix(CLONE) {
        Some(original) => {
            let wanted = decode_token(&body)?;
            app.refuse_other_datacenter(&asked)?;
            duplicate(app, asked, original.to_owned(), wanted.description).await
        }
        None => {
            let wanted = decode_token(&body)?;
            if !wanted.accessor_id.is_empty() && wanted.accessor_id != accessor {
                return Err(HttpError::bad_request("Token Accessor ID in URL and payload do not match"));
            }
            app.refuse_other_datacenter(&asked)?;
            let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
            let view = to_its_end(async move { service.update_token(&actor, &accessor, wanted).await }).await?;
            Ok(answer::json(&app, &asked, &render::token(&view)))
        }
    }
}

async fn duplicate(
    app: Arc<App>,
    asked: Asked,
    original: String,
    description: Option<String>,
) -> Result<Response, HttpError> {
    let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
    let view = to_its_end(async move { service.clone_token(&actor, &original, description).await }).await?;
    Ok(answer::json(&app, &asked, &render::token(&view)))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(accessor): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let asked = begin(&app, &request.into_parts().0)?;
    app.refuse_other_datacenter(&asked)?;
    let (service, actor) = (Arc::clone(&app.service), asked.actor.clone());
    to_its_end(async move { service.delete_token(&actor, &accessor).await }).await?;
    Ok(answer::json(&app, &asked, &true))
}

pub(crate) async fn without_id(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    begin(&app, &request.into_parts().0)?;
    Err(HttpError::bad_request("Missing token AccessorID"))
}

/// Reads a boolean as Go does; anything else is none.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}
