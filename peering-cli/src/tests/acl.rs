//! `peering acl` against a server that answers as Consul does: requests, pages, failures.

use axum::http::Method;

use super::mock::{Mock, answer};
use super::{failed, peering, peering_with, succeeded};
use crate::Exit;

const ACCESSOR: &str = "6a1253d2-1785-24fd-91c2-f8e78c745511";
const POLICY_ID: &str = "b1a0cc2a-3d6b-4a32-a1a5-9e0f0dbd8a2f";

const TOKEN: &str = concat!(
    r#"{"AccessorID":"6a1253d2-1785-24fd-91c2-f8e78c745511","SecretID":"45a3bd52-07c7-47a4-52fd-0745e0cfe967","#,
    r#""Description":"for <CI>","Policies":[{"ID":"b1a0cc2a-3d6b-4a32-a1a5-9e0f0dbd8a2f","Name":"p"}],"#,
    r#""ServiceIdentities":[{"ServiceName":"web"},{"ServiceName":"db","Datacenters":["dc1","dc2"]}],"#,
    r#""NodeIdentities":[{"NodeName":"n","Datacenter":"dc1"}],"#,
    r#""TemplatedPolicies":[{"TemplateName":"builtin/service","TemplateVariables":{"name":"web"}}],"#,
    r#""Local":true,"ExpirationTime":"2030-06-02T00:00:00Z","CreateTime":"2030-06-01T00:00:00.25Z","#,
    r#""Hash":"AQL/","CreateIndex":7,"ModifyIndex":8}"#
);

/// The page of that token, for a secret.
fn token_page(secret: &str) -> String {
    format!(
        "AccessorID:       {ACCESSOR}\nSecretID:         {secret}\nDescription:      for <CI>\nLocal:            true\n\
        Create Time:      2030-06-01 00:00:00.25 +0000 UTC\nExpiration Time:  2030-06-02 00:00:00 +0000 UTC\n\
        Policies:\n   {POLICY_ID} - p\nService Identities:\n   web (Datacenters: all)\n   db (Datacenters: dc1, dc2)\n\
        Node Identities:\n   n (Datacenter: dc1)\nTemplated Policies:\n   builtin/service\n      Name: web\n      \
        Datacenters: all\n"
    )
}

const SECRET: &str = "45a3bd52-07c7-47a4-52fd-0745e0cfe967";

const POLICY: &str = concat!(
    r#"{"ID":"b1a0cc2a-3d6b-4a32-a1a5-9e0f0dbd8a2f","Name":"p","Description":"d","Rules":"peering = \"read\"\n","#,
    r#""Datacenters":["dc1","dc2"],"Hash":"AQL/","CreateIndex":7,"ModifyIndex":8}"#
);

/// Runs a verb against a server of its own with one answer, and returns what was asked.
fn ask(words: &[&str], body: &'static str) -> (super::Ran, Vec<super::mock::Seen>) {
    let server = Mock::always(200, body);
    let ran = peering(words, &[("CONSUL_HTTP_ADDR", &server.address)]);
    (ran, server.seen())
}

