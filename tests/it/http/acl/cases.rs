//! Cases 45 to 48: which token counts, and what it may do with peerings.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ANONYMOUS_MAY_NOT, Guarded, accepted, refused, text};

const TOKEN: &str = "/v1/peering/token";
const BODY: &str = r#"{"PeerName":"c2"}"#;

#[tokio::test]
async fn api_case_45_without_a_right_a_caller_is_refused_by_name() {
    let guarded = Guarded::start().await;
    let reader = guarded.token_with("reader", "peering = \"read\"").await;
    let (accessor, secret) = (text(&reader, "AccessorID"), text(&reader, "SecretID"));
    let denied = |right: &str| {
        format!("Permission denied: token with AccessorID '{accessor}' lacks permission 'peering:{right}'")
    };
    for (method, path, body) in [
        (Method::POST, TOKEN, BODY),
        (
            Method::POST,
            "/v1/peering/establish",
            r#"{"PeerName":"c2","PeeringToken":"eyJDQSI6bnVsbCwiTWFudWFsU2VydmVyQWRkcmVzc2VzIjpbImxiLmV4YW1wbGUubmV0Ojg1MDMiXSwiU2VydmVyQWRkcmVzc2VzIjpbIjEwLjAuMC41Ojg1MDMiXSwiU2VydmVyTmFtZSI6IiIsIlBlZXJJRCI6IjViMWM5YTBlLTJmNmQtNGI3YS04YzNlLTFkMmYzYTRiNWM2ZCIsIkVzdGFibGlzaG1lbnRTZWNyZXQiOiJjMGZmZWUwMC0xMTExLTIyMjItMzMzMy00NDQ0NTU1NTY2NjYiLCJSZW1vdGUiOnsiUGFydGl0aW9uIjoiIiwiRGF0YWNlbnRlciI6ImRjMSIsIkxvY2FsaXR5Ijp7IlJlZ2lvbiI6InVzLXdlc3QtMSJ9fX0="}"#,
        ),
        (Method::DELETE, "/v1/peering/c2", ""),
    ] {
        let answer = guarded.ask(method.clone(), path, "", body).await;
        refused(&answer, 403, ANONYMOUS_MAY_NOT);
        assert_eq!(answer.header("x-consul-default-acl-policy"), Some("deny"));
        refused(&guarded.ask(method.clone(), path, "anonymous", body).await, 403, ANONYMOUS_MAY_NOT);
        refused(&guarded.ask(method, path, secret, body).await, 403, &denied("write"));
    }
    let anonymous_read = ANONYMOUS_MAY_NOT.replace("peering:write", "peering:read");
    for path in ["/v1/peerings", "/v1/peering/c2"] {
        refused(&guarded.ask(Method::GET, path, "", "").await, 403, &anonymous_read);
    }
    let listed = guarded.ask(Method::GET, "/v1/peerings", secret, "").await;
    assert_eq!(accepted(&listed), json!([]));
    refused(&guarded.ask(Method::GET, "/v1/peering/c2", secret, "").await, 404, "Peering not found for \"c2\"");

    let nobody = guarded.token_with("nobody", "peering = \"deny\"\noperator = \"write\"").await;
    let accessor = text(&nobody, "AccessorID");
    let denied = format!("Permission denied: token with AccessorID '{accessor}' lacks permission 'peering:read'");
    refused(&guarded.ask(Method::GET, "/v1/peerings", text(&nobody, "SecretID"), "").await, 403, &denied);
}

