//! The life of a policy, in Consul's bytes.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ANONYMOUS_MAY_NOT, Guarded, accepted, refused, text};

const POLICY: &str = "/v1/acl/policy";

#[tokio::test]
async fn a_policy_is_made_read_listed_changed_and_deleted() {
    let guarded = Guarded::start().await;
    let body = json!({ "Name": "peer-read", "Description": "d", "Rules": "peering = \"read\"" });
    let made = guarded.manage(Method::PUT, POLICY, body).await;
    let policy = accepted(&made);
    let (id, create, modify) = (text(&policy, "ID").to_owned(), &policy["CreateIndex"], &policy["ModifyIndex"]);
    assert_eq!(
        made.body,
        format!(
            r#"{{"ID":"{id}","Name":"peer-read","Description":"d","Rules":"peering = \"read\"","Hash":"2fOL21X237mnBJWi5b9mpXuJd8IpGz2sXBPH1csrjkE=","CreateIndex":{create},"ModifyIndex":{modify}}}"#
        )
    );
    assert_eq!(made.header("x-consul-index"), None);

    let path = format!("{POLICY}/{id}");
    for path in [path.as_str(), "/v1/acl/policy/name/peer-read"] {
        let read = guarded.manage(Method::GET, path, Value::Null).await;
        assert_eq!(read.body, made.body);
        assert_eq!(read.header("x-consul-index"), Some(create.to_string().as_str()));
        assert_eq!(read.header("x-consul-query-backend"), Some("blocking-query"));
    }

    let listed = guarded.manage(Method::GET, "/v1/acl/policies", Value::Null).await;
    let listed = accepted(&listed);
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|policy| text(policy, "Name")).collect();
    assert_eq!(names, ["builtin/global-read-only", "global-management", "peer-read"]);
    assert_eq!(listed[2].get("Rules"), None);
    assert_eq!(listed[2]["Datacenters"], Value::Null);
    assert!(listed[2].as_object().unwrap().contains_key("Datacenters"));
    assert_eq!(listed[1]["Hash"], "+TzVGrd3uSVx3Bl8FV5O0BsKc1idAee6ZpEw9WDfaW8=");

    let body = json!({ "Name": "peer-read2", "Rules": "peering = \"read\"", "Datacenters": ["dc1"], "Hash": "abc", "CreateIndex": 7 });
    let changed = accepted(&guarded.manage(Method::PUT, &path, body).await);
    assert_eq!(
        (text(&changed, "Hash"), &changed["CreateIndex"]),
        ("o5bpZOFvh9PtWcr1985mGDvNre9awbgwzz+PuT/Y0e8=", create)
    );
    assert!(changed["ModifyIndex"].as_u64() > modify.as_u64());
    let gone = "Requested policy does not exist: ACL not found";
    refused(&guarded.manage(Method::GET, "/v1/acl/policy/name/peer-read", Value::Null).await, 404, gone);
    accepted(&guarded.manage(Method::GET, "/v1/acl/policy/name/peer-read2", Value::Null).await);

    let deleted = guarded.manage(Method::DELETE, &path, Value::Null).await;
    assert_eq!((deleted.status, deleted.body.as_str()), (200, "true"));
    refused(&guarded.manage(Method::GET, &path, Value::Null).await, 404, gone);
    refused(&guarded.manage(Method::DELETE, &path, Value::Null).await, 404, "Cannot find policy to delete");
    accepted(&guarded.manage(Method::PUT, POLICY, json!({ "Name": "peer-read2" })).await);
}

