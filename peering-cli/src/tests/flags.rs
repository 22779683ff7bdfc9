//! What happens before anything is sent.

use super::mock::Mock;
use super::{failed, peering, succeeded};
use crate::Exit;

#[test]
fn no_verb_and_an_unknown_one_print_the_help_on_standard_error() {
    for words in [[].as_slice(), &["bogus"], &["bogus", "-name", "x"]] {
        let ran = peering(words, &[]);
        assert_eq!((ran.exit.code(), ran.stdout.as_str()), (127, ""));
        assert!(ran.stderr.starts_with("Usage: peering <subcommand> [options] [args]\n\n"), "{}", ran.stderr);
        assert!(ran.stderr.ends_with("    version              Print the version of this program\n"), "{}", ran.stderr);
    }
}

#[test]
fn help_goes_to_standard_output() {
    for words in [["list", "-h"], ["list", "-help"], ["list", "--help"], ["-h", "list"]] {
        let ran = peering(&words, &[]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Success, ""));
        assert!(ran.stdout.starts_with("Usage: peering list [options]\n\n  List"), "{}", ran.stdout);
    }
    assert!(peering(&["-h"], &[]).stdout.starts_with("Usage: peering <subcommand>"));
    let as_value = peering(&["read", "-name", "-h"], &[]);
    assert!(as_value.stdout.starts_with("Usage: peering read [options] -name <peer name>\n"));
}

#[test]
fn every_help_page_has_its_usage_line_and_both_groups_of_flags() {
    for (verb, usage) in [
        ("generate-token", "generate-token [options] -name <peer name>"),
        ("establish", "establish [options] -name <peer name> -peering-token <token>"),
        ("list", "list [options]"),
        ("read", "read [options] -name <peer name>"),
        ("delete", "delete [options] -name <peer name>"),
        ("exported-services", "exported-services [options] -name <peer name>"),
    ] {
        let page = peering(&[verb, "-h"], &[]).stdout;
        let mut lines = page.lines();
        assert_eq!(lines.next().unwrap(), format!("Usage: peering {usage}"));
        let headings: Vec<_> = page.lines().filter(|line| line.ends_with(" Options")).collect();
        assert_eq!(headings, ["HTTP API Options", "Command Options"]);
        let http: Vec<_> = page.split("Command Options").next().unwrap().lines().collect();
        let http: Vec<_> = http.into_iter().filter(|line| line.starts_with("  -")).collect();
        let expected = ["ca-file=<value>", "ca-path=<value>", "client-cert=<value>", "client-key=<value>"];
        let expected = [&expected[..], &["http-addr=<address>", "tls-server-name=<value>", "token=<value>"]].concat();
        let expected: Vec<_> = expected.into_iter().chain(["token-file=<value>"]).map(|f| format!("  -{f}")).collect();
        assert_eq!(http, expected);
        assert!(page.contains("\n  -partition=<default>\n"), "{page}");
        assert!(page.lines().all(|line| !line.starts_with("     ") || line.chars().count() <= 72), "{page}");
        assert!(page.ends_with(".\n") && !page.ends_with("\n\n"), "{page}");
    }
}

#[test]
fn api_case_49_consul_s_peering_verbs_have_no_datacenter() {
    let ran = peering(&["list", "-datacenter", "dc1"], &[]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""));
    assert!(ran.stderr.starts_with("flag provided but not defined: -datacenter\nUsage:\n  -ca-file value\n    \t"));
    assert!(
        ran.stderr
            .contains("\n  -format string\n    \tHow the list is printed: pretty or json. (default \"pretty\")\n")
    );
}