#[tokio::test]
async fn api_case_46_a_bad_name_is_reported_before_a_missing_right() {
    let guarded = Guarded::start().await;
    let name = "C3 is not a valid peer name: a valid peering name must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
    refused(&guarded.ask(Method::POST, TOKEN, "", r#"{"PeerName":"C3"}"#).await, 500, name);
    refused(&guarded.ask(Method::POST, TOKEN, "nobody's", r#"{"PeerName":"C3"}"#).await, 500, name);
    let missing = "PeerName is required in the payload when generating a new peering token.";
    refused(&guarded.ask(Method::POST, TOKEN, "", "{}").await, 400, missing);
}

#[tokio::test]
async fn api_case_47_an_unknown_secret_is_not_found_and_an_operator_may_write() {
    let guarded = Guarded::start().await;
    for unknown in ["nope", "11111111-2222-3333-4444-555555555555", &guarded.management.to_uppercase()] {
        refused(&guarded.ask(Method::POST, TOKEN, unknown, BODY).await, 403, "ACL not found");
        refused(&guarded.ask(Method::GET, "/v1/peerings", unknown, "").await, 403, "ACL not found");
    }
    for root in ["allow", "deny", "manage"] {
        refused(&guarded.ask(Method::POST, TOKEN, root, BODY).await, 500, "Cannot resolve root ACL");
    }
    let operator = guarded.token_with("operator", "operator = \"write\"").await;
    let made = guarded.ask(Method::POST, TOKEN, text(&operator, "SecretID"), BODY).await;
    assert!(accepted(&made)["PeeringToken"].is_string());
}

#[tokio::test]
async fn api_case_48_a_token_in_the_query_counts_before_a_header_and_that_before_a_bearer() {
    let guarded = Guarded::start().await;
    let (good, bad) = (guarded.management.as_str(), "11111111-2222-3333-4444-555555555555");
    let bearer = |token: &str| format!("bEARER {token} whatever follows");
    for (query, header, authorization, status) in [
        (good, bad, bearer(bad), 200),
        (bad, good, bearer(good), 403),
        ("", good, bearer(bad), 200),
        ("", bad, bearer(good), 403),
        ("", "", bearer(good), 200),
        ("", "", bearer(bad), 403),
        ("", "", format!("Basic {good}"), 403),
    ] {
        let headers = [("x-consul-token", header), ("authorization", authorization.as_str())];
        let path = format!("/v1/peerings?token={query}");
        let answer = guarded.cluster.http().send(Method::GET, &path, &headers, "").await;
        assert_eq!(answer.status, status, "{query:?} {header:?} {authorization:?}: {}", answer.body);
    }
}

#[tokio::test]
async fn with_a_default_of_allowing_only_tokens_and_policies_need_a_right() {
    let guarded = Guarded::start_as(peering_server::config::AclMode::Allow).await;
    let made = guarded.ask(Method::POST, TOKEN, "", BODY).await;
    assert_eq!((made.status, made.header("x-consul-default-acl-policy")), (200, Some("allow")));
    let denied = ANONYMOUS_MAY_NOT.replace("peering:write", "acl:read");
    refused(&guarded.ask(Method::GET, "/v1/acl/tokens", "", "").await, 403, &denied);
    refused(&guarded.ask(Method::GET, "/v1/peerings", "nope", "").await, 403, "ACL not found");
    accepted(&guarded.manage(Method::GET, "/v1/acl/tokens", Value::Null).await);
}

#[tokio::test]
async fn without_access_control_tokens_are_not_looked_at_and_their_endpoints_say_so() {
    let cluster = peering_tests::cluster::Cluster::start("dc1").await;
    let any = [("x-consul-token", "allow")];
    assert_eq!(cluster.http().send(Method::GET, "/v1/peerings?token=x", &any, "").await.status, 200);
    for (method, path) in [
        (Method::PUT, "/v1/acl/bootstrap"),
        (Method::GET, "/v1/acl/policies"),
        (Method::PUT, "/v1/acl/policy"),
        (Method::GET, "/v1/acl/policy/x"),
        (Method::GET, "/v1/acl/policy/name/x"),
        (Method::DELETE, "/v1/acl/policy/x"),
        (Method::GET, "/v1/acl/tokens"),
        (Method::GET, "/v1/acl/token/self"),
        (Method::PUT, "/v1/acl/token"),
        (Method::PUT, "/v1/acl/token/x"),
        (Method::POST, "/v1/internal/acl/authorize"),
    ] {
        cluster.http().ask(method, path).await.refuses(401, "ACL support disabled");
    }
}

#[tokio::test]
async fn issued_tokens_are_seen_by_readers_revoked_by_writers_and_name_who_asked_for_them() {
    let guarded = Guarded::start().await;
    let reader = guarded.token_with("reader", "peering = \"read\"").await;
    let writer = guarded.token_with("writer", "peering = \"write\"").await;
    let (reader, accessor) = ((text(&reader, "SecretID"), text(&reader, "AccessorID")), text(&writer, "AccessorID"));
    let writer = text(&writer, "SecretID");
    accepted(&guarded.ask(Method::POST, TOKEN, writer, BODY).await);

    let listed = accepted(&guarded.ask(Method::GET, "/v1/peering-tokens", reader.0, "").await);
    assert_eq!(listed[0]["CreatedBy"], accessor);
    let path = format!("/v1/peering-tokens/{}", text(&listed[0], "TokenID"));
    assert_eq!(accepted(&guarded.ask(Method::GET, &path, reader.0, "").await), listed[0]);
    let anonymous_read = ANONYMOUS_MAY_NOT.replace("peering:write", "peering:read");
    for path in ["/v1/peering-tokens", &path] {
        refused(&guarded.ask(Method::GET, path, "", "").await, 403, &anonymous_read);
    }
    let denied = format!("Permission denied: token with AccessorID '{}' lacks permission 'peering:write'", reader.1);
    refused(&guarded.ask(Method::DELETE, &path, "", "").await, 403, ANONYMOUS_MAY_NOT);
    refused(&guarded.ask(Method::DELETE, &path, reader.0, "").await, 403, &denied);
    let again = accepted(&guarded.ask(Method::GET, &path, reader.0, "").await);
    assert_eq!(again["State"], "unused", "what was refused changed nothing");
    assert_eq!(guarded.ask(Method::DELETE, &path, writer, "").await.status, 200);
    assert_eq!(accepted(&guarded.ask(Method::GET, &path, reader.0, "").await)["State"], "revoked");
}
