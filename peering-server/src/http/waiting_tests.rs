//! A crowd of reads that wait for one change, without connections.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use http::header::HOST;
use http_body_util::BodyExt;
use peering_core::name::Datacenter;
use peering_core::transition::Origin;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::{App, router};
use crate::bounds::WAITING_READS_MAX;
use crate::config::Config;
use crate::server::Server;
use crate::service::peerings::TokenRequest;

/// The crowd of the story: more than a site has, less than the bound.
const CROWD: usize = 5_000;

struct Api {
    server: Server,
    router: Router,
}

impl Api {
    async fn start() -> Self {
        let server = Server::start(Config::ephemeral(Datacenter::first())).await.unwrap();
        let app = App {
            service: Arc::clone(server.service()),
            always_pretty: false,
            leader: String::new(),
            node_name: String::new(),
            peer_address: server.peer_address(),
        };
        Self { server, router: router(Arc::new(app)) }
    }

    async fn generate(&self, name: &str) {
        let service = self.server.service();
        let request = TokenRequest { name: name.to_owned(), ..TokenRequest::default() };
        service.generate_token(service.check_token_request(request).unwrap(), Origin::default()).await.unwrap();
    }

    async fn index(&self) -> u64 {
        index(&get(self.router.clone(), "/v1/peerings".to_owned()).await)
    }

    /// Begins so many reads, and returns when all of them wait.
    async fn crowd(&self, size: usize, path: impl Fn(usize) -> String) -> JoinSet<Response> {
        let mut crowd = JoinSet::new();
        for number in 0..size {
            crowd.spawn(get(self.router.clone(), path(number)));
        }
        while self.waiting().0 < size {
            assert!(crowd.try_join_next().is_none(), "one was answered at once");
            tokio::task::yield_now().await;
        }
        crowd
    }

    fn waiting(&self) -> (usize, usize) {
        self.server.service().changes.counts()
    }
}

async fn get(router: Router, path: String) -> Response {
    let request = Request::get(path).header(HOST, "localhost").body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap()
}

fn index(answer: &Response) -> u64 {
    answer.headers()["x-consul-index"].to_str().unwrap().parse().unwrap()
}

async fn text(answer: Response) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn five_thousand_reads_wait_on_one_bell_and_one_write_wakes_them_all() {
    let api = Api::start().await;
    api.generate("a").await;
    let now = api.index().await;
    let mut crowd = api.crowd(CROWD, |_| format!("/v1/peerings?index={now}&wait=600s")).await;
    assert_eq!(api.waiting(), (CROWD, 1));
    api.generate("a").await;
    let mut woken = 0;
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap();
        assert!(index(&answer) > now);
        woken += 1;
    }
    assert_eq!((woken, api.waiting()), (CROWD, (0, 0)));
    api.server.shutdown().await;
}

#[tokio::test]
async fn reads_that_wait_for_different_peerings_have_a_bell_each_and_those_that_are_given_up_leave_none() {
    let api = Api::start().await;
    let mut crowd = api.crowd(1_000, |number| format!("/v1/peering/p{}?index=99999", number % 100)).await;
    assert_eq!(api.waiting(), (1_000, 100));
    crowd.abort_all();
    while crowd.join_next().await.is_some() {}
    assert_eq!(api.waiting(), (0, 0));
    api.server.shutdown().await;
}

#[tokio::test]
async fn one_read_more_than_may_wait_is_told_to_come_again() {
    let api = Api::start().await;
    let crowd = api.crowd(WAITING_READS_MAX, |_| "/v1/peerings?index=99999".to_owned()).await;
    let refused = get(api.router.clone(), "/v1/peerings?index=99999".to_owned()).await;
    assert_eq!(refused.status().as_u16(), 429);
    assert!(text(refused).await.starts_with("rate limit exceeded, try again later or against a different server"));
    // Who does not wait is served.
    assert_eq!(api.index().await, 1);
    drop(crowd);
    api.server.shutdown().await;
}
