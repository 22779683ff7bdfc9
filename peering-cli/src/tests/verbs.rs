//! Each verb against a server that answers: requests, results, failures.

use std::io::Write as _;

use axum::http::Method;
use serde_json::{Value, json};

use super::mock::{Mock, answer};
use super::{failed, peering, peering_with, succeeded};
use crate::Exit;

/// A peering as a dialer's server answers it.
fn dialer() -> Value {
    json!({
        "ID": "a8ed2a1e-837c-263c-633c-12da84e58a6b",
        "Name": "cluster-01",
        "Meta": {"tier": "1", "env": "production"},
        "State": "ACTIVE",
        "PeerID": "106914d1-32dc-214c-a068-d068a8ef3144",
        "PeerCAPems": ["pem-1", "pem-2"],
        "PeerServerName": "server.dc1.peering.75665a11-e751-8734-d0b0-dbec5a93aa01.consul",
        "PeerServerAddresses": ["10.0.0.1:8503", "10.0.0.2:8503"],
        "StreamStatus": {
            "ImportedServices": ["web"],
            "ExportedServices": ["db", "cache"],
            "LastHeartbeat": "2023-12-13T06:31:28.227392Z",
            "LastReceive": "0001-01-01T00:00:00Z",
            "LastSend": null
        },
        "CreateIndex": 21,
        "ModifyIndex": 24,
        "Remote": {"Partition": "", "Datacenter": "dc1"}
    })
}

/// A peering of an acceptor that nobody has used.
fn acceptor(name: &str) -> Value {
    json!({
        "ID": "106914d1-32dc-214c-a068-d068a8ef3144",
        "Name": name,
        "State": "PENDING",
        "StreamStatus": {
            "ImportedServices": null, "ExportedServices": null,
            "LastHeartbeat": null, "LastReceive": null, "LastSend": null
        },
        "CreateIndex": 18,
        "ModifyIndex": 18,
        "Remote": {"Partition": "", "Datacenter": ""}
    })
}

fn serving(value: Value) -> Mock {
    Mock::start(move |_| answer(200, &value.to_string()))
}

#[test]
fn generate_token_sends_what_was_asked_and_prints_the_bare_token() {
    let server = Mock::always(200, r#"{"PeeringToken":"dG9rZW4=","Extra":1}"#);
    let words = ["generate-token", "-name", "c2", "-meta", "a=1", "-meta", "b=x=y", "-meta", "a=2"];
    let words = [&words[..], &["-server-external-addresses", "h:1, h:2,", "-http-addr", &server.address]].concat();
    let ran = peering(&words, &[("CONSUL_HTTP_ADDR", "ignored:1")]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Success, "dG9rZW4=\n"));
    assert_eq!(ran.stderr.lines().count(), 1, "the empty address is warned of: {}", ran.stderr);
    let seen = server.only();
    assert_eq!((seen.method.clone(), seen.uri.to_string()), (Method::POST, "/v1/peering/token".to_owned()));
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(
        seen.body,
        r#"{"PeerName":"c2","Meta":{"a":"2","b":"x=y"},"ServerExternalAddresses":["h:1"," h:2",""]}"#
    );
}

