//! The HTTP edge: Consul's peering API. A handler parses, asks one service, and renders.
//!
//! | path | methods | handler |
//! |---|---|---|
//! | `/v1/peering/token` | POST | [`v1::token`] |
//! | `/v1/peering/establish` | POST | [`v1::establish`] |
//! | `/v1/peering/{name}` | GET, DELETE | [`v1::peering`] |
//! | `/v1/peerings` | GET | [`v1::peerings`] |
//! | `/v1/status/leader` | GET | [`v1::status`] |
//! | `/v1/acl/…`, `/v1/internal/acl/authorize` | | [`v1::acl`] |

mod answer;
mod body;
mod error;
mod extract;
mod guard;
mod path;
mod v1;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on, post};
use http::header::{HeaderValue, VARY};

use crate::service::Service;
use error::HttpError;

/// What handlers share.
pub(crate) struct App {
    pub(crate) service: Arc<Service>,
    /// Whether answers are indented even if nobody asks, as in Consul's development mode.
    pub(crate) always_pretty: bool,
    /// What `/v1/status/leader` answers: the address at which this server is reached by its peers.
    pub(crate) leader: String,
}

impl App {
    /// Refuses to ask another datacenter, of which this server knows none; in Consul's words.
    pub(crate) fn refuse_other_datacenter(&self, asked: &extract::Asked) -> Result<(), HttpError> {
        let ours = self.service.cluster().datacenter().as_str();
        match asked.query("dc") {
            Some(other) if !other.eq_ignore_ascii_case(ours) => Err(HttpError::no_datacenter()),
            _ => Ok(()),
        }
    }
}

/// Builds the whole API.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/peering/token", only("OPTIONS,POST", post(v1::token::generate)))
        .route("/v1/peering/establish", only("OPTIONS,POST", post(v1::establish::establish)))
        .route(
            "/v1/peering/",
            only("OPTIONS,GET,DELETE", on(MethodFilter::GET.or(MethodFilter::DELETE), v1::peering::without_name)),
        )
        .route(
            "/v1/peering/{*name}",
            only("OPTIONS,GET,DELETE", on(MethodFilter::GET, v1::peering::read).delete(v1::peering::delete)),
        )
        .route("/v1/peerings", only("OPTIONS,GET", on(MethodFilter::GET, v1::peerings::list)))
        .route("/v1/status/leader", only("OPTIONS,GET", on(MethodFilter::GET, v1::status::leader)))
        .merge(v1::acl::routes())
        .layer(middleware::from_fn_with_state(app.service.access().default_word(), as_consul))
        .fallback(error::unknown_path)
        .layer(middleware::from_fn(path::only_canonical))
        .layer(middleware::from_fn(guard::refuse_strangers))
        .with_state(app)
}

/// Answers OPTIONS, HEAD and every other method as Consul does.
fn only(allow: &'static str, methods: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    methods
        .on(MethodFilter::OPTIONS, move || async move { error::options(allow) })
        .on(MethodFilter::HEAD, move |request: Request| async move { error::method_not_allowed(&request, allow) })
        .fallback(move |request: Request| async move { error::method_not_allowed(&request, allow) })
}

/// Runs a change to its end, even if the caller hangs up meanwhile: half of it would cost a token.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, crate::service::ServiceError>> + Send + 'static,
) -> Result<T, HttpError> {
    match tokio::spawn(change).await {
        Ok(outcome) => Ok(outcome?),
        Err(broken) => Err(HttpError::broken(&broken)),
    }
}

/// Does what every registered endpoint of Consul does: refuses a query that cannot be read, and adds headers.
async fn as_consul(State(default_policy): State<&'static str>, request: Request, next: Next) -> Response {
    let mut response = match request.uri().query() {
        Some(query) if !path::is_query(query) => error::bad_query(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert("x-consul-default-acl-policy", HeaderValue::from_static(default_policy));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}
