//! `peering server -check`: where a setting may stand, and what is said of one that cannot be used.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;

use super::{Ran, failed, peering, succeeded};
use crate::Exit;

/// Checks the settings of a server whose data directory is `data` in a directory of the test.
fn check(home: &TempDir, more: &[&str], variables: &[(&str, &str)]) -> Ran {
    let data = home.path().join("data");
    peering(&[&["server", "-check", "-data-dir", data.to_str().unwrap()], more].concat(), variables)
}

/// A refusal of settings with this one mistake.
fn wrong(mistake: &str) -> Ran {
    failed(&format!("The settings of the server are wrong:\n{mistake}"))
}

fn good() -> Ran {
    succeeded("The settings are good.\n")
}

/// Writes a settings file, and returns its path.
fn file(home: &TempDir, text: &str) -> String {
    let path = home.path().join("peering.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn what_is_said_of_one_start_is_a_flag_alone() {
    let home = tempfile::tempdir().unwrap();
    for flag in ["after-restore", "check"] {
        let name = flag.to_uppercase().replace('-', "_");
        let variable = format!("PEERING_SERVER_{name}");
        for value in ["true", "false", "1"] {
            assert_eq!(
                check(&home, &[], &[(&variable, value)]),
                wrong(&format!(
                    "-{flag}: {variable} is set, which would hold for every start: unset it, and give the flag -{flag} \
                     to the one start that it is meant for"
                ))
            );
        }
        assert_eq!(check(&home, &[], &[(&variable, "")]), good(), "an empty value counts as none");
        let key = flag.replace('-', "_");
        let path = file(&home, &format!("log_level = \"info\"\n{key} = true\n"));
        assert_eq!(
            check(&home, &["-config-file", &path], &[]),
            wrong(&format!(
                "-config-file: {path}, line 2: `{key}` would hold for every start: take it out, and give the flag \
                 -{flag} to the one start that it is meant for"
            ))
        );
    }
}

#[test]
fn variables_that_are_no_settings_are_named() {
    let home = tempfile::tempdir().unwrap();
    let told = check(
        &home,
        &[],
        &[("PEERING_SERVER_DATADIR", "x"), ("PEERING_SERVER_A\u{1b}", ""), ("PEERING_HTTP_ADDR", "x")],
    );
    assert_eq!(
        (told.exit, told.stdout.as_str(), told.stderr.as_str()),
        (
            Exit::Success,
            "The settings are good.\n",
            "Warning: PEERING_SERVER_A\\x1b, PEERING_SERVER_DATADIR: no setting has such a variable, and it was passed over; \
             peering server -h lists the settings\n"
        )
    );
    let path = file(&home, "");
    // Kubernetes gives every container such variables for a service of the name peering-server.
    let kubernetes =
        ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT", "PORT_8503_TCP", "PORT_8503_TCP_ADDR"];
    let kubernetes = kubernetes.map(|name| format!("PEERING_SERVER_{name}"));
    let mut set: Vec<(&str, &str)> = kubernetes.iter().map(|name| (name.as_str(), "10.0.0.1")).collect();
    set.extend([("PEERING_SERVER_CONFIG_FILE", path.as_str()), ("PEERING_SERVER_ACL", "deny")]);
    assert_eq!(check(&home, &[], &set), good());
}

#[test]
fn a_wrong_value_is_blamed_on_where_it_was_given() {
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, "token_ttl_max = \"1y\"\n");
    let unit = "time: unknown unit \"y\" in duration \"1y\"";
    let from_file = check(&home, &["-config-file", &path], &[]);
    assert_eq!(from_file, wrong(&format!("token_ttl_max in {path}: {unit}")));
    let variable = [("PEERING_SERVER_TOKEN_TTL_MAX", "1y")];
    let from_variable = check(&home, &["-config-file", &path], &variable);
    assert_eq!(from_variable, wrong(&format!("PEERING_SERVER_TOKEN_TTL_MAX: {unit}")));
    let from_flag = check(&home, &["-config-file", &path, "-token-ttl-max", "1y"], &variable);
    assert_eq!(from_flag, wrong(&format!("-token-ttl-max: {unit}")));
}

