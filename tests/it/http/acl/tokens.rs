//! The life of a token, in Consul's bytes.

use std::sync::Arc;
use std::time::Duration;

use peering_server::clock::{Clock, ManualClock, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ANONYMOUS_MAY_NOT, Guarded, accepted, refused, text};

const TOKEN: &str = "/v1/acl/token";
const ANONYMOUS: &str = "/v1/acl/token/00000000-0000-0000-0000-000000000002";

#[tokio::test]
async fn a_token_is_made_read_listed_changed_and_deleted() {
    let guarded = Guarded::start().await;
    let policy = accepted(
        &guarded
            .manage(Method::PUT, "/v1/acl/policy", json!({ "Name": "reader", "Rules": "peering = \"read\"" }))
            .await,
    );
    let policy = text(&policy, "ID");
    let body = json!({ "Description": "<d>", "Policies": [{ "Name": "reader" }, { "ID": policy }] });
    let made = guarded.manage(Method::PUT, TOKEN, body).await;
    let token = accepted(&made);
    let (accessor, secret) = (text(&token, "AccessorID").to_owned(), text(&token, "SecretID").to_owned());
    let (time, hash, create) = (text(&token, "CreateTime"), text(&token, "Hash"), &token["CreateIndex"]);
    assert_eq!(
        made.body,
        format!(
            r#"{{"AccessorID":"{accessor}","SecretID":"{secret}","Description":"\u003cd\u003e","Policies":[{{"ID":"{policy}","Name":"reader"}}],"Local":false,"CreateTime":"{time}","Hash":"{hash}","CreateIndex":{create},"ModifyIndex":{create}}}"#
        )
    );
    let path = format!("{TOKEN}/{accessor}");
    assert_eq!(guarded.manage(Method::GET, &path, Value::Null).await.body, made.body);
    let own = guarded.ask(Method::GET, "/v1/acl/token/self", &secret, "").await;
    assert_eq!(
        (own.body.as_str(), own.header("x-consul-index")),
        (made.body.as_str(), Some(create.to_string().as_str()))
    );

    let expanded = guarded.manage(Method::GET, &format!("{path}?expanded=true"), Value::Null).await;
    let start = made.body.trim_end_matches('}');
    assert!(
        expanded.body.starts_with(&format!("{start},\"ExpandedPolicies\":[{{\"ID\":\"{policy}\"")),
        "{}",
        expanded.body
    );
    assert!(expanded.body.contains(r#""ExpandedRoles":null,"NamespaceDefaultPolicyIDs":null,"NamespaceDefaultRoleIDs":null,"AgentACLDefaultPolicy":"deny","AgentACLDownPolicy":"extend-cache","ResolvedByAgent":"peering""#), "{}", expanded.body);

    // What has no right to change tokens sees no secret.
    let looker = guarded.token_with("looker", "acl = \"read\"").await;
    let looker = text(&looker, "SecretID");
    let seen = guarded.ask(Method::GET, &path, looker, "").await;
    assert_eq!(seen.body, made.body.replace(&secret, r"\u003chidden\u003e"));
    let listed = guarded.ask(Method::GET, "/v1/acl/tokens", looker, "").await;
    assert!(!listed.body.contains(&secret) && !listed.body.contains(&guarded.management), "{}", listed.body);
    assert!(accepted(&listed).as_array().unwrap().iter().all(|token| token["SecretID"] == "<hidden>"));
    let listed = accepted(&guarded.manage(Method::GET, "/v1/acl/tokens", Value::Null).await);
    assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
    let filtered =
        accepted(&guarded.manage(Method::GET, &format!("/v1/acl/tokens?policy={policy}"), Value::Null).await);
    assert_eq!(filtered, json!([token]));

    let changed = accepted(&guarded.manage(Method::PUT, &path, json!({ "Description": "new" })).await);
    assert_eq!(
        (text(&changed, "SecretID"), text(&changed, "Hash")),
        (secret.as_str(), "vGj+rBJnm0a9hejLx+CivaibAk/0Mbn0u/bd9BRwOEc=")
    );
    assert_eq!(changed.get("Policies"), None);
    assert_eq!(guarded.ask(Method::GET, "/v1/peerings", &secret, "").await.status, 403, "a change counts at once");
    let clone =
        accepted(&guarded.manage(Method::PUT, &format!("{path}/clone"), json!({ "Description": "clone" })).await);
    assert_eq!(text(&clone, "Description"), "clone");
    assert_ne!(text(&clone, "SecretID"), secret);

    let deleted = guarded.manage(Method::DELETE, &path, Value::Null).await;
    assert_eq!((deleted.status, deleted.body.as_str()), (200, "true"));
    refused(&guarded.manage(Method::DELETE, &path, Value::Null).await, 404, "Cannot find token to delete");
    refused(&guarded.ask(Method::GET, "/v1/peerings", &secret, "").await, 403, "ACL not found");
}

#[tokio::test]
async fn a_deleted_policy_leaves_its_tokens_at_once() {
    let guarded = Guarded::start().await;
    let token = guarded.token_with("reader", "peering = \"read\"").await;
    let (secret, policy) = (text(&token, "SecretID"), text(&token["Policies"][0], "ID"));
    assert_eq!(guarded.ask(Method::GET, "/v1/peerings", secret, "").await.status, 200);
    let path = format!("/v1/acl/policy/{policy}");
    let rules = json!({ "Name": "reader", "Rules": "peering = \"deny\"" });
    accepted(&guarded.manage(Method::PUT, &path, rules).await);
    assert_eq!(guarded.ask(Method::GET, "/v1/peerings", secret, "").await.status, 403, "changed rules count at once");
    accepted(&guarded.manage(Method::DELETE, &path, Value::Null).await);
    let own = accepted(&guarded.ask(Method::GET, "/v1/acl/token/self", secret, "").await);
    assert_eq!(own.get("Policies"), None);
}

#[tokio::test]
async fn the_anonymous_token_may_be_given_rights_and_not_deleted() {
    let guarded = Guarded::start().await;
    let read = accepted(&guarded.manage(Method::GET, ANONYMOUS, Value::Null).await);
    assert_eq!((text(&read, "SecretID"), text(&read, "Description")), ("anonymous", "Anonymous Token"));
    assert_eq!(text(&read, "Hash"), "RNVFSWnfd5DUOuB8vplp+imivlIna3fKQVnkUHh21cA=");
    let body = json!({ "Policies": [{ "Name": "builtin/global-read-only" }] });
    accepted(&guarded.manage(Method::PUT, ANONYMOUS, body).await);
    assert_eq!(guarded.ask(Method::GET, "/v1/peerings", "", "").await.status, 200);
    let deleted = guarded.manage(Method::DELETE, ANONYMOUS, Value::Null).await;
    refused(&deleted, 500, "Delete operation not permitted on the anonymous token");
}

#[tokio::test]
async fn a_token_that_has_ended_is_not_found() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let directory = peering_tests::site::private_directory();
    let file = directory.path().join("management-token");
    let config = peering_server::config::Config {
        acl: peering_server::config::AclMode::Deny,
        management_token: Some(file.clone()),
        dev: false,
        ..peering_server::config::Config::ephemeral(peering_core::name::Datacenter::parse("dc1").unwrap())
    };
    let server =
        peering_server::server::Server::start_with(config, peering_tests::cluster::sources_at(&clock)).await.unwrap();
    let address = match &server.http_addresses()[0] {
        peering_server::listen::ListenAddress::Tcp(address) => *address,
        other => panic!("{other}"),
    };
    let (http, management) = (peering_tests::http::Http::new(address), std::fs::read_to_string(&file).unwrap());
    let manage = async |method: Method, path: &str, body: &str| {
        http.send(method, path, &[("x-consul-token", management.as_str())], body.to_owned()).await
    };
    let made = accepted(
        &manage(Method::PUT, TOKEN, r#"{"ExpirationTTL":"1h","Policies":[{"Name":"global-management"}]}"#).await,
    );
    let created: jiff::Timestamp = text(&made, "CreateTime").parse().unwrap();
    let ends: jiff::Timestamp = text(&made, "ExpirationTime").parse().unwrap();
    assert_eq!(ends.duration_since(created).as_secs(), 3_600);
    let (secret, path) = (text(&made, "SecretID"), format!("{TOKEN}/{}", text(&made, "AccessorID")));
    let own = [("x-consul-token", secret)];
    assert_eq!(http.send(Method::GET, "/v1/peerings", &own, "").await.status, 200);
    let moved = manage(Method::PUT, &path, r#"{"ExpirationTTL":"2h"}"#).await;
    refused(&moved, 500, &format!("Cannot change expiration time of {}", text(&made, "AccessorID")));

    clock.advance(Duration::from_secs(3_600));
    refused(&http.send(Method::GET, "/v1/peerings", &own, "").await, 403, "ACL not found");
    refused(&http.send(Method::GET, "/v1/acl/token/self", &own, "").await, 403, "token does not exist: ACL not found");
    refused(&manage(Method::GET, &path, "").await, 403, "token does not exist: ACL not found");
    assert_eq!(accepted(&manage(Method::GET, "/v1/acl/tokens", "").await).as_array().unwrap().len(), 2);
    server.service().sweep_acl_tokens().await.unwrap();
    refused(&manage(Method::DELETE, &path, "").await, 404, "Cannot find token to delete");
    server.shutdown().await;
}

#[tokio::test]
async fn what_a_token_cannot_be_is_refused_in_consuls_words() {
    let guarded = Guarded::start().await;
    let taken = json!({ "AccessorID": "22222222-2222-3333-4444-555555555555", "SecretID": "33333333-2222-3333-4444-555555555555" });
    let made = accepted(&guarded.manage(Method::PUT, TOKEN, taken).await);
    assert_eq!(text(&made, "SecretID"), "33333333-2222-3333-4444-555555555555");
    let own = format!("{TOKEN}/22222222-2222-3333-4444-555555555555");
    let unknown = format!("{TOKEN}/44444444-2222-3333-4444-555555555555");
    let nope = format!("{TOKEN}/nope");
    let (put, get, delete) = (Method::PUT, Method::GET, Method::DELETE);
    let reserved = "UUIDs with the prefix \"00000000-0000-0000-0000-0000000000\" are reserved";
    for (method, path, body, status, text) in [
        (&put, TOKEN, Value::Null, 400, "Token decoding failed: EOF".to_owned()),
        (&put, TOKEN, json!({ "Foo": 1 }), 400, "Token decoding failed: json: unknown field \"Foo\"".to_owned()),
        (&put, TOKEN, json!({ "Policies": [{ "Name": "nope" }] }), 500, "No such ACL policy with name \"nope\"".to_owned()),
        (&put, TOKEN, json!({ "Policies": [{}] }), 500, "No such ACL policy with name \"\"".to_owned()),
        (&put, TOKEN, json!({ "Policies": [{ "ID": "nope" }] }), 500, "Error looking up policy for ID: \"nope\": failed acl policy lookup: index error: UUID must be 36 characters".to_owned()),
        (&put, TOKEN, json!({ "Policies": [{ "ID": "11111111-2222-3333-4444-55555555555f" }] }), 500, "No such ACL policy with ID \"11111111-2222-3333-4444-55555555555f\"".to_owned()),
        (&put, TOKEN, json!({ "Roles": [{ "Name": "x" }] }), 500, "No such ACL role with name \"x\"".to_owned()),
        (&put, TOKEN, json!({ "Roles": [{ "ID": "x" }] }), 500, "Error looking up role for ID: \"x\": failed acl role lookup: index error: UUID must be 36 characters".to_owned()),
        (&put, TOKEN, json!({ "AuthMethod": "x" }), 500, "AuthMethod field is disallowed outside of login".to_owned()),
        (&put, TOKEN, json!({ "ServiceIdentities": [{ "ServiceName": "web" }] }), 500, "ServiceIdentities, NodeIdentities and TemplatedPolicies are not supported by this server; write a policy with the same rules and give it in Policies".to_owned()),
        (&put, TOKEN, json!({ "AccessorID": "nope" }), 500, "Invalid Token: AccessorID - not a valid UUID".to_owned()),
        (&put, TOKEN, json!({ "SecretID": "nope" }), 500, "Invalid Token: SecretID - not a valid UUID".to_owned()),
        (&put, TOKEN, json!({ "AccessorID": "00000000-0000-0000-0000-000000000009" }), 500, format!("Invalid Token: AccessorID - {reserved}")),
        (&put, TOKEN, json!({ "SecretID": "00000000-0000-0000-0000-000000000009" }), 500, format!("Invalid Token: SecretID - {reserved}")),
        (&put, TOKEN, json!({ "AccessorID": "22222222-2222-3333-4444-555555555555" }), 500, "Invalid Token: AccessorID is already in use".to_owned()),
        (&put, TOKEN, json!({ "SecretID": "33333333-2222-3333-4444-555555555555" }), 500, "Invalid Token: SecretID is already in use".to_owned()),
        (&put, TOKEN, json!({ "SecretID": guarded.management }), 500, "Invalid Token: SecretID is already in use".to_owned()),
        (&put, TOKEN, json!({ "ExpirationTTL": "1s" }), 500, "ExpirationTime cannot be less than 1m0s in the future (was 1s)".to_owned()),
        (&put, TOKEN, json!({ "ExpirationTTL": "-1h" }), 500, "Token Expiration TTL '-1h0m0s' should be > 0".to_owned()),
        (&put, TOKEN, json!({ "ExpirationTime": "2020-01-01T00:00:00Z" }), 500, "ExpirationTime cannot be before CreateTime".to_owned()),
        (&put, &own, json!({ "AccessorID": "x" }), 400, "Token Accessor ID in URL and payload do not match".to_owned()),
        (&put, &own, json!({ "SecretID": "44444444-2222-3333-4444-555555555555" }), 500, "Changing a token's SecretID is not permitted".to_owned()),
        (&put, &own, json!({ "Local": true }), 500, "Cannot toggle local mode of 22222222-2222-3333-4444-555555555555".to_owned()),
        (&put, &own, json!({ "ExpirationTTL": "1h" }), 500, "Cannot change expiration time of 22222222-2222-3333-4444-555555555555".to_owned()),
        (&put, &nope, json!({}), 500, "AccessorID is not a valid UUID".to_owned()),
        (&put, &unknown, json!({}), 500, "Cannot find token \"44444444-2222-3333-4444-555555555555\"".to_owned()),
        (&get, &nope, Value::Null, 500, "failed acl token lookup: index error: UUID must be 36 characters".to_owned()),
        (&get, &unknown, Value::Null, 403, "token does not exist: ACL not found".to_owned()),
        (&get, "/v1/acl/token/", Value::Null, 400, "Missing token AccessorID".to_owned()),
        (&delete, &nope, Value::Null, 500, "Accessor ID is missing or an invalid UUID".to_owned()),
        (&delete, &unknown, Value::Null, 404, "Cannot find token to delete".to_owned()),
    ] {
        refused(&guarded.manage(method.clone(), path, body).await, status, &text);
    }
    let management = accepted(&guarded.manage(Method::GET, "/v1/acl/token/self", Value::Null).await);
    let management = format!("{TOKEN}/{}", text(&management, "AccessorID"));
    refused(
        &guarded.manage(delete, &management, Value::Null).await,
        500,
        "Deletion of the request's authorization token is not permitted",
    );
    for nobody in ["", "nope"] {
        let own = guarded.ask(Method::GET, "/v1/acl/token/self", nobody, "").await;
        refused(&own, 403, "token does not exist: ACL not found");
    }
    let denied = ANONYMOUS_MAY_NOT.replace("peering:write", "acl:read");
    refused(&guarded.ask(get, &own, "", "").await, 403, &denied);
    let put_own = guarded.manage(put, "/v1/acl/token/self", json!({})).await;
    assert_eq!((put_own.status, put_own.header("allow")), (405, Some("OPTIONS,GET")));
}

#[tokio::test]
async fn a_token_that_ends_during_a_wait_is_shown_nothing_more() {
    let guarded = Guarded::start().await;
    let token = guarded.token_with("readers", "peering = \"read\"").await;
    let listed = guarded.ask(Method::GET, "/v1/peerings", text(&token, "SecretID"), "").await;
    let path = format!("/v1/peerings?wait=60s&index={}", listed.header("x-consul-index").unwrap());
    let waiting = guarded.ask(Method::GET, &path, text(&token, "SecretID"), "");
    let change = async {
        let path = format!("/v1/acl/token/{}", text(&token, "AccessorID"));
        accepted(&guarded.manage(Method::DELETE, &path, Value::Null).await);
        accepted(&guarded.manage(Method::POST, "/v1/peering/token", json!({ "PeerName": "west" })).await);
    };
    // Polled in this order, so that the wait has begun by the time of the change or is refused at once.
    let (answer, ()) = tokio::join!(waiting, change);
    refused(&answer, 403, "ACL not found");
}

#[tokio::test]
async fn a_stranger_takes_nobodys_place_to_wait() {
    let guarded = Guarded::start().await;
    for path in ["/v1/connect/ca/roots", "/v1/config/mesh", "/v1/catalog/services"] {
        let begun = std::time::Instant::now();
        let path = format!("{path}?wait=60s&index=18446744073709551615");
        assert_eq!(guarded.ask(Method::GET, &path, "", "").await.status, 200, "{path}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{path}");
    }
}

#[tokio::test]
async fn a_list_of_tokens_or_policies_waits_for_a_change_of_its_own() {
    let guarded = Guarded::start().await;
    let policy = json!({ "Name": "reader", "Rules": "peering = \"read\"" });
    let token = json!({ "Policies": [{ "Name": "reader" }] });
    let changes = [("/v1/acl/policies", "/v1/acl/policy", policy), ("/v1/acl/tokens", "/v1/acl/token", token)];
    for (list, change, body) in changes {
        let before = guarded.manage(Method::GET, list, Value::Null).await;
        let index: u64 = before.header("x-consul-index").unwrap().parse().unwrap();
        let path = format!("{list}?index={index}&wait=300s");
        let (after, made) = tokio::join!(guarded.manage(Method::GET, &path, Value::Null), async {
            tokio::task::yield_now().await;
            guarded.manage(Method::PUT, change, body).await
        });
        accepted(&made);
        assert!(after.header("x-consul-index").unwrap().parse::<u64>().unwrap() > index, "{list}");
        assert_eq!(after.json().as_array().unwrap().len(), before.json().as_array().unwrap().len() + 1, "{list}");
    }
    let own = guarded.manage(Method::GET, "/v1/acl/token/self?index=1&wait=300s", Value::Null).await;
    accepted(&own);
}