#[tokio::test]
async fn what_a_policy_cannot_be_is_refused_in_consuls_words() {
    let guarded = Guarded::start().await;
    accepted(&guarded.manage(Method::PUT, POLICY, json!({ "Name": "taken" })).await);
    let other = accepted(&guarded.manage(Method::PUT, POLICY, json!({ "Name": "other" })).await);
    let own = format!("{POLICY}/{}", text(&other, "ID"));
    let (management, read_only) = (
        format!("{POLICY}/00000000-0000-0000-0000-000000000001"),
        format!("{POLICY}/00000000-0000-0000-0000-000000000002"),
    );
    let unknown = format!("{POLICY}/11111111-2222-3333-4444-55555555555f");
    let nope = format!("{POLICY}/nope");
    let (put, get, delete) = (Method::PUT, Method::GET, Method::DELETE);
    let lookup = "failed acl policy lookup: index error: UUID must be 36 characters";
    for (method, path, body, status, text) in [
        (&put, POLICY, json!({}), 500, "Invalid Policy: no Name is set"),
        (&put, POLICY, json!({ "ID": "x", "Name": "x" }), 400, "Cannot specify the ID when creating a new policy"),
        (&put, POLICY, json!({ "Name": "taken" }), 500, "Invalid Policy: A Policy with Name \"taken\" already exists"),
        (
            &put,
            POLICY,
            json!({ "Name": "taken", "Rules": "{" }),
            500,
            "Invalid Policy: A Policy with Name \"taken\" already exists",
        ),
        (
            &put,
            POLICY,
            json!({ "Name": "a b" }),
            500,
            "Invalid Policy: invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed",
        ),
        (
            &put,
            POLICY,
            json!({ "Name": "a".repeat(129) }),
            500,
            "Invalid Policy: invalid Name. Length must be greater than 0 and less than 128",
        ),
        (&put, POLICY, json!({ "Name": "x", "Rules": "peering = \"x\"" }), 500, "Invalid peering policy: \"x\""),
        (&put, POLICY, json!({ "Name": "x", "Foo": 1 }), 400, "Policy decoding failed: json: unknown field \"Foo\""),
        (&put, POLICY, Value::Null, 400, "Policy decoding failed: EOF"),
        (&put, &own, json!({ "Name": "taken" }), 500, "Invalid Policy: A policy with name \"taken\" already exists"),
        (&put, &own, json!({}), 500, "Invalid Policy: no Name is set"),
        (&put, &own, json!({ "ID": "x", "Name": "other" }), 400, "Policy ID in URL and payload do not match"),
        (&put, &unknown, json!({ "Name": "other" }), 500, "cannot find policy 11111111-2222-3333-4444-55555555555f"),
        (&put, &nope, json!({ "Name": "other" }), 500, "Policy ID invalid UUID"),
        (
            &put,
            &management,
            json!({ "Name": "x" }),
            500,
            "Changing the Rules for the builtin global-management policy is not permitted",
        ),
        (
            &put,
            &read_only,
            json!({ "Name": "builtin/global-read-only" }),
            500,
            "Invalid Policy: invalid Name. Names cannot be prefixed with '/' or 'builtin/'",
        ),
        (
            &delete,
            &management,
            Value::Null,
            500,
            "Delete operation not permitted on the builtin global-management policy",
        ),
        (
            &delete,
            &read_only,
            Value::Null,
            500,
            "Delete operation not permitted on the builtin builtin/global-read-only policy",
        ),
        (&delete, &unknown, Value::Null, 404, "Cannot find policy to delete"),
        (&delete, &nope, Value::Null, 500, lookup),
        (&get, &nope, Value::Null, 500, lookup),
        (&get, &unknown, Value::Null, 404, "Requested policy does not exist: ACL not found"),
        (&get, "/v1/acl/policy/", Value::Null, 400, "Missing policy ID"),
        (&get, "/v1/acl/policy/name/", Value::Null, 400, "Missing policy Name"),
        (&get, "/v1/acl/policies?dc=dc9", Value::Null, 500, "No path to datacenter"),
        (
            &get,
            "/v1/acl/policies?ns=x",
            Value::Null,
            400,
            "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature",
        ),
        (
            &get,
            "/v1/acl/policies?partition=x",
            Value::Null,
            400,
            "Invalid query parameter: \"partition\" - Partitions are a Consul Enterprise feature",
        ),
    ] {
        refused(&guarded.manage(method.clone(), path, body).await, status, text);
    }
    let denied = ANONYMOUS_MAY_NOT.replace("peering:write", "acl:write");
    refused(&guarded.ask(put.clone(), POLICY, "", "{}").await, 403, &denied);
    refused(&guarded.ask(put.clone(), POLICY, "bad", "{}").await, 403, "ACL not found");
    let get_only = guarded.manage(Method::GET, POLICY, Value::Null).await;
    assert_eq!((get_only.status, get_only.header("allow")), (405, Some("OPTIONS,PUT")));
    let by_name = guarded.manage(delete, "/v1/acl/policy/name/taken", Value::Null).await;
    assert_eq!((by_name.status, by_name.header("allow")), (405, Some("OPTIONS,GET")));
}

#[tokio::test]
async fn rules_that_do_not_parse_are_refused_at_their_line_and_long_ones_at_once() {
    let guarded = Guarded::start().await;
    let ask = async |rules: &str| guarded.manage(Method::PUT, POLICY, json!({ "Name": "x", "Rules": rules })).await;
    let answer = ask("operator = \"read\"\n\npeering {").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.starts_with("Failed to parse ACL rules: At 3:"), "{}", answer.body);
    refused(
        &ask("peering = \"read\"\npeering = \"read\"").await,
        500,
        "Failed to parse ACL rules: The argument \"peering\" at 2:1 was already set. Each argument can only be defined once",
    );
    // Nearly a mebibyte, which is what a body may have.
    let long = ask(&"#".repeat((1 << 20) - 100)).await;
    assert_eq!(long.status, 413, "{}", long.body);
    let largest = "node \"a\" { policy = \"read\" }\n".repeat(4_000);
    assert_eq!(ask(&largest).await.status, 200);
}

#[tokio::test]
async fn names_that_differ_in_case_alone_are_one() {
    let guarded = Guarded::start().await;
    let put = async |path: &str, name: &str| {
        guarded.manage(Method::PUT, path, json!({ "Name": name, "Rules": "peering = \"read\"" })).await
    };
    let made = accepted(&put("/v1/acl/policy", "Ops").await);
    let exists = |name: &str| format!("Invalid Policy: A Policy with Name \"{name}\" already exists");
    refused(&put("/v1/acl/policy", "ops").await, 500, &exists("ops"));
    refused(&put("/v1/acl/policy", "Global-Management").await, 500, &exists("Global-Management"));
    let path = format!("/v1/acl/policy/{}", text(&made, "ID"));
    assert_eq!(accepted(&put(&path, "OPS").await)["Name"], "OPS");
    let found = guarded.manage(Method::GET, "/v1/acl/policy/name/ops", Value::Null).await;
    assert_eq!(accepted(&found)["ID"], made["ID"]);
}