#[test]
fn bootstrap_sends_a_secret_from_a_file_or_standard_input_or_nothing_at_all() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cret\n").unwrap();
    let path = file.path().to_str().unwrap();
    for (more, body) in
        [(vec![], ""), (vec![path], r#"{"BootstrapSecret":"s3cret"}"#), (vec!["-"], r#"{"BootstrapSecret":"typed"}"#)]
    {
        let server = Mock::always(200, TOKEN);
        let words = [vec!["acl", "bootstrap", "-http-addr", &server.address], more].concat();
        let ran = peering_with(&words, &[], &mut &b" typed\n"[..]);
        assert_eq!(ran, succeeded(&format!("{}\n", token_page(SECRET))));
        let seen = server.only();
        assert_eq!((seen.method, seen.uri.path()), (Method::PUT, "/v1/acl/bootstrap"));
        assert_eq!(seen.body, body);
    }
}

#[test]
fn mistakes_are_told_in_consul_s_words_before_anything_is_sent() {
    let server = Mock::always(200, TOKEN);
    for (words, message) in [
        (["bootstrap", "a", "b"].as_slice(), "This command takes up to one argument"),
        (
            &["bootstrap", ""],
            "Error reading provided token: Failed to load data: must specify a file path or '-' for stdin",
        ),
        (
            &["bootstrap", "/nonexistent/s"],
            "Error reading provided token: Failed to read file: open /nonexistent/s: no such file or directory",
        ),
        (&["bootstrap", "-format", "toml"], "Unknown format: toml"),
        (
            &["policy", "create", "-name", "x", "-rules", "@/nonexistent/r"],
            "Error loading rules: Failed to read file: open /nonexistent/r: no such file or directory",
        ),
        (&["policy", "read"], "Must specify either the -id or -name parameters"),
        (&["policy", "update", "-id", ""], "Must specify either the -id or -name parameters"),
        (&["policy", "delete"], "Must specify either the -id or -name parameters"),
        (
            &["token", "create", "-description", "x"],
            "Cannot create a token without specifying -policy-name, -policy-id, -role-name, -role-id, -service-identity, \
             -node-identity, -templated-policy, or -templated-policy-file at least once",
        ),
        (&["token", "create", "-service-identity", "a:b:c"], "Malformed -service-identity argument: \"a:b:c\""),
        (&["token", "create", "-node-identity", "n"], "Malformed -node-identity argument: \"n\""),
        (
            &["token", "create", "-templated-policy", "t", "-var", "x"],
            "malformed -var argument: \"x\", expecting VariableName:Value",
        ),
        (&["token", "read"], "Must specify the -accessor-id parameter"),
        (
            &["token", "read", "-self", "-expanded"],
            "Cannot use both -expanded and -self. Instead, use -expanded and -accessor-id=<accessor id>.",
        ),
        (&["token", "update"], "Cannot update a token without specifying the -accessor-id parameter"),
        (
            &["token", "update", "-accessor-id", ACCESSOR, "-role-name=a", "-append-role-id=b"],
            "Cannot combine the use of role-id/role-name flags with append- variants. To set or overwrite existing \
             roles, use -role-id or -role-name. To append to existing roles, use -append-role-id or -append-role-name.",
        ),
        (&["token", "delete"], "Must specify the -accessor-id parameter"),
        (&["token", "list", "-http-addr", "ftp://h"], "Error connecting to Consul agent: Unknown protocol scheme: ftp"),
    ] {
        let words = [&["acl"], words].concat();
        assert_eq!(peering(&words, &[("CONSUL_HTTP_ADDR", &server.address)]), failed(message), "{words:?}");
    }
    assert!(server.seen().is_empty());
}

#[test]
fn flags_are_refused_as_go_refuses_them() {
    for (words, message) in [
        (["token", "read", "-meta=x"].as_slice(), "invalid boolean value \"x\" for -meta: parse error"),
        (
            &["policy", "list", "-stale=x"],
            "invalid boolean value \"x\" for -stale: strconv.ParseBool: parsing \"x\": invalid syntax",
        ),
        (&["token", "create", "-expires-ttl", "x"], "invalid value \"x\" for flag -expires-ttl: parse error"),
        (&["bootstrap", "-namespace", "n"], "flag provided but not defined: -namespace"),
        (&["policy", "delete", "-format", "json"], "flag provided but not defined: -format"),
    ] {
        let ran = peering(&[&["acl"], words].concat(), &[]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""), "{words:?}");
        assert_eq!(ran.stderr.lines().take(2).collect::<Vec<_>>(), [message, "Usage:"], "{words:?}");
    }
    let read = peering(&["acl", "token", "read", "-x"], &[]).stderr;
    assert!(read.contains("\n  -id string\n    \tDEPRECATED. Use -accessor-id instead.\n"), "{read}");
    assert!(read.contains("\n  -meta\n    \tShow ") && read.contains("\n  -stale\n    \tAccepted "), "{read}");
    assert!(!peering(&["acl", "token", "read", "-h"], &[]).stdout.contains("DEPRECATED"));
    // The first word in back-quotes is the placeholder, even where it is a flag.
    let update = peering(&["acl", "token", "update", "-h"], &[]).stdout;
    assert!(update.contains("\n  -append-templated-policy-file=<-append-templated-policy>\n"), "{update}");
}

#[test]
fn a_group_without_a_verb_shows_its_help_and_fails() {
    for (words, group) in [
        (["acl"].as_slice(), "acl"),
        (&["acl", "bogus"], "acl"),
        (&["acl", "token", "-x", "list"], "acl token"),
        (&["acl", "policy"], "acl policy"),
    ] {
        let ran = peering(words, &[]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""));
        assert!(
            ran.stderr.starts_with(&format!("Usage: peering {group} <subcommand> [options] [args]\n\n")),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("\nSubcommands:\n    "), "{ran:?}");
    }
    let ran = peering(&["acl", "policy", "create"], &[]);
    let start = "Missing required '-name' flag\nUsage: peering acl policy create -name NAME [options]\n\n";
    assert!(ran.exit == Exit::Failure && ran.stderr.starts_with(start), "{ran:?}");
}

