//! Addresses, sockets, tokens, queries, and what is said when nobody answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::mock::{Mock, answer};
use super::{failed, peering, succeeded};

#[test]
fn a_refused_connection_reads_as_go_s() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let refused = format!("dial tcp {address}: connect: connection refused");
    for (words, message) in [
        (["list"].as_slice(), format!("Error listing peerings: Get \"http://{address}/v1/peerings\": {refused}")),
        (
            &["establish", "-name=x", "-peering-token=t"],
            format!("Error establishing peering for x: Post \"http://{address}/v1/peering/establish\": {refused}"),
        ),
        (
            &["delete", "-name=x"],
            format!("Error deleting peering for x: Delete \"http://{address}/v1/peering/x\": {refused}"),
        ),
    ] {
        assert_eq!(peering(words, &[("CONSUL_HTTP_ADDR", &address)]), failed(&message));
    }
    let ran = peering(&["list", "-http-addr", &format!("http://localhost:{port}/gw/")], &[]);
    let (start, end) =
        (format!("Get \"http://localhost:{port}/gw/v1/peerings\": dial tcp "), ": connect: connection refused\n");
    assert!(ran.stderr.contains(&start) && ran.stderr.ends_with(end), "{}", ran.stderr);
    assert!(!ran.stderr.contains("dial tcp localhost"), "the address is named, not the host: {}", ran.stderr);
}

#[test]
fn an_unknown_host_reads_as_go_s() {
    let ran = peering(&["list", "-http-addr=nope.invalid:8500"], &[]);
    let message = "Error listing peerings: Get \"http://nope.invalid:8500/v1/peerings\": \
        dial tcp: lookup nope.invalid: no such host";
    assert_eq!(ran, failed(message));
}

#[test]
fn a_missing_socket_reads_as_go_s() {
    let ran = peering(&["list", "-http-addr=unix:///nonexistent/api.sock"], &[]);
    let message = "Error listing peerings: Get \"http://localhost/v1/peerings\": \
        dial unix /nonexistent/api.sock: connect: no such file or directory";
    assert_eq!(ran, failed(message));
}

#[test]
fn a_server_that_hangs_up_is_named_with_the_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 64]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[").unwrap();
    });
    let ran = peering(&["list", "-http-addr", &address], &[]);
    server.join().unwrap();
    let start = format!("Error listing peerings: Get \"http://{address}/v1/peerings\": ");
    assert!(ran.stderr.starts_with(&start) && ran.stderr.len() > start.len() + 1, "{}", ran.stderr);
}

#[test]
fn api_case_55_a_unix_socket_is_called_as_localhost() {
    let dir = tempfile::tempdir().unwrap();
    let server = Mock::start_unix(&dir.path().join("c.sock"), |_| answer(200, "[]"));
    assert!(server.address.starts_with("unix:///"));
    let ran = peering(&["list"], &[("CONSUL_HTTP_ADDR", &server.address)]);
    assert_eq!(ran, succeeded("There are no peering connections.\n"));
    assert_eq!(server.only().header("host"), "localhost");
}

#[test]
fn a_path_before_the_api_is_kept() {
    let server = Mock::always(200, "[]");
    for prefix in ["/consul", "/consul/"] {
        peering(&["list", "-http-addr", &format!("http://{}{prefix}", server.address)], &[]);
    }
    assert!(server.seen().iter().all(|seen| seen.uri.path() == "/consul/v1/peerings"));
}

#[test]
fn tokens_are_found_in_consul_s_order_with_our_variables_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!(" {name}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (flag_file, our_file, their_file) = (file("flag-file"), file("our-file"), file("their-file"));
    let flags = [["-token-file", flag_file.as_str()], ["-token", "flag"]];
    let variables = [
        ("PEERING_HTTP_TOKEN_FILE", our_file.as_str()),
        ("CONSUL_HTTP_TOKEN_FILE", their_file.as_str()),
        ("PEERING_HTTP_TOKEN", "ours"),
        ("CONSUL_HTTP_TOKEN", "theirs"),
    ];
    let server = Mock::always(200, "[]");
    let all = ["flag-file", "flag", "our-file", "their-file", "ours", "theirs", ""];
    for (i, _) in all.iter().enumerate() {
        let flags: Vec<&str> = flags.iter().skip(i).flatten().copied().collect();
        let variables = &variables[i.saturating_sub(2).min(variables.len())..];
        peering(&[&["list", "-http-addr", &server.address], &flags[..]].concat(), variables);
    }
    let sent: Vec<String> = server.seen().iter().map(|seen| seen.header("x-consul-token").to_owned()).collect();
    assert_eq!(sent, all);
}

#[test]
fn basic_authentication_comes_from_the_environment() {
    let server = Mock::always(200, "[]");
    for (value, header) in [("me:pass:word", "Basic bWU6cGFzczp3b3Jk"), ("me", "Basic bWU6")] {
        peering(&["list", "-http-addr", &server.address], &[("CONSUL_HTTP_AUTH", value)]);
        assert_eq!(server.seen().last().unwrap().header("authorization"), header);
    }
}

#[test]
fn partition_and_namespace_travel_in_the_query_and_the_partition_in_bodies() {
    let server = Mock::always(200, r#"{"PeeringToken":"dA=="}"#);
    let variables = [("PEERING_HTTP_ADDR", server.address.as_str()), ("CONSUL_NAMESPACE", "n s")];
    peering(&["generate-token", "-name=x", "-partition", "p&q"], &variables);
    peering(&["delete", "-name=x", "-partition", "p&q"], &variables);
    peering(&["delete", "-name=x"], &[variables[0], ("CONSUL_PARTITION", "p")]);
    let seen = server.seen();
    assert_eq!(seen[0].uri.to_string(), "/v1/peering/token?ns=n+s&partition=p%26q");
    assert_eq!(seen[0].body, r#"{"PeerName":"x","Partition":"p&q"}"#);
    assert_eq!(seen[1].uri.to_string(), "/v1/peering/x?ns=n+s&partition=p%26q");
    assert_eq!(seen[2].uri.to_string(), "/v1/peering/x?partition=p");
}

#[test]
fn a_name_is_one_step_of_the_path() {
    let server = Mock::always(200, "");
    peering(&["delete", "-name", "a/b?c", "-http-addr", &server.address], &[]);
    assert_eq!(server.only().uri.to_string(), "/v1/peering/a%2Fb%3Fc");
    let ran = peering(&["delete", "-name", "..", "-http-addr", &server.address], &[]);
    let message = "Error deleting peering for ..: \"..\" is not a valid peer name: a path cannot carry it";
    assert_eq!(ran, failed(message));
}

#[test]
fn a_compressed_answer_is_asked_for_and_read() {
    // What gzip makes of `[]`, with the time in its head left out.
    const EMPTY_LIST: [u8; 22] = [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 139, 142, 5, 0, 41, 187, 76, 13, 2, 0, 0, 0];
    let server = Mock::start(|_| {
        let mut answer = answer(200, "");
        answer.headers_mut().insert("Content-Encoding", "gzip".parse().unwrap());
        *answer.body_mut() = EMPTY_LIST.to_vec().into();
        answer
    });
    let ran = peering(&["list", "-http-addr", &server.address, "-format=json"], &[]);
    assert_eq!(ran, succeeded("[]\n"));
    assert_eq!(server.only().header("accept-encoding"), "gzip");
}