#[test]
fn mistakes_in_flags_read_as_go_s() {
    for (words, message) in [
        (["read", "-name"].as_slice(), "flag needs an argument: -name"),
        (&["read", "--name"], "flag needs an argument: -name"),
        (&["read", "-=x"], "bad flag syntax: -=x"),
        (&["read", "---name"], "bad flag syntax: ---name"),
        (&["read", "-5"], "flag provided but not defined: -5"),
        (&["read", "-nome=x"], "flag provided but not defined: -nome"),
        (&["read", "x", "-nome"], "flag provided but not defined: -nome"),
        (&["establish", "-meta", "foo"], "invalid value \"foo\" for flag -meta: Missing \"=\" value in argument: foo"),
        (
            &["establish", "-meta=foo", "-x", "-=y"],
            "invalid value \"foo\" for flag -meta: Missing \"=\" value in argument: foo",
        ),
        (&["establish", "-x", "-meta=foo"], "flag provided but not defined: -x"),
        (&["establish", "-x", "-=y"], "flag provided but not defined: -x"),
        (
            &["establish", "-wait", "1h 30m"],
            "invalid value \"1h 30m\" for flag -wait: time: unknown unit \"h \" in duration \"1h 30m\"",
        ),
        (&["establish", "-wait=-1s"], "invalid value \"-1s\" for flag -wait: expected a duration of 0 or more"),
        (&["generate-token", "-ttl=-1s"], "invalid value \"-1s\" for flag -ttl: expected a duration of more than 0"),
        (
            &["generate-token", "-ttl=1y"],
            "invalid value \"1y\" for flag -ttl: time: unknown unit \"y\" in duration \"1y\"",
        ),
        (
            &["generate-token", "-ttl=9e9h"],
            "invalid value \"9e9h\" for flag -ttl: time: unknown unit \"e\" in duration \"9e9h\"",
        ),
        (
            &["generate-token", "-ttl=2562048h"],
            "invalid value \"2562048h\" for flag -ttl: time: invalid duration \"2562048h\"",
        ),
        (&["generate-token", "-ttl=0s"], "invalid value \"0s\" for flag -ttl: expected a duration of more than 0"),
    ] {
        let ran = peering(words, &[]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""), "{words:?}");
        assert_eq!(ran.stderr.lines().take(2).collect::<Vec<_>>(), [message, "Usage:"], "{words:?}");
    }
}

#[test]
fn flags_before_the_verb_are_refused_with_its_help() {
    let ran = peering(&["-x", "list"], &[]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""));
    let start = "Invalid flags before the subcommand. If these flags are for\n\
        the subcommand, please put them after the subcommand.\n\nUsage: peering list [options]\n";
    assert!(ran.stderr.starts_with(start), "{}", ran.stderr);
}

#[test]
fn required_flags_are_checked_in_consul_s_order_and_nothing_is_sent() {
    let server = Mock::always(200, "{}");
    let variables = [("PEERING_HTTP_ADDR", server.address.as_str())];
    let format = "Invalid format, valid formats are {json|pretty}";
    for (words, message) in [
        (["generate-token", "-format", "toml"].as_slice(), "Missing the required -name flag"),
        (&["establish"], "Missing the required -name flag"),
        (&["read", "-name", ""], "Missing the required -name flag"),
        (&["read", "foo"], "Missing the required -name flag"),
        (&["delete"], "Missing the required -name flag"),
        (&["establish", "-name", "x", "-peering-token", ""], "Missing the required -peering-token flag"),
        (&["list", "-format", "toml"], format),
        (&["generate-token", "-name", "x", "-format", ""], format),
    ] {
        assert_eq!(peering(words, &variables), failed(message), "{words:?}");
    }
    assert!(server.seen().is_empty());
}

#[test]
fn api_case_50_establish_needs_a_token_and_sends_nothing_without() {
    let server = Mock::always(200, "{}");
    let ran = peering(&["establish", "-name", "x", "-http-addr", &server.address], &[]);
    assert_eq!(ran, failed("Missing the required -peering-token flag"));
    assert!(server.seen().is_empty());
}

#[test]
fn api_case_51_an_unknown_format_is_refused() {
    let ran = peering(&["read", "-name", "x", "-format", "toml"], &[]);
    assert_eq!(ran, failed("Invalid format, valid formats are {json|pretty}"));
}

