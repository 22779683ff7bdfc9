//! What `peering server` refuses, and the remedy that it names.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use peering_tests::process::Signal;
use peering_tests::site::{Site, private_directory};

use crate::under_test::{program, start_in};

#[tokio::test]
async fn access_control_is_on_unless_told_otherwise_and_dev_has_none() {
    let home = private_directory();
    let data_dir = home.path().join("data").display().to_string();
    for acl in [&[][..], &["-acl", "deny"], &["-acl", "allow"], &["-acl", "off"]] {
        let words = [&["server", "-check", "-data-dir", data_dir.as_str()], acl].concat();
        program().run(&words).await.expect(0, "The settings are good.\n", "");
    }
    let refused = program().run(&["server", "-data-dir", &data_dir, "-acl", "on"]).await;
    refused.expect(
        1,
        "",
        "The settings of the server are wrong:\n-acl: expected one of deny, allow, off, got \"on\"\n",
    );
    let refused = program().run(&["server", "-dev", "-acl", "deny"]).await;
    refused.expect(
        1,
        "",
        "The settings of the server are wrong:\n-acl: -dev keeps nothing, a management token neither: for access control \
         leave out -dev, perhaps with -store memory\n",
    );
    assert!(!home.path().join("data").exists(), "nothing is made before the settings are good");
}