#[test]
fn a_policy_is_created_with_rules_from_a_flag_a_file_or_standard_input() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "peering = \"read\"\n").unwrap();
    let path = format!("@{}", file.path().to_str().unwrap());
    for (rules, sent) in [(path.as_str(), "peering = \"read\"\n"), ("-", "typed"), ("-x", "-x"), ("", "")] {
        let server = Mock::always(200, POLICY);
        let words = ["acl", "policy", "create", "-name", "p", "-rules", rules, "-valid-datacenter", "dc1"];
        let words = [&words[..], &["-valid-datacenter=dc2", "-datacenter=d c", "-http-addr", &server.address]].concat();
        let ran = peering_with(&words, &[], &mut &b"typed"[..]);
        let page = format!(
            "ID:           {POLICY_ID}\nName:         p\nDescription:  d\nDatacenters:  dc1, dc2\nRules:\npeering = \
            \"read\"\n\n"
        );
        assert_eq!(ran, succeeded(&page));
        let seen = server.only();
        assert_eq!((seen.method.clone(), seen.uri.to_string()), (Method::PUT, "/v1/acl/policy?dc=d+c".to_owned()));
        let sent = serde_json::to_string(sent).unwrap();
        let body = format!(
            r#"{{"ID":"","Name":"p","Description":"","Rules":{sent},"Datacenters":["dc1","dc2"],"Hash":null,"CreateIndex":0,"ModifyIndex":0}}"#
        );
        assert_eq!(seen.body, body);
    }
}