#[test]
fn a_consul_that_knows_no_end_of_a_token_is_told_apart() {
    let server = Mock::always(400, r#"Body decoding failed: json: unknown field "TTL""#);
    let words = ["generate-token", "-name", "c2", "-ttl", "1h", "-http-addr", &server.address];
    let message = "Error generating peering token for c2: this server knows no -ttl: tokens of a Consul do not end";
    assert_eq!(peering(&words, &[]), failed(message));
    assert_eq!(server.only().body, r#"{"PeerName":"c2","TTL":"1h0m0s"}"#);
}

#[test]
fn generate_token_in_json_is_the_answer_as_consul_s_structure() {
    let server = Mock::always(200, r#"{"PeeringToken":"dG9rZW4=","Extra":1}"#);
    let ran = peering(&["generate-token", "-name=c2", "-format=json", "-ttl=90m", "-http-addr", &server.address], &[]);
    assert_eq!(ran, succeeded("{\"PeeringToken\":\"dG9rZW4=\"}\n"));
    assert_eq!(server.only().body, r#"{"PeerName":"c2","TTL":"1h30m0s"}"#);
}

#[test]
fn every_form_of_a_go_duration_is_sent_as_go_prints_it() {
    for (given, sent) in [
        (".5h", "30m0s"),
        ("1\u{b5}s", "1\u{b5}s"),
        ("1.s", "1s"),
        ("0.123456789012345678901234567890h", "7m24.444440444s"),
        ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
    ] {
        let server = Mock::always(200, r#"{"PeeringToken":"dG9rZW4="}"#);
        let words = ["generate-token", "-name=c2", "-ttl", given, "-http-addr", &server.address];
        assert_eq!(peering(&words, &[]), succeeded("dG9rZW4=\n"));
        assert_eq!(server.only().body, format!(r#"{{"PeerName":"c2","TTL":"{sent}"}}"#));
    }
}

#[test]
fn warnings_of_the_server_or_else_of_addresses_go_to_standard_error() {
    let silent = Mock::always(200, r#"{"PeeringToken":"dA=="}"#);
    let own =
        "Warning: noport is not a valid peering server address; expected host:port, or no cluster can use the token\n";
    let words = ["generate-token", "-name=c2", "-server-external-addresses=noport", "-http-addr", &silent.address];
    assert_eq!(peering(&words, &[]).stderr, own);
    let server = Mock::start(|_| {
        let mut answer = answer(200, r#"{"PeeringToken":"dA=="}"#);
        for text in ["only this machine can reach 127.0.0.1:8503", "second"] {
            answer.headers_mut().append("X-Peering-Warning", text.parse().unwrap());
        }
        answer
    });
    let words = ["generate-token", "-name=c2", "-server-external-addresses=noport", "-http-addr", &server.address];
    let ran = peering(&words, &[]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Success, "dA==\n"));
    assert_eq!(ran.stderr, "Warning: only this machine can reach 127.0.0.1:8503\nWarning: second\n");
}

#[test]
fn establish_sends_the_token_from_a_flag_a_file_or_standard_input() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"\n dG9rZW4= \n").unwrap();
    let path = file.path().to_str().unwrap();
    for words in [["-peering-token", "dG9rZW4="], ["-peering-token-file", path], ["-peering-token-file", "-"]] {
        let server = Mock::always(200, "{}");
        let words = [&["establish", "-name", "c1", "-meta=k=v", "-http-addr", &server.address], &words[..]].concat();
        let ran = peering_with(&words, &[], &mut &b"dG9rZW4=\r\n"[..]);
        assert_eq!(ran, succeeded("Successfully established peering connection with c1\n"));
        let seen = server.only();
        assert_eq!((seen.method.clone(), seen.uri.path()), (Method::POST, "/v1/peering/establish"));
        assert_eq!(seen.body, r#"{"PeerName":"c1","PeeringToken":"dG9rZW4=","Meta":{"k":"v"}}"#);
    }
}

#[test]
fn a_token_file_must_hold_one_token_and_nothing_else_may() {
    let long = "a".repeat((1 << 20) + 1);
    for (stdin, reason) in [("", "there is none"), (" \n", "there is none"), (&long, "expected at most 1048576 bytes")]
    {
        let ran = peering_with(&["establish", "-name=c", "-peering-token-file=-"], &[], &mut stdin.as_bytes());
        assert_eq!(ran, failed(&format!("Error reading the peering token from standard input: {reason}")));
    }
    let ran = peering(&["establish", "-name=c", "-peering-token-file=/nonexistent/t"], &[]);
    let message = "Error reading the peering token from /nonexistent/t: no such file or directory";
    assert_eq!(ran, failed(message));
    let ran = peering(&["establish", "-name=c", "-peering-token=a", "-peering-token-file=b"], &[]);
    assert_eq!(ran, failed("Only one of -peering-token and -peering-token-file can be given"));
}

#[test]
fn list_prints_a_table_sorted_by_name() {
    let mut active = dialer();
    active["Name"] = "cluster-02".into();
    active["StreamStatus"]["ImportedServices"] = Value::Null;
    active["Meta"] = json!({"env": "production"});
    let server = serving(json!([acceptor("cluster-03"), active]));
    assert_eq!(
        peering(&["list", "-http-addr", &server.address], &[]),
        succeeded(
            "\
Name        State    Imported Svcs  Exported Svcs  Meta
cluster-02  ACTIVE   0              2              env=production
cluster-03  PENDING  0              0              \n"
        )
    );
    let seen = server.only();
    assert_eq!((seen.method.clone(), seen.uri.to_string()), (Method::GET, "/v1/peerings".to_owned()));
}

#[test]
fn list_joins_metadata_sorted_and_sorts_json_too() {
    let server = serving(json!([dialer(), acceptor("a")]));
    let pretty = peering(&["list", "-http-addr", &server.address], &[]).stdout;
    assert!(pretty.ends_with("env=production,tier=1\n"), "{pretty}");
    let json = peering(&["list", "-format", "json", "-http-addr", &server.address], &[]).stdout;
    assert!(json.starts_with("[{\"ID\":\"106914d1-32dc-214c-a068-d068a8ef3144\",\"Name\":\"a\",\"State\""), "{json}");
    assert!(json.ends_with("}]\n") && json.lines().count() == 1, "{json}");
}

#[test]
fn api_case_53_nothing_and_an_empty_list_are_printed_as_they_came() {
    for (body, json) in [("null", "null\n"), ("[]", "[]\n")] {
        let server = Mock::always(200, body);
        assert_eq!(peering(&["list", "-format=json", "-http-addr", &server.address], &[]), succeeded(json));
        let pretty = succeeded("There are no peering connections.\n");
        assert_eq!(peering(&["list", "-http-addr", &server.address], &[]), pretty);
    }
}

#[test]
fn api_case_54_read_prints_both_addresses_of_a_dialer_on_one_line() {
    let server = serving(dialer());
    assert_eq!(
        peering(&["read", "-name", "cluster-01", "-http-addr", &server.address], &[]),
        succeeded(concat!(
            "Name:         cluster-01\n",
            "ID:           a8ed2a1e-837c-263c-633c-12da84e58a6b\n",
            "State:        ACTIVE\n",
            "Meta:\n",
            "    env=production\n",
            "    tier=1\n",
            "\n",
            "Peer ID:               106914d1-32dc-214c-a068-d068a8ef3144\n",
            "Peer Server Name:      server.dc1.peering.75665a11-e751-8734-d0b0-dbec5a93aa01.consul\n",
            "Peer CA Pems:          2\n",
            "Peer Server Addresses:\n",
            "    10.0.0.1:8503    10.0.0.2:8503\n",
            "Imported Services: 1\n",
            "Exported Services: 2\n",
            "\n",
            "Last Heartbeat:    2023-12-13 06:31:28.227392 +0000 UTC\n",
            "Last Send:         <nil>\n",
            "Last Receive:      0001-01-01 00:00:00 +0000 UTC\n",
            "\n",
            "Create Index: 21\n",
            "Modify Index: 24\n",
            "\n",
        ))
    );
    assert_eq!(server.only().uri.to_string(), "/v1/peering/cluster-01");
}

#[test]
fn read_prints_an_acceptor_with_an_empty_line_where_the_addresses_would_be() {
    let mut deleting = acceptor("c2");
    deleting["Partition"] = "ap1".into();
    deleting["DeletedAt"] = "2024-01-02T03:04:05.678Z".into();
    deleting["State"] = "DELETING".into();
    let server = serving(deleting);
    assert_eq!(
        peering(&["read", "-name=c2", "-http-addr", &server.address], &[]),
        succeeded(concat!(
            "Name:         c2\n",
            "ID:           106914d1-32dc-214c-a068-d068a8ef3144\n",
            "Partition:    ap1\n",
            "DeletedAt:    2024-01-02T03:04:05Z\n",
            "State:        DELETING\n",
            "\n",
            "Peer ID:               \n",
            "Peer Server Name:      \n",
            "Peer CA Pems:          0\n",
            "\n",
            "Imported Services: 0\n",
            "Exported Services: 0\n",
            "\n",
            "Last Heartbeat:    <nil>\n",
            "Last Send:         <nil>\n",
            "Last Receive:      <nil>\n",
            "\n",
            "Create Index: 18\n",
            "Modify Index: 18\n",
            "\n",
        ))
    );
}

#[test]
fn read_warns_of_a_peer_whose_trust_domain_changed() {
    let mut changed = acceptor("c2");
    changed["TrustDomainChangedFrom"] = "old\u{1b}.consul".into();
    let server = serving(changed);
    let stdout = peering(&["read", "-name=c2", "-http-addr", &server.address], &[]).stdout;
    let warning = "\nWarning: the peer's trust domain changed from old\\x1b.consul when it last presented a new token\n\n\
                   Create Index:";
    assert!(stdout.contains(warning), "{stdout}");
}

#[test]
fn read_in_json_keeps_consul_s_key_order_and_go_s_escapes() {
    let mut peering_value = acceptor("c2");
    peering_value["Meta"] = json!({"k": "<&>"});
    peering_value["Unknown"] = 1.into();
    let server = serving(peering_value);
    assert_eq!(
        peering(&["read", "-name=c2", "-format=json", "-http-addr", &server.address], &[]),
        succeeded(
            "{\"ID\":\"106914d1-32dc-214c-a068-d068a8ef3144\",\"Name\":\"c2\",\"Meta\":{\"k\":\"\\u003c\\u0026\\u003e\"},\
            \"State\":\"PENDING\",\"StreamStatus\":{\"ImportedServices\":null,\"ExportedServices\":null,\
            \"LastHeartbeat\":null,\"LastReceive\":null,\"LastSend\":null},\"CreateIndex\":18,\"ModifyIndex\":18,\
            \"Remote\":{\"Partition\":\"\",\"Datacenter\":\"\"}}\n"
        )
    );
}

#[test]
fn read_of_an_absent_peering_fails() {
    let server = Mock::always(404, "Peering not found for \"nope\"");
    for format in ["pretty", "json"] {
        let ran = peering(&["read", "-name=nope", "-format", format, "-http-addr", &server.address], &[]);
        assert_eq!(ran, failed("No peering with name nope found."));
    }
}

#[test]
fn api_case_52_delete_of_an_unknown_peer_succeeds() {
    let server = Mock::always(200, "");
    let ran = peering(&["delete", "--name=nope", "-http-addr", &server.address], &[]);
    assert_eq!(ran, succeeded("Successfully submitted peering connection, nope, for deletion\n"));
    let seen = server.only();
    assert_eq!((seen.method.clone(), seen.uri.to_string()), (Method::DELETE, "/v1/peering/nope".to_owned()));
}

#[test]
fn a_refusal_shows_status_and_body_in_the_words_of_the_verb() {
    let body = " a new peering token must be generated: invalid peering establishment secret\n";
    let server = Mock::always(403, body);
    let reason = format!("Unexpected response code: 403 ({})", body.trim());
    for (words, message) in [
        (["generate-token", "-name=x"].as_slice(), "Error generating peering token for x"),
        (&["establish", "-name=x", "-peering-token=t"], "Error establishing peering for x"),
        (&["list"], "Error listing peerings"),
        (&["read", "-name=x"], "Error reading peering"),
        (&["delete", "-name=x"], "Error deleting peering for x"),
    ] {
        let words = [words, &["-http-addr", &server.address]].concat();
        assert_eq!(peering(&words, &[]), failed(&format!("{message}: {reason}")));
    }
}

#[test]
fn only_200_is_success() {
    for status in [201, 202, 204, 304] {
        let server = Mock::always(status, "");
        let ran = peering(&["delete", "-name=x", "-http-addr", &server.address], &[]);
        assert_eq!(ran, failed(&format!("Error deleting peering for x: Unexpected response code: {status} ()")));
    }
}

#[test]
fn an_answer_that_is_no_json_is_a_failure() {
    let server = Mock::always(200, "<html>");
    for words in [["list"].as_slice(), &["establish", "-name=x", "-peering-token=t"], &["generate-token", "-name=x"]] {
        let ran = peering(&[words, &["-http-addr", &server.address]].concat(), &[]);
        assert!(ran.exit == Exit::Failure && ran.stderr.contains("cannot read the server's answer"), "{ran:?}");
    }
}

#[test]
fn foreign_text_cannot_move_the_cursor_or_forge_a_line() {
    let mut hostile = acceptor("a\u{1b}[2J\nb");
    hostile["Meta"] = json!({"k\u{202e}": "v\r"});
    let server = serving(json!([hostile]));
    let table = peering(&["list", "-http-addr", &server.address], &[]).stdout;
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.contains(r"a\x1b[2J\nb") && table.ends_with("k\\u202e=v\\r\n"), "{table}");

    let server = serving(hostile_peering());
    let page = peering(&["read", "-name=x", "-http-addr", &server.address], &[]).stdout;
    assert!(page.starts_with("Name:         a\\nState:        ACTIVE\n"), "{page}");

    let server = Mock::always(500, "1 error occurred:\n\t* x\u{1b}]0;t\u{7}\r\n");
    let ran = peering(&["list", "-http-addr", &server.address], &[]);
    let message = "Error listing peerings: Unexpected response code: 500 (1 error occurred:\n\t* x\\x1b]0;t\\x07)";
    assert_eq!(ran, failed(message));
}

fn hostile_peering() -> Value {
    acceptor("a\nState:        ACTIVE")
}

#[test]
fn exported_services_are_printed_as_they_came() {
    let mut peering_value = dialer();
    let server = serving(peering_value.clone());
    let words = ["exported-services", "-name", "cluster-01", "-http-addr", &server.address];
    assert_eq!(peering(&words, &[]), succeeded("db\ncache\n"));
    assert_eq!(server.only().uri.path(), "/v1/peering/cluster-01");
    let json = [&words[..], &["-format=json"]].concat();
    assert_eq!(peering(&json, &[]), succeeded("[{\"ID\":\"db\"},{\"ID\":\"cache\"}]\n"));
    peering_value["StreamStatus"]["ExportedServices"] = Value::Null;
    let server = serving(peering_value);
    let words = ["exported-services", "-name", "cluster-01", "-http-addr", &server.address];
    assert_eq!(peering(&words, &[]), succeeded("\n"));
    assert_eq!(peering(&[&words[..], &["-format=json"]].concat(), &[]), succeeded("[]\n"));
    let server = Mock::always(404, "Peering not found for \"x\"");
    let words = ["exported-services", "-name", "x", "-http-addr", &server.address];
    assert_eq!(peering(&words, &[]), failed("No peering with name x found."));
    assert_eq!(peering(&["exported-services"], &[]), failed("Missing the required -name flag"));
}

/// What a server of ours says of a dialer's peering that fails.
fn detail() -> Value {
    json!({
        "LastReceiveAge": "1m4.2s",
        "LastSendAge": "2s",
        "LastError": {
            "Time": "2030-05-31T23:59:58.5Z", "Code": "connection-refused", "Text": "10.0.0.1:8503: could not connect",
            "Remedy": "see whether the peer's server runs and listens at this address"
        },
        "NextRedial": { "Time": "2030-06-01T00:00:03Z", "After": "3.1s", "Failures": 4 },
        "Transitions": [
            { "Time": "2030-05-31T20:00:00Z", "From": "ESTABLISHING", "To": "ACTIVE", "Cause": "peer-heard" },
            { "Time": "2030-05-31T23:59:00Z", "From": "ACTIVE", "To": "FAILING", "Cause": "connection-lost" }
        ]
    })
}

#[test]
fn read_shows_what_explains_the_state_below_the_page_of_consul_and_json_has_it_too() {
    let mut peering_value = dialer();
    let server = serving(peering_value.clone());
    let consuls = peering(&["read", "-name", "cluster-01", "-http-addr", &server.address], &[]).stdout;
    peering_value["Detail"] = detail();
    let server = serving(peering_value.clone());
    let page = peering(&["read", "-name", "cluster-01", "-http-addr", &server.address], &[]).stdout;
    let ours = page.strip_prefix(consuls.trim_end_matches('\n')).unwrap();
    assert_eq!(
        ours,
        "

Detail:
    Last Frame Received: 1m4.2s ago
    Last Frame Sent:     2s ago
    Last Error:          2030-05-31T23:59:58Z connection-refused: 10.0.0.1:8503: could not connect
    What To Do:          see whether the peer's server runs and listens at this address
    Next Redial:         in 3.1s, after 4 failures
    Transitions:
        2030-05-31T20:00:00Z  ESTABLISHING → ACTIVE  peer-heard
        2030-05-31T23:59:00Z  ACTIVE → FAILING       connection-lost

"
    );
    let json = peering(&["read", "-name=c", "-format=json", "-http-addr", &server.address], &[]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["Detail"], detail());
    // What another server may mean by the word is no reason to fail.
    peering_value["Detail"] = "fine".into();
    let server = serving(peering_value);
    assert_eq!(peering(&["read", "-name", "cluster-01", "-http-addr", &server.address], &[]), succeeded(&consuls));
}
