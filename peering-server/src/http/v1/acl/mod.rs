//! Consul's ACL endpoints, one file per noun.
//!
//! | path | methods | handler |
//! |---|---|---|
//! | `/v1/acl/bootstrap` | PUT | [`bootstrap`] |
//! | `/v1/acl/policies` | GET | [`policy::list`] |
//! | `/v1/acl/policy` | PUT | [`policy::create`] |
//! | `/v1/acl/policy/{id}` | GET, PUT, DELETE | [`policy`] |
//! | `/v1/acl/policy/name/{name}` | GET | [`policy::read_by_name`] |
//! | `/v1/acl/tokens` | GET | [`token::list`] |
//! | `/v1/acl/token` | PUT | [`token::create`] |
//! | `/v1/acl/token/self` | GET | [`token::read_own`] |
//! | `/v1/acl/token/{accessor}` | GET, PUT, DELETE | [`token`] |
//! | `/v1/acl/token/{accessor}/clone` | PUT | [`token::put`] |
//! | `/v1/internal/acl/authorize` | POST | [`authorize`] |

mod authorize;
mod bootstrap;
mod policy;
mod render;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodFilter, on, post, put};
use http::request::Parts;

use super::super::only;
use crate::http::App;
use crate::http::error::HttpError;
use crate::http::extract::Asked;

/// The ACL endpoints.
pub(crate) fn routes() -> Router<Arc<App>> {
    let get = MethodFilter::GET;
    Router::new()
        .route("/v1/acl/bootstrap", only("OPTIONS,PUT", put(bootstrap::bootstrap)))
        .route("/v1/acl/policies", only("OPTIONS,GET", on(get, policy::list)))
        .route("/v1/acl/policy", only("OPTIONS,PUT", put(policy::create)))
        .route(
            "/v1/acl/policy/",
            only("OPTIONS,GET,PUT,DELETE", on(get, policy::without_id).put(policy::create).delete(policy::without_id)),
        )
        .route(
            "/v1/acl/policy/{*id}",
            only("OPTIONS,GET,PUT,DELETE", on(get, policy::read).put(policy::update).delete(policy::delete)),
        )
        .route("/v1/acl/policy/name/", only("OPTIONS,GET", on(get, policy::without_name)))
        .route("/v1/acl/policy/name/{*name}", only("OPTIONS,GET", on(get, policy::read_by_name)))
        .route("/v1/acl/tokens", only("OPTIONS,GET", on(get, token::list)))
        .route("/v1/acl/token", only("OPTIONS,PUT", put(token::create)))
        .route(
            "/v1/acl/token/",
            only("OPTIONS,GET,PUT,DELETE", on(get, token::without_id).put(token::create).delete(token::without_id)),
        )
        .route("/v1/acl/token/self", only("OPTIONS,GET", on(get, token::read_own)))
        .route(
            "/v1/acl/token/{*accessor}",
            only("OPTIONS,GET,PUT,DELETE", on(get, token::read).put(token::put).delete(token::delete)),
        )
        .route("/v1/internal/acl/authorize", only("OPTIONS,POST", post(authorize::authorize)))
}

/// Checks what every ACL endpoint checks first, in Consul's order: that access control is on, and that nothing of Consul
/// Enterprise and no other datacenter is asked for.
fn begin(app: &App, parts: &Parts) -> Result<Asked, HttpError> {
    let asked = begin_without_partition(app, parts)?;
    asked.refuse_namespace()?;
    asked.refuse_partition()?;
    Ok(asked)
}

fn begin_without_partition(app: &App, parts: &Parts) -> Result<Asked, HttpError> {
    app.service.access_is_on().map_err(crate::service::ServiceError::from)?;
    Ok(Asked::of(parts))
}