#[test]
fn a_policy_is_read_by_name_by_id_and_by_the_beginning_of_its_id() {
    let by_name = ask(&["acl", "policy", "read", "-name", "a/b c", "-meta"], POLICY);
    let meta = "Hash:         0102ff\nCreate Index: 7\nModify Index: 8\nRules:\n";
    assert!(by_name.0.stdout.contains(meta), "{:?}", by_name.0);
    // Consul's server decodes the name twice.
    assert_eq!(by_name.1[0].uri.path(), "/v1/acl/policy/name/a%252Fb+c");

    let by_id = ask(&["acl", "policy", "read", "-id", POLICY_ID, "-name=x", "-format=json"], POLICY);
    let json = POLICY.replace("\":", "\": ").replace(",\"", ",\n    \"").replace("{", "{\n    ").replace('}', "\n}");
    let json = json.replace("[\"dc1\",\n    \"dc2\"]", "[\n        \"dc1\",\n        \"dc2\"\n    ]");
    assert_eq!(by_id.0, succeeded(&format!("{json}\n")));
    assert_eq!(by_id.1[0].uri.path(), format!("/v1/acl/policy/{POLICY_ID}"));

    let server = Mock::start(|seen| match seen.uri.path() {
        "/v1/acl/policies" => answer(200, r#"[{"ID":"ab1"},{"ID":"ab2"},{"ID":"c"}]"#),
        "/v1/acl/policy/c" | "/v1/acl/policy/00000000-0000-0000-0000-000000000001" => answer(200, POLICY),
        _ => answer(404, "Requested policy does not exist: ACL not found"),
    });
    let read = |flag: &str, value: &str| {
        peering(&["acl", "policy", "read", flag, value], &[("CONSUL_HTTP_ADDR", &server.address)])
    };
    assert_eq!(read("-id", "c").exit, Exit::Success);
    assert_eq!(read("-id", "global-management").exit, Exit::Success);
    assert_eq!(read("-id", "ab"), failed("Error determining policy ID: Partial policy ID is not unique"));
    assert_eq!(read("-id", "x"), failed("Error determining policy ID: No such policy ID with prefix: x"));
    assert_eq!(read("-name", "nope"), failed("Error policy not found: nope"));
    let message = format!(
        "Error reading policy \"id:{POLICY_ID}\": Unexpected response code: 404 (Requested policy does not exist: ACL \
        not found)"
    );
    assert_eq!(read("-id", POLICY_ID), failed(&message));
}

#[test]
fn policies_are_listed_without_rules_and_nothing_is_no_line_at_all() {
    let list =
        r#"[{"ID":"1","Name":"a","Description":"x","Datacenters":null,"Hash":"AQL/","CreateIndex":1,"ModifyIndex":2}]"#;
    let (ran, seen) = ask(&["acl", "policy", "list", "-meta"], list);
    let page = "a:\n   ID:           1\n   Description:  x\n   Datacenters:  \n   Hash:         0102ff\n   Create Index: 1\n   \
        Modify Index: 2\n\n";
    assert_eq!(ran, succeeded(page));
    assert_eq!(seen[0].uri.path(), "/v1/acl/policies");
    assert_eq!(ask(&["acl", "policy", "list"], "[]").0, succeeded(""));
    assert_eq!(ask(&["acl", "policy", "list", "-format=json"], "null").0, succeeded("null\n"));
}

#[test]
fn updating_a_policy_keeps_what_no_flag_names_unless_told_otherwise() {
    for (more, sent) in [
        (
            ["-description", "new"].as_slice(),
            r#""Name":"p","Description":"new","Rules":"peering = \"read\"\n","Datacenters":["dc1","dc2"]"#,
        ),
        (&["-name", "q", "-rules", ""], r#""Name":"q","Description":"d","Rules":"","Datacenters":["dc1","dc2"]"#),
        (&["-no-merge"], r#""Name":"","Description":"","Rules":"","Datacenters":null"#),
    ] {
        let (ran, seen) = ask(&[&["acl", "policy", "update", "-id", POLICY_ID], more].concat(), POLICY);
        assert_eq!(ran.exit, Exit::Success);
        let put = seen.last().unwrap();
        assert_eq!((put.method.clone(), put.uri.path()), (Method::PUT, &*format!("/v1/acl/policy/{POLICY_ID}")));
        let body = format!(r#"{{"ID":"{POLICY_ID}",{sent},"Hash":null,"CreateIndex":0,"ModifyIndex":0}}"#);
        assert_eq!(put.body, body);
    }
}

#[test]
fn what_is_deleted_is_named_and_a_refusal_keeps_its_reason() {
    let server = Mock::start(|seen| match (&seen.method, seen.uri.path()) {
        (&Method::GET, _) => answer(200, POLICY),
        (_, path) if path.ends_with(ACCESSOR) || path.ends_with(POLICY_ID) => answer(200, "true"),
        _ => answer(500, "Delete operation not permitted"),
    });
    let delete = |words: &[&str]| peering(&[&["acl"], words].concat(), &[("CONSUL_HTTP_ADDR", &server.address)]);
    let deleted = format!("Policy \"{POLICY_ID}\" deleted successfully\n");
    assert_eq!(delete(&["policy", "delete", "-name", "p"]), succeeded(&deleted));
    let ran = delete(&["token", "delete", "-id", ACCESSOR]);
    assert_eq!(ran.stdout, format!("Token \"{ACCESSOR}\" deleted successfully\n"));
    assert_eq!(ran.stderr, "Use the -accessor-id parameter to specify token by Accessor ID.\n");
    let refused = ": Unexpected response code: 500 (Delete operation not permitted)";
    let id = "00000000-0000-0000-0000-000000000001";
    assert_eq!(delete(&["policy", "delete", "-id", id]), failed(&format!("Error deleting policy \"{id}\"{refused}")));
    let id = "00000000-0000-0000-0000-000000000002";
    let ran = delete(&["token", "delete", "-accessor-id", "anonymous"]);
    assert_eq!(ran, failed(&format!("Error deleting token \"{id}\"{refused}")));
}

#[test]
fn a_token_is_created_with_what_the_flags_say_and_shown_with_its_secret() {
    #[rustfmt::skip]
    let words = [
        "acl", "token", "create", "-policy-name", "p", "-policy-id", "global-management", "-description", "x",
        "-service-identity", "web:dc1,dc2", "-node-identity", "n:dc1", "-templated-policy", "builtin/service",
        "-var", "Name:web", "-expires-ttl", "1h", "-local", "-accessor", "a", "-secret", "s", "-stale",
    ];
    let (ran, seen) = ask(&words, TOKEN);
    assert_eq!(ran, succeeded(&format!("{}\n", token_page(SECRET))));
    assert_eq!((&seen[0].method, seen[0].uri.to_string()), (&Method::PUT, "/v1/acl/token".to_owned()));
    let body = concat!(
        r#"{"CreateIndex":0,"ModifyIndex":0,"AccessorID":"a","SecretID":"s","Description":"x","#,
        r#""Policies":[{"ID":"","Name":"p"},{"ID":"00000000-0000-0000-0000-000000000001","Name":""}],"#,
        r#""ServiceIdentities":[{"ServiceName":"web","Datacenters":["dc1","dc2"]}],"#,
        r#""NodeIdentities":[{"NodeName":"n","Datacenter":"dc1"}],"#,
        r#""TemplatedPolicies":[{"TemplateName":"builtin/service","TemplateVariables":{"Name":"web"}}],"#,
        r#""Local":true,"ExpirationTTL":3600000000000,"CreateTime":"0001-01-01T00:00:00Z"}"#
    );
    assert_eq!(seen[0].body, body);
}

#[test]
fn a_token_is_read_whole_and_listed_without_its_secret() {
    for words in [["read", "-self"].as_slice(), &["read", "-accessor-id", ACCESSOR]] {
        let (ran, seen) = ask(&[&["acl", "token"], words].concat(), TOKEN);
        assert_eq!(ran, succeeded(&format!("{}\n", token_page(SECRET))));
        let path = if words.len() == 2 { "self" } else { ACCESSOR };
        assert_eq!(seen[0].uri.path(), format!("/v1/acl/token/{path}"));
    }
    let list: &'static str = Box::leak(format!("[{TOKEN},{TOKEN}]").into_boxed_str());
    let page = token_page("<hidden>");
    assert_eq!(ask(&["acl", "token", "list"], list).0, succeeded(&format!("{page}\n{page}\n")));
    for verb in [["list", "-meta"].as_slice(), &["list", "-format=json"], &["read", "-self", "-format=json"]] {
        let (ran, _) = ask(&[&["acl", "token"], verb].concat(), if verb[0] == "list" { list } else { TOKEN });
        assert_eq!(ran.stdout.contains(SECRET), verb[0] == "read", "{}", ran.stdout);
    }
}

#[test]
fn updating_a_token_changes_what_flags_name_and_hides_its_secret() {
    for (more, sent) in [
        (
            ["-append-policy-name", "q"].as_slice(),
            r#""Policies":[{"ID":"b1a0cc2a-3d6b-4a32-a1a5-9e0f0dbd8a2f","Name":"p"},{"ID":"","Name":"q"}],"#,
        ),
        (&["-policy-name", "q"], r#""Policies":[{"ID":"","Name":"q"}],"#),
        (&["-service-identity", "x"], r#""ServiceIdentities":[{"ServiceName":"x"}],"#),
        (&["-append-service-identity", "web:d"], r#"[{"ServiceName":"web","Datacenters":["d"]},{"ServiceName":"db","#),
        (
            &["-append-node-identity", "m:dc1"],
            r#"[{"NodeName":"n","Datacenter":"dc1"},{"NodeName":"m","Datacenter":"dc1"}]"#,
        ),
        (&["-description", "new"], r#""Description":"new","Policies":[{"ID":"b1a0cc2a-3d6b-4a32-a1a5-9e0f0dbd8a2f","#),
    ] {
        let (ran, seen) = ask(&[&["acl", "token", "update", "-accessor-id", ACCESSOR], more].concat(), TOKEN);
        assert_eq!(ran, succeeded(&format!("{}\n", token_page("<hidden>"))));
        let put = seen.last().unwrap();
        assert_eq!((put.method.clone(), put.uri.path()), (Method::PUT, &*format!("/v1/acl/token/{ACCESSOR}")));
        assert!(put.body.contains(sent) && put.body.contains(SECRET), "{more:?} {}", put.body);
        assert!(put.body.contains(r#""NodeIdentities":[{"NodeName":"n","#), "what no flag names is kept: {}", put.body);
    }
    let words = ["acl", "token", "update", "-id", ACCESSOR, "-policy-name=q", "-merge-policies"];
    let (ran, seen) = ask(&words, TOKEN);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    assert!(seen.last().unwrap().body.contains(r#""Name":"p"},{"ID":"","Name":"q"}]"#));
}

#[test]
fn an_expanded_token_shows_the_rules_of_its_policies() {
    let text = format!(
        r#"{{"ExpandedPolicies":[{POLICY}],"AgentACLDefaultPolicy":"deny","AgentACLDownPolicy":"extend-cache","ResolvedByAgent":"n",{}"#,
        &TOKEN[1..]
    );
    let (ran, seen) =
        ask(&["acl", "token", "read", "-accessor-id", ACCESSOR, "-expanded"], Box::leak(text.into_boxed_str()));
    assert_eq!(seen[0].uri.query(), Some("expanded=true"));
    let policy = format!(
        "Policies:\n\tPolicy Name: p\n\t\tID: {POLICY_ID}\n\t\tDescription: d\n\t\tRules:\n\t\t\tpeering = \"read\"\n\t\t\t\n\n"
    );
    assert!(ran.stdout.contains(&policy), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("\nResolved By Agent: \"n\"\n\nDefault Policy: deny\n\tDescription: "),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with(")\n\n\n"), "{:?}", ran.stdout);
}
