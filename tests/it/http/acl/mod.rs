//! Access control over HTTP: who may do what, tokens and policies, and the first management token.

mod bootstrap;
mod cases;
mod policies;
mod refusals;
mod tokens;

use std::fs;

use peering_server::config::AclMode;
use peering_tests::cluster::Cluster;
use peering_tests::http::Answer;
use peering_tests::site::private_directory;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A cluster with access control, and its first management token.
pub(crate) struct Guarded {
    pub(crate) cluster: Cluster,
    management: String,
    directory: TempDir,
}

impl Guarded {
    pub(crate) async fn start() -> Self {
        Self::start_as(AclMode::Deny).await
    }

    async fn start_as(mode: AclMode) -> Self {
        let directory = private_directory();
        let file = directory.path().join("management-token");
        let socket = directory.path().join("api.sock");
        let audit_log = directory.path().join("audit.log");
        let cluster = Cluster::start_changed("dc1", |config| {
            config.acl = mode;
            config.management_token = Some(file.clone());
            config.http_unix = vec![socket];
            config.audit.file = Some(audit_log);
        })
        .await;
        let management = fs::read_to_string(file).unwrap();
        Self { cluster, management, directory }
    }

    /// Ends the server in order, and returns its audit trail.
    pub(crate) async fn end(mut self) -> String {
        self.cluster.stop().await;
        fs::read_to_string(self.directory.path().join("audit.log")).unwrap()
    }

    /// Asks with a token; an empty one is none.
    async fn ask(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let headers = [("x-consul-token", token)];
        let headers = if token.is_empty() { &[][..] } else { &headers };
        self.cluster.http().send(method, path, headers, body.to_owned()).await
    }

    /// Asks as who may do everything.
    async fn manage(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(method, path, &self.management, &body).await
    }

    /// Makes a policy with these rules and a token that has it alone, and returns the token.
    pub(crate) async fn token_with(&self, name: &str, rules: &str) -> Value {
        let policy = self.manage(Method::PUT, "/v1/acl/policy", json!({ "Name": name, "Rules": rules })).await;
        accepted(&policy);
        let body = json!({ "Policies": [{ "Name": name }] });
        accepted(&self.manage(Method::PUT, "/v1/acl/token", body).await)
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[track_caller]
fn accepted(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.body);
    answer.json()
}

/// Checks that an answer is an error as Consul's: bare text, no JSON, no newline, no index.
#[track_caller]
fn refused(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, text));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-consul-index"), None, "an error has no index");
}

const ANONYMOUS_MAY_NOT: &str = "Permission denied: anonymous token lacks permission 'peering:write'. The anonymous token is used implicitly when a request does not specify a token.";
