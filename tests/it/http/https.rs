//! The HTTP API over TLS, with a certificate of the operator's.

use std::fs;
use std::net::SocketAddr;

use peering_server::config::Config;
use peering_server::listen::ListenAddress;
use peering_server::server::Server;
use peering_server::tls::CertificateFiles;
use peering_tests::site::private_directory;
use rcgen::CertifiedKey;
use reqwest::{Certificate, Client, Version};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Https {
    server: Server,
    config: Config,
    address: SocketAddr,
    directory: TempDir,
}

impl Https {
    /// Starts a server with a new certificate, and returns it with that.
    async fn start() -> (Self, String) {
        let directory = private_directory();
        let pem = renew(&directory);
        let mut config = Config::ephemeral(peering_core::name::Datacenter::parse("dc1").unwrap());
        config.http_tls = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.http_certificate = Some(files(&directory));
        let server = Server::start(config.clone()).await.unwrap();
        let is_https = |address: &ListenAddress| match address {
            ListenAddress::Https(address) => Some(*address),
            _ => None,
        };
        let address = server.http_addresses().iter().find_map(is_https).unwrap();
        (Self { server, config, address, directory }, pem)
    }

    /// Asks over a connection of its own, and says in which version it was answered.
    async fn ask(&self, client: &Client) -> Result<(u16, Version), reqwest::Error> {
        let answer = client.get(format!("https://localhost:{}/v1/peerings", self.address.port())).send().await?;
        Ok((answer.status().as_u16(), answer.version()))
    }

    /// Sends bytes as they are, and returns what comes back.
    async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }
}

fn files(directory: &TempDir) -> CertificateFiles {
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    CertificateFiles { certificate, key }
}

/// Writes a new certificate and its key, and returns the certificate.
fn renew(directory: &TempDir) -> String {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let CertificateFiles { certificate, key } = files(directory);
    fs::write(certificate, cert.pem()).unwrap();
    fs::write(key, signing_key.serialize_pem()).unwrap();
    cert.pem()
}

/// Makes a client that believes one certificate and keeps no connection.
fn client(pem: &str) -> Client {
    let builder = Client::builder().no_proxy().pool_max_idle_per_host(0);
    builder.tls_certs_only([Certificate::from_pem(pem.as_bytes()).unwrap()]).build().unwrap()
}

#[tokio::test]
async fn the_api_is_served_over_tls_beside_plain_http() {
    let (https, pem) = Https::start().await;
    assert_eq!(https.ask(&client(&pem)).await.unwrap(), (200, Version::HTTP_2));
    let old =
        Client::builder().no_proxy().http1_only().tls_certs_only([Certificate::from_pem(pem.as_bytes()).unwrap()]);
    assert_eq!(https.ask(&old.build().unwrap()).await.unwrap(), (200, Version::HTTP_11));
    let shown: Vec<String> = https.server.http_addresses().iter().map(ToString::to_string).collect();
    assert_eq!(shown[1], format!("https://{}", https.address));
    assert!(shown[0].starts_with("127.0.0.1:"));
    https.server.shutdown().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_a_reload_and_a_damaged_one_never_is() {
    let (https, old) = Https::start().await;
    let new = renew(&https.directory);
    assert!(https.ask(&client(&new)).await.is_err(), "nobody said that it should be read");
    https.server.reload(&https.config).unwrap();
    assert!(https.ask(&client(&new)).await.is_ok() && https.ask(&client(&old)).await.is_err());
    fs::write(files(&https.directory).certificate, "damaged").unwrap();
    let error = https.server.reload(&https.config).unwrap_err().to_string();
    assert!(error.contains("cert.pem holds no certificate"), "{error}");
    assert!(https.ask(&client(&new)).await.is_ok());
    https.server.shutdown().await;
}

#[tokio::test]
async fn who_sends_http_in_clear_to_the_tls_port_is_told_so() {
    let (https, _) = Https::start().await;
    let expected = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let long = format!("POST /v1/peering/token HTTP/1.1\r\nhost: x\r\n\r\n{}", "x".repeat(50_000));
    for request in ["GET /v1/peerings HTTP/1.1\r\nhost: x\r\n\r\n", "G", &long] {
        assert_eq!(https.raw(request.as_bytes()).await, expected, "{:.20}", request);
    }
    for garbage in [&b"\0\0\0\0"[..], b"get / HTTP/1.1\r\n\r\n", &[0xff; 64]] {
        let answer = https.raw(garbage).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    https.server.shutdown().await;
}

#[tokio::test]
async fn a_server_does_not_start_with_a_certificate_that_it_cannot_use() {
    let directory = private_directory();
    let mut config = Config::ephemeral(peering_core::name::Datacenter::parse("dc1").unwrap());
    config.http_tls = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.http_certificate = Some(files(&directory));
    let Err(error) = Server::start(config).await else { panic!("it started") };
    assert!(peering_server::causes::chain(&error).contains("cert.pem cannot be read"), "{error}");
}

#[tokio::test]
async fn a_program_opens_its_server_to_others_only_with_tls_and_access_control() {
    let directory = private_directory();
    let everybody = vec![SocketAddr::from(([0, 0, 0, 0], 0))];
    let base = Config::ephemeral(peering_core::name::Datacenter::parse("dc1").unwrap());
    let tls = Config { http_tls: everybody.clone(), http_certificate: Some(files(&directory)), ..base.clone() };
    let plain = Config { http_tcp: everybody, ..base };
    for (config, lacks) in [(tls, "-acl deny"), (plain, "-acl deny and TLS")] {
        let Err(error) = Server::start(config).await else { panic!("it started") };
        let expected = format!(
            "the HTTP API cannot listen there: 0.0.0.0:0 is not a loopback address; beyond this machine the API needs {lacks}"
        );
        assert_eq!(error.to_string(), expected);
    }
}
