//! `POST /v1/internal/acl/authorize`: says which rights the caller has.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use peering_core::acl::{Access, Resource};
use peering_core::api::acl::{AclAuthorization, decode_authorize};
use peering_core::foreign::echo;
use peering_core::gojson::go_quoted;

use super::begin_without_partition;
use crate::bounds::ACL_AUTHORIZATIONS_MAX;
use crate::http::error::HttpError;
use crate::http::{App, answer, body};
use crate::service::access::Identity;

pub(crate) async fn authorize(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = begin_without_partition(&app, &parts)?;
    let mut rights = decode_authorize(&body::read(body).await?)?;
    if rights.len() > ACL_AUTHORIZATIONS_MAX {
        return Err(HttpError::bad_request(format!(
            "Refusing to process more than {ACL_AUTHORIZATIONS_MAX} authorizations at once"
        )));
    }
    if !rights.is_empty() {
        let identity = app.service.identify(&asked.actor).await?;
        for right in &mut rights {
            right.allow = is_allowed(&identity, right)?;
        }
    }
    Ok(answer::json(&app, &asked, &rights))
}

fn is_allowed(identity: &Identity, right: &AclAuthorization) -> Result<bool, HttpError> {
    let resource = Resource::parse(&right.resource).ok_or_else(|| {
        HttpError::bad_request(format!("Invalid ACL resource requested: {}", go_quoted(echo(&right.resource))))
    })?;
    // Only keys can be listed.
    let access = Access::parse(&right.access)
        .filter(|access| *access != Access::List || resource == Resource::Key)
        .ok_or_else(|| {
            let (resource, access) = (resource.as_str(), echo(&right.access));
            HttpError::bad_request(format!("Invalid access level for {resource} resource: {access}"))
        })?;
    Ok(identity.allows(resource, &right.segment, access))
}