#[test]
fn names_that_are_paths_of_the_api_are_refused() {
    for (verb, name) in [("generate-token", "token"), ("establish", "establish")] {
        let ran = peering(&[verb, "-name", name, "-peering-token=x"][..if verb == "establish" { 4 } else { 3 }], &[]);
        let message = format!("The name {name:?} is a path of the HTTP API: ");
        assert!(ran.exit == Exit::Failure && ran.stderr.starts_with(&message), "{ran:?}");
    }
}

#[test]
fn a_repeated_flag_counts_the_last_time_and_leftover_words_are_ignored() {
    let server = Mock::always(200, "");
    let ran =
        peering(&["delete", "-name", "a", "word", "-name=b", "--", "-x"], &[("CONSUL_HTTP_ADDR", &server.address)]);
    assert_eq!(ran, succeeded("Successfully submitted peering connection, b, for deletion\n"));
    assert_eq!(server.only().uri.path(), "/v1/peering/b");
}

#[test]
fn the_version_has_two_lines() {
    let version = format!("peering v{}\n", env!("CARGO_PKG_VERSION"));
    for words in [["version"], ["-v"], ["--version"]] {
        let ran = peering(&words, &[]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Success, ""));
        assert!(ran.stdout.starts_with(&version) && ran.stdout.lines().count() == 2, "{}", ran.stdout);
    }
}

#[test]
fn settings_that_are_wrong_are_refused_in_the_words_of_the_verb() {
    let connect = "Error connect to Consul agent: ";
    for (words, variables, message) in [
        (
            ["list"].as_slice(),
            [("PEERING_HTTP_ADDR", "ftp://h")].as_slice(),
            format!("{connect}Unknown protocol scheme: ftp"),
        ),
        (
            &["delete", "-name", "x"],
            &[("PEERING_HTTP_ADDR", "ftp://h")],
            "Error connecting to Consul agent: Unknown protocol scheme: ftp".to_owned(),
        ),
        (
            &["list", "-token-file", "/nonexistent/token"],
            &[],
            format!(
                "{connect}Error loading token file /nonexistent/token : open /nonexistent/token: no such file or directory"
            ),
        ),
        (&["list", "-client-cert", "/x"], &[], format!("{connect}both client cert and client key must be provided")),
        (
            &["list", "-ca-file", "/nonexistent/ca"],
            &[],
            format!("{connect}Error loading CA File: open /nonexistent/ca: no such file or directory"),
        ),
        (
            &["list", "-ca-path", "/nonexistent/cas"],
            &[],
            format!("{connect}lstat /nonexistent/cas: no such file or directory"),
        ),
        (
            &["list", "-client-cert", "/nonexistent/c", "-client-key", "/nonexistent/k"],
            &[],
            format!("{connect}open /nonexistent/c: no such file or directory"),
        ),
        (
            &["list"],
            &[("CONSUL_HTTP_SSL_VERIFY", "no")],
            format!("{connect}CONSUL_HTTP_SSL_VERIFY is \"no\": expected {}", crate::args::go_bool::SPELLINGS),
        ),
        (
            &["list", "-http-addr=https://127.0.0.1:1", "-tls-server-name=10.0.0.1"],
            &[],
            format!(
                "{connect}the TLS server name \"10.0.0.1\" is not a DNS name: expected a name such as server.dc1.consul"
            ),
        ),
    ] {
        assert_eq!(peering(words, variables), failed(&message), "{words:?}");
    }
}

#[test]
fn verbs_of_ours_refuse_words_that_they_do_not_take() {
    let mut verbs = vec![
        vec!["issued", "list", "west"],
        vec!["audit", "key", "x"],
        vec!["audit", "head", "x"],
        vec!["completion", "bash", "x"],
        vec!["man", "directory", "x"],
    ];
    if cfg!(feature = "server") {
        verbs.extend([
            vec!["keyring", "list", "x"],
            vec!["keyring", "rotate", "x"],
            vec!["server", "-check", "false"],
            vec!["quickstart", "-exit", "x"],
        ]);
    }
    for words in verbs {
        let ran = peering(&words, &[]);
        assert!(ran.exit == Exit::Failure && ran.stderr.starts_with("too many arguments: "), "{words:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{words:?}");
    }
}
