//! HTTPS: whom the client believes, under which name, and what it presents.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::mock::Mock;
use super::{failed, peering, succeeded};

/// A root, files of what it issued, and what a server needs.
struct Pki {
    dir: tempfile::TempDir,
    root: CertificateDer<'static>,
    server: (CertificateDer<'static>, PrivateKeyDer<'static>),
}

impl Pki {
    /// Issues a server certificate for `name` and a client certificate.
    fn new(name: &str) -> Self {
        Self::of_root("root", name)
    }

    fn of_root(root: &str, name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, root);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &root).unwrap();
            (leaf, key)
        };
        let ((server, server_key), (client, client_key)) = (issue(name), issue("client"));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("cas")).unwrap();
        for (file, text) in [
            ("root.pem", root.pem()),
            ("cas/root.pem", root.pem()),
            ("client.pem", client.pem()),
            ("client.key", client_key.serialize_pem()),
        ] {
            std::fs::write(dir.path().join(file), text).unwrap();
        }
        let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
        Self { dir, root: root.der().clone(), server: (server.der().clone(), key) }
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// Serves one connection; its thread returns the request, or nothing if the handshake failed.
    fn serve_once(&self, needs_client: bool) -> (String, JoinHandle<Option<String>>) {
        let builder = ServerConfig::builder();
        let builder = if needs_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.root.clone()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = (self.server.0.clone(), self.server.1.clone_key());
        let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).ok()? == 0 {
                    return None;
                }
                request.push(byte[0]);
            }
            let name = stream.conn.server_name().unwrap_or_default().to_owned();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]").ok()?;
            stream.conn.send_close_notify();
            stream.flush().ok()?;
            Some(format!("{name}\n{}", String::from_utf8(request).unwrap()))
        });
        (address, thread)
    }
}

const NONE: &str = "There are no peering connections.\n";

#[test]
fn a_private_root_is_believed_from_a_file_a_directory_or_a_variable() {
    let pki = Pki::new("127.0.0.1");
    let (file, directory) = (pki.path("root.pem"), pki.path("cas"));
    for (flags, variables) in [
        (["-ca-file", file.as_str()].as_slice(), [].as_slice()),
        (&["-ca-path", &directory], &[]),
        (&[], &[("CONSUL_CACERT", file.as_str())]),
        (&[], &[("PEERING_CAPATH", directory.as_str()), ("CONSUL_HTTP_SSL", "t")]),
        (&[], &[("CONSUL_HTTP_SSL_VERIFY", "false")]),
    ] {
        let (address, server) = pki.serve_once(false);
        let address = if variables.len() == 2 { address } else { format!("https://{address}") };
        let ran = peering(&[&["list", "-http-addr", &address], flags].concat(), variables);
        assert_eq!(ran, succeeded(NONE));
        assert!(server.join().unwrap().is_some());
    }
}

#[test]
fn an_unknown_root_reads_as_go_s() {
    for root in ["another", "root"] {
        let (pki, other) = (Pki::new("127.0.0.1"), Pki::of_root(root, "127.0.0.1"));
        let (address, server) = pki.serve_once(false);
        let url = format!("https://{address}");
        let ran = peering(&["list", "-http-addr", &url, "-ca-file", &other.path("root.pem")], &[]);
        let message = format!(
            "Error listing peerings: Get \"{url}/v1/peerings\": tls: failed to verify certificate: x509: \
            certificate signed by unknown authority"
        );
        assert_eq!(ran, failed(&message));
        assert_eq!(server.join().unwrap(), None);
    }
}

#[test]
fn the_name_in_the_certificate_may_differ_from_the_host() {
    let pki = Pki::new("server.dc1.consul");
    let (address, server) = pki.serve_once(false);
    let words = ["list", "-http-addr", &format!("https://{address}"), "-ca-file", &pki.path("root.pem")];
    let wrong = peering(&words, &[]);
    assert!(wrong.stderr.contains("tls: failed to verify certificate: x509: "), "{}", wrong.stderr);
    assert_eq!(server.join().unwrap(), None);

    let (address, server) = pki.serve_once(false);
    let words = ["list", "-http-addr", &format!("https://{address}"), "-ca-file", &pki.path("root.pem")];
    let ran = peering(&[&words[..], &["-tls-server-name", "Server.dc1.consul"]].concat(), &[]);
    assert_eq!(ran, succeeded(NONE));
    let request = server.join().unwrap().unwrap();
    assert!(request.starts_with("server.dc1.consul\nGET /v1/peerings HTTP/1.1\r\n"), "{request}");
    let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    assert_eq!(host, address, "the host header names the address, as Go's does");
}

#[test]
fn a_client_certificate_is_presented() {
    let pki = Pki::new("127.0.0.1");
    let (address, server) = pki.serve_once(true);
    let (root, certificate, key) = (pki.path("root.pem"), pki.path("client.pem"), pki.path("client.key"));
    let words = ["list", "-http-addr", &format!("https://{address}"), "-ca-file", &root];
    let ran = peering(&[&words[..], &["-client-cert", &certificate, "-client-key", &key]].concat(), &[]);
    assert_eq!(ran, succeeded(NONE));
    assert!(server.join().unwrap().is_some());
}

#[test]
fn files_that_hold_something_else_are_refused_by_name() {
    let pki = Pki::new("127.0.0.1");
    let (root, key, dir) = (pki.path("root.pem"), pki.path("client.key"), pki.path("empty"));
    std::fs::create_dir(Path::new(&dir)).unwrap();
    let ran = peering(&["list", "-ca-file", &key], &[]);
    assert!(ran.stderr.ends_with(&format!("{key} holds no PEM certificate\n")), "{}", ran.stderr);
    let ran = peering(&["list", "-ca-path", &dir], &[]);
    assert!(ran.stderr.ends_with(&format!("{dir} holds no PEM certificate\n")), "{}", ran.stderr);
    let ran = peering(&["list", "-client-cert", &root, "-client-key", &root], &[]);
    assert!(ran.stderr.ends_with(" are not a PEM certificate and its private key\n"), "{}", ran.stderr);
}

#[test]
fn plain_http_on_a_tls_address_is_named() {
    let server = Mock::always(200, "[]");
    let ran =
        peering(&["list", "-http-addr", &format!("https://{}", server.address)], &[("CONSUL_HTTP_SSL_VERIFY", "0")]);
    assert!(ran.stderr.ends_with(": http: server gave HTTP response to HTTPS client\n"), "{}", ran.stderr);
}