#[test]
fn in_a_file_a_text_does_for_a_list_of_one_and_a_wrong_value_has_its_key() {
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, "audit_log = \"off\"\nadvertise = \"peer.example.net\"\ndial_deny = [\"10.0.0.0/8\"]\n");
    assert_eq!(check(&home, &["-config-file", &path], &[]), good());
    for (text, told) in [
        ("\naudit_log = 7\n", "line 2: audit_log: invalid type: integer `7`, expected a text or a list of texts"),
        ("audit_log = [7]\n", "line 1: audit_log: invalid type: integer `7`, expected a string"),
        ("acl = \"deny\"\ndev = \"yes\"\n", "line 2: dev: invalid type: string \"yes\", expected a boolean"),
        ("http_max_connections = true\n", "line 1: http_max_connections: expected a number"),
        ("acl = deny\n", "line 1: "),
    ] {
        let path = file(&home, text);
        let ran = check(&home, &["-config-file", &path], &[]);
        let told = format!("The settings of the server are wrong:\n-config-file: {path}, {told}");
        assert!(ran.exit == Exit::Failure && ran.stderr.starts_with(&told), "{}", ran.stderr);
    }
}

#[test]
fn an_advertised_address_that_nobody_may_dial_is_refused_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let form = "expected host or host:port, an IPv6 address with port in brackets";
    for (address, told) in [
        ("169.254.1.1", "peers would not dial \"169.254.1.1\": the address is link-local"),
        ("[fe80::1]:8503", "peers would not dial \"[fe80::1]:8503\": the address is link-local"),
        (
            "0.0.0.0",
            "peers would not dial \"0.0.0.0\": the address is unspecified and leads to whoever dials it: name the one at \
             which they reach this server",
        ),
        ("224.0.0.1:8503", "peers would not dial \"224.0.0.1:8503\": the address is a multicast address"),
        ("255.255.255.255", "peers would not dial \"255.255.255.255\": the address is a broadcast or reserved address"),
        ("http://me", &format!("{form}, got \"http://me\"")),
        ("", &format!("{form}, got \"\"")),
        (":8503", &format!("{form}, got \":8503\"")),
        ("host:0", &format!("{form}, got \"host:0\"")),
    ] {
        assert_eq!(check(&home, &["-advertise", address], &[]), wrong(&format!("-advertise: {told}")));
    }
}

#[test]
fn a_check_finds_what_the_start_would_refuse_and_makes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).display().to_string();
    let (log, linked, missing) = (at("log"), at("linked"), at("missing/audit.log"));
    let directory = home.path().display().to_string();
    fs::write(&log, "").unwrap();
    symlink(&log, &linked).unwrap();
    let no_file =
        |path: &str| format!("the audit log {path} is not a regular file: name another, or stdout for standard output");
    for (path, told) in [
        (directory.as_str(), no_file(&directory)),
        ("/dev/null", no_file("/dev/null")),
        (&linked, no_file(&linked)),
        (&missing, format!("cannot open the audit log {missing}: No such file or directory (os error 2)")),
    ] {
        let ran = check(&home, &["-audit-log", path], &[]);
        assert_eq!(ran, failed(&format!("Error starting the server: {told}")));
    }
    assert_eq!(check(&home, &["-audit-log", &log], &[]), good());
    assert_eq!(check(&home, &["-audit-log", &at("new")], &[]), good());
    assert_eq!(check(&home, &["-audit-log", "stdout"], &[]), good());
    let data = at("data");
    assert_eq!(check(&home, &["-audit-log", &format!("{data}/trail")], &[]), good(), "the start makes the directory");
    fs::write(&data, "").unwrap();
    let ran = check(&home, &[], &[]);
    let opening = format!("Error starting the server: the store in {data} cannot be opened: {data}");
    assert!(ran.exit == Exit::Failure && ran.stderr.starts_with(&format!("{opening} is not a directory")), "{ran:?}");
    fs::remove_file(&data).unwrap();
    DirBuilder::new().mode(0o700).create(&data).unwrap();
    assert_eq!(check(&home, &[], &[]), good());
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let told = format!("{opening} has mode 0755, so that others may use it: run `chmod 700 {data}`");
    assert_eq!(check(&home, &[], &[]), failed(&told));
    assert_eq!(check(&home, &["-store", "memory"], &[]), good(), "there is no store in it then");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    assert!(!Path::new(&at("new")).exists());
}
