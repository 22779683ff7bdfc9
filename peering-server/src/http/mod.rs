//! The HTTP edge: Consul's peering API. A handler parses, asks one service, and renders.
//!
//! | path | methods | handler |
//! |---|---|---|
//! | `/v1/peering/token` | POST | [`v1::token`] |
//! | `/v1/peering/establish` | POST | [`v1::establish`] |
//! | `/v1/peering/{name}` | GET, DELETE | [`v1::peering`] |
//! | `/v1/peerings` | GET | [`v1::peerings`] |
//! | `/v1/peering-tokens` | GET | [`v1::issued`] |
//! | `/v1/peering-tokens/{id}` | GET, DELETE | [`v1::issued`] |
//! | `/v1/config` | PUT | [`v1::config`] |
//! | `/v1/config/{kind}/{name}`, `/v1/config/{kind}` | GET, DELETE | [`v1::config`] |
//! | `/v1/exported-services` | GET | [`v1::exported`] |
//! | `/v1/internal/ui/exported-services` | GET | [`v1::exported`] |
//! | `/v1/catalog/…`, `/v1/health/service/{name}`, `/v1/internal/ui/services` | GET | [`v1::catalog`] |
//! | `/v1/connect/ca/roots`, `/v1/agent/connect/ca/roots` | GET | [`v1::roots`] |
//! | `/v1/agent/self` | GET | [`v1::agent`] |
//! | `/v1/agent/metrics`, `/metrics` | GET | [`v1::metrics`] |
//! | `/v1/status/leader`, `/v1/status/peers` | GET | [`v1::status`] |
//! | `/v1/peering-audit/key`, `/v1/peering-audit/head` | GET | [`v1::audit`] |
//! | `/v1/acl/…`, `/v1/internal/acl/authorize` | | [`v1::acl`] |

mod answer;
mod body;
mod error;
mod extract;
mod guard;
mod path;
mod query;
mod requests;
mod timed;
mod v1;
#[cfg(test)]
mod waiting_tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on, post, put};
use http::header::{HeaderValue, VARY};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use crate::service::Service;
use error::HttpError;

/// Least bytes of an answer that is compressed for a client that takes gzip; Consul's number, one packet of Ethernet.
const GZIP_BYTES_MIN: u16 = 1_400;

/// What handlers share.
pub(crate) struct App {
    pub(crate) service: Arc<Service>,
    /// Whether answers are indented even if nobody asks, as in Consul's development mode.
    pub(crate) always_pretty: bool,
    /// What `/v1/status/leader` answers: the address at which this server is reached by its peers.
    pub(crate) leader: String,
    /// This server's name.
    pub(crate) node_name: String,
    /// Where its peers are accepted.
    pub(crate) peer_address: SocketAddr,
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
        .route("/v1/peering-tokens", only_get(v1::issued::list))
        .route("/v1/peering-tokens/", read_or_delete(v1::issued::without_id, v1::issued::without_id))
        .route("/v1/peering-tokens/{*id}", read_or_delete(v1::issued::read, v1::issued::revoke))
        .route("/v1/config", only("OPTIONS,PUT", put(v1::config::write)))
        .route("/v1/config/", read_or_delete(v1::config::list_all, v1::config::delete_unnamed))
        .route("/v1/config/{kind}", read_or_delete(v1::config::list, v1::config::delete_unnamed))
        .route("/v1/config/{kind}/", read_or_delete(v1::config::read_unnamed, v1::config::delete_empty))
        .route("/v1/config/{kind}/{*name}", read_or_delete(v1::config::read, v1::config::delete))
        .route("/v1/exported-services", only_get(v1::exported::by_service))
        .route("/v1/internal/ui/exported-services", only_get(v1::exported::to_peer))
        .route("/v1/internal/ui/services", only_get(v1::catalog::none))
        .route("/v1/catalog/datacenters", only_get(v1::catalog::datacenters))
        .route("/v1/catalog/node/{*name}", only_get(v1::catalog::no_node))
        .route("/v1/catalog/nodes", only_get(v1::catalog::none))
        .route("/v1/catalog/services", only_get(v1::catalog::no_services))
        .route("/v1/catalog/service/", only_get(v1::catalog::without_name))
        .route("/v1/catalog/service/{*name}", only_get(v1::catalog::none))
        .route("/v1/health/service/", only_get(v1::catalog::without_name))
        .route("/v1/health/service/{*name}", only_get(v1::catalog::none))
        .route("/v1/connect/ca/roots", only_get(v1::roots::list))
        .route("/v1/agent/connect/ca/roots", only_get(v1::roots::list))
        .route("/v1/agent/self", only_get(v1::agent::this))
        .route("/v1/agent/metrics", only_get(v1::metrics::consul))
        .route("/metrics", only_get(v1::metrics::prometheus))
        .route("/v1/status/leader", only_get(v1::status::leader))
        .route("/v1/status/peers", only_get(v1::status::peers))
        .route("/v1/peering-audit/key", only_get(v1::audit::keys))
        .route("/v1/peering-audit/head", only_get(v1::audit::head))
        .merge(v1::acl::routes())
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(GZIP_BYTES_MIN)))
        .layer(middleware::from_fn_with_state(app.service.access().default_word(), as_consul))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), timed::timed))
        .fallback(error::unknown_path)
        .layer(middleware::from_fn(path::only_canonical))
        .layer(middleware::from_fn(guard::refuse_strangers))
        .layer(middleware::from_fn(requests::told))
        .with_state(app)
}

/// An endpoint that is only read.
fn only_get<H: Handler<T, Arc<App>>, T: 'static>(handler: H) -> MethodRouter<Arc<App>> {
    only("OPTIONS,GET", on(MethodFilter::GET, handler))
}

/// An endpoint that is read and deleted.
fn read_or_delete<R, D, T, U>(read: R, delete: D) -> MethodRouter<Arc<App>>
where
    R: Handler<T, Arc<App>>,
    D: Handler<U, Arc<App>>,
    T: 'static,
    U: 'static,
{
    only("OPTIONS,GET,DELETE", on(MethodFilter::GET, read).delete(delete))
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