#[tokio::test]
async fn all_mistakes_are_named_at_once_whether_made_by_flag_or_variable() {
    let home = private_directory();
    #[rustfmt::skip]
    let words = [
        "server", "-data-dir", "data", "-acl", "on", "-store", "floppy", "-datacenter", "a b", "-http-addr", "0.0.0.0:8500",
        "-http-addr", "https://127.0.0.1:8501", "-peer-addr", "peers", "-advertise", "http://me", "-dial-deny", "ten",
        "-log-level", "loud", "-log-format", "xml", "-http-max-connections", "many", "-token-ttl-default", "48h",
        "-token-ttl-max", "24h", "-token-retention", "30d",
    ];
    let refused = program()
        .call(words)
        .variable("PEERING_SERVER_ALLOW_PLAINTEXT", "perhaps")
        .directory(home.path())
        .finish()
        .await;
    refused.expect(
        1,
        "",
        r#"The settings of the server are wrong:
-allow-plaintext: PEERING_SERVER_ALLOW_PLAINTEXT is "perhaps", expected true or false
-token-ttl-default: 48h0m0s is longer than -token-ttl-max, 24h0m0s
-token-retention: time: unknown unit "d" in duration "30d"
-datacenter: "a b" is not a valid datacenter name: expected 1 to 63 characters of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit
-acl: expected one of deny, allow, off, got "on"
-store: expected sqlite or memory, got "floppy"
-peer-addr: expected an IP address and a port such as <address>, got "peers"
-dial-deny: expected a network such as 10.0.0.0/8, got "ten"
-advertise: expected host or host:port, an IPv6 address with port in brackets, got "http://me"
-http-max-connections: expected a number of at least 1, got "many"
-log-level: expected one of error, warn, info, debug, trace, got "loud"
-log-format: expected one of text, json, got "xml"
-http-addr: 0.0.0.0:8500 is not a loopback address; beyond this machine the API needs TLS: write https:// in front, and give -http-cert and -http-key
-http-cert: https:// in -http-addr needs a certificate and its key: give the PEM file of each
-http-key: https:// in -http-addr needs a certificate and its key: give the PEM file of each
"#,
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn check_validates_the_settings_and_touches_nothing() {
    let home = private_directory();
    let data_dir = home.path().join("data");
    start_in(&data_dir, &["-check"]).await.expect(0, "The settings are good.\n", "");
    assert!(!data_dir.exists());
    let refused = start_in(&data_dir, &["-check", "-log-level", "loud"]).await;
    refused.expect(
        1,
        "",
        "The settings of the server are wrong:\n\
         -log-level: expected one of error, warn, info, debug, trace, got \"loud\"\n",
    );
}

#[tokio::test]
async fn a_data_directory_serves_one_server_at_a_time() {
    let mut first = Site::start(&program(), "dc1").await;
    first.generate_token("cluster-02").await;
    start_in(first.data_dir(), &[]).await.expect(
        1,
        "",
        "Error starting the server: the store in <dir> cannot be opened: <dir> is in use by another server: stop that \
         one, or name another data directory\n",
    );
    assert_eq!(first.state("cluster-02").await, "PENDING", "the first one is not disturbed");
    // A server that was killed holds nothing.
    first.stop(Signal::KILL).await;
    first.restart().await;
    assert_eq!(first.state("cluster-02").await, "PENDING");
}

#[tokio::test]
async fn an_audit_log_has_one_server_at_a_time() {
    let mut first = Site::start(&program(), "dc1").await;
    first.generate_token("cluster-02").await;
    let log = first.data_dir().join("audit.log").display().to_string();
    let second = private_directory();
    let refused = start_in(second.path(), &["-log-level", "error", "-audit-log", &log]).await;
    refused.marking(&log, "<log>").expect(
        1,
        "",
        "Error starting the server: the audit log <log> is locked, by another server that writes to it or by a reader: name \
         another file with -audit-log, or end the reader\n",
    );
    // A server that was killed holds nothing.
    first.stop(Signal::KILL).await;
    first.restart().await;
    assert_eq!(first.state("cluster-02").await, "PENDING");
}

#[tokio::test]
async fn a_store_without_its_keyring_is_never_given_a_new_one() {
    let mut site = Site::start(&program(), "dc1").await;
    site.generate_token("cluster-02").await;
    site.stop(Signal::TERM).await;
    let (keyring, elsewhere) = (site.data_dir().join("keyring"), site.data_dir().join("backup"));
    fs::rename(&keyring, &elsewhere).unwrap();
    start_in(site.data_dir(), &["-log-level", "error"]).await.expect(
        1,
        "",
        "Error starting the server: the keyring <dir>/keyring is missing and the store is not empty: put back the \
         keyring that the store was made with, a new one could not open it\n",
    );
    assert!(!keyring.exists());
    fs::rename(&elsewhere, &keyring).unwrap();
    site.restart().await;
    assert_eq!(site.state("cluster-02").await, "PENDING");
}

#[tokio::test]
async fn what_others_may_read_or_write_is_refused_with_the_remedy() {
    let mut site = Site::start(&program(), "dc1").await;
    site.stop(Signal::TERM).await;
    let store = "Error starting the server: the store in <dir> cannot be opened";
    let keyring = "Error starting the server: the keyring cannot be used";
    for (name, mode, refusal) in [
        ("", 0o750, format!("{store}: <dir> has mode 0750, so that others may use it: run `chmod 700 <dir>`\n")),
        (
            "/store.sqlite",
            0o640,
            format!(
                "{store}: <dir>/store.sqlite has mode 0640, so that others may use it: run `chmod 600 <dir>/store.sqlite`\n"
            ),
        ),
        (
            "/keyring",
            0o604,
            format!(
                "{keyring}: <dir>/keyring has mode 0604, so that others may use it: run `chmod 600 <dir>/keyring`\n"
            ),
        ),
    ] {
        let path = format!("{}{name}", site.data_dir().display());
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        start_in(site.data_dir(), &["-log-level", "error"]).await.expect(1, "", &refusal);
        fs::set_permissions(&path, before).unwrap();
    }
    site.restart().await;
}

#[tokio::test]
async fn a_socket_is_not_put_where_others_could_replace_it() {
    let home = private_directory();
    let open = home.path().join("open");
    DirBuilder::new().mode(0o700).create(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let socket = format!("unix://{}/api.sock", open.display());
    let refused = start_in(&home.path().join("data"), &["-http-addr", &socket, "-log-level", "error"]).await;
    refused.marking(open.display().to_string(), "<open>").expect(
        1,
        "",
        "Error starting the server: the http listener cannot use its unix socket: <open> has mode 0777, so others can \
         replace the socket: use a directory that only its owner can write to\n",
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let site = Site::start(&program(), "dc1").await;
    let home = private_directory();
    let refused = start_in(&home.path().join("data"), &["-http-addr", site.http(), "-log-level", "error"]).await;
    refused.expect(
        1,
        "",
        "Error starting the server: the http listener cannot listen on <address>: Address already in use (os error 98)\n",
    );
}

#[tokio::test]
async fn a_file_of_settings_is_read_under_variables_and_flags() {
    let home = private_directory();
    let file = home.path().join("peering.toml");
    let data_dir = home.path().join("data").display().to_string();
    let settings = format!(
        "acl = \"off\"\ndata_dir = {data_dir:?}\nadvertise = [\"file.example:1\"]\nhttp_addr = [\"127.0.0.1:0\"]\n\
         peer_addr = \"127.0.0.1:0\"\nhttp_max_connections = 100\n"
    );
    fs::write(&file, settings).unwrap();
    let path = file.display().to_string();
    for (variable, flags, advertised) in [
        (None, &[][..], "file.example:1"),
        (Some("variable.example:1"), &[], "variable.example:1"),
        (Some("variable.example:1"), &["-advertise", "flag.example:1"], "flag.example:1"),
    ] {
        let call = program().call(["server", "-config-file", &path].iter().chain(flags));
        let call = match variable {
            Some(value) => call.variable("PEERING_SERVER_ADVERTISE", value),
            None => call,
        };
        let mut process = call.start();
        let ready = process.line_with("ready").await;
        assert!(ready.ends_with(&format!("advertised as {advertised}")), "{ready}");
        process.end(Signal::TERM).await;
    }
    fs::write(&file, "acl = \"off\"\ndata-dir = \"data\"\n").unwrap();
    let call = program().call(["server", "-log-level", "loud"]).variable("PEERING_SERVER_CONFIG_FILE", &path);
    let refused = call.directory(home.path()).finish().await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let problem = format!("-config-file: {path}, line 2: unknown field `data-dir`, expected one of `dev`, `data_dir`");
    assert!(refused.stderr.contains(&problem), "{}", refused.stderr);
    assert!(refused.stderr.contains("-log-level: expected one of"), "{}", refused.stderr);
}
