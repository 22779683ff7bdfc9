//! Consul's own client library for Go, in the program of `tests/go`, against two servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use peering_tests::process::{Process, Signal};
use peering_tests::site::{own_loopback, private_directory};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::under_test::program;

/// Longest time to fetch the modules and to build the program.
const BUILD_MAX: Duration = Duration::from_secs(300);
/// Longest run of the program: it waits for many things, each with a time of its own.
const RUN_MAX: Duration = Duration::from_secs(300);

/// A server with access control, over HTTP, HTTPS and a unix socket.
struct Server {
    process: Process,
    directory: TempDir,
    http: String,
    https: String,
}

impl Server {
    async fn start(datacenter: &str) -> Self {
        let directory = private_directory();
        let place = |name: &str| directory.path().join(name).display().to_string();
        write_certificate(directory.path());
        let (data_dir, certificate, key) = (place("data"), place("cert.pem"), place("key.pem"));
        let loopback = own_loopback().to_string();
        let peers = format!("{loopback}:0");
        #[rustfmt::skip]
        let words = [
            "server", "-acl", "deny", "-datacenter", datacenter, "-data-dir", &data_dir, "-http-addr", "127.0.0.1:0",
            "-http-addr", "https://127.0.0.1:0", "-http-cert", &certificate, "-http-key", &key,
            "-peer-addr", &peers, "-advertise", &loopback, "-log-level", "debug",
        ];
        let mut process = program().call(words).start();
        let line = process.line_with("peering server ready").await;
        let addresses = line.split(", ").find_map(|part| part.strip_prefix("http ")).unwrap();
        let address = |is: &dyn Fn(&&str) -> bool| addresses.split(' ').find(is).unwrap_or_else(|| panic!("{line}"));
        let http = address(&|address| address.starts_with("127.0.0.1:")).to_owned();
        let https = address(&|address| address.starts_with("https://")).replace("https://", "");
        Self { process, directory, http, https }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the flags with which the program finds this server under a name.
    fn flags(&self, name: &str) -> Vec<String> {
        let (socket, root) = (self.path("data/api.sock"), self.path("root.pem"));
        [("http", self.http.clone()), ("https", self.https.clone())]
            .into_iter()
            .chain([("socket", socket.display().to_string()), ("ca-file", root.display().to_string())])
            .flat_map(|(flag, value)| [format!("-{name}-{flag}"), value])
            .collect()
    }

    fn management_token(&self) -> String {
        fs::read_to_string(self.path("data/management-token")).unwrap()
    }
}

/// Writes a certificate for this machine, its key, and the root that it is from.
fn write_certificate(directory: &Path) {
    let mut root = CertificateParams::new([]).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root_certificate = root.self_signed(&root_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    fs::write(directory.join("root.pem"), root_certificate.pem()).unwrap();
    fs::write(directory.join("cert.pem"), leaf.pem()).unwrap();
    fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
}

/// Runs a command to its end; its environment is ours, for Go keeps its modules where that says.
async fn finish(within: Duration, command: &mut Command) -> Output {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = timeout(within, running).await.unwrap_or_else(|_| panic!("{command:?} still runs after {within:?}"));
    ended.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn words_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Builds the program with the modules that its `go.sum` names, and no others.
async fn build(place: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
    let built = place.join("consul-client");
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-buildvcs=false", "-o"]).arg(&built).arg(".").current_dir(source);
    let output = finish(BUILD_MAX, go.env("GOTOOLCHAIN", "local").env("GOWORK", "off")).await;
    assert!(output.status.success(), "the Go program does not build:\n{}", words_of(&output));
    built
}

#[tokio::test]
#[ignore = "needs Go"]
async fn a_program_on_consuls_own_client_finds_all_that_it_expects() {
    let place = private_directory();
    let (client, acceptor, dialer) = tokio::join!(build(place.path()), Server::start("dc1"), Server::start("dc2"));

    let mut command = Command::new(client);
    command.args(acceptor.flags("acceptor")).args(dialer.flags("dialer"));
    command.env("ACCEPTOR_TOKEN", acceptor.management_token()).env("DIALER_TOKEN", dialer.management_token());
    let output = finish(RUN_MAX, &mut command).await;
    let said = words_of(&output);
    let wrong: Vec<&str> = said.lines().filter(|line| !line.starts_with("ok   ")).collect();
    assert!(output.status.success(), "{}\nthe acceptor:\n{:?}", wrong.join("\n"), acceptor.process);
    println!("{said}");

    for server in [acceptor, dialer] {
        assert_eq!(server.process.end(Signal::TERM).await.status.code(), Some(0));
    }
}
