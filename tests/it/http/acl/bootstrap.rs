//! The first management token: in a file, and handed out once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Guarded, accepted, refused, text};

const BOOTSTRAP: &str = "/v1/acl/bootstrap";

/// Sends a request over a unix socket and returns the whole answer.
async fn over_socket(socket: &Path, body: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let length = body.len();
    let request = format!(
        "PUT {BOOTSTRAP} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_first_management_token_is_handed_out_once_to_whoever_knows_it() {
    let guarded = Guarded::start().await;
    let file = guarded.directory.path().join("management-token");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(guarded.management.len(), 36, "the secret and nothing else");

    let ask = async |body: Value| guarded.ask(Method::PUT, BOOTSTRAP, "", &body.to_string()).await;
    let other = "Permission denied: the BootstrapSecret is not the one in the file management-token in the server's data directory";
    refused(&ask(json!({ "BootstrapSecret": "11111111-2222-3333-4444-555555555555" })).await, 403, other);
    refused(&ask(json!({ "BootstrapSecret": "foo" })).await, 500, "uuid string is wrong length");
    refused(&ask(json!({ "x": 1 })).await, 400, "Request decoding failed: json: unknown field \"x\"");
    let remote = "Permission denied: ACL bootstrap needs the content of the file management-token in the server's data directory as BootstrapSecret, or a call by the server's own user over its unix socket";
    refused(&ask(json!({ "BootstrapSecret": "" })).await, 403, remote);
    refused(&guarded.ask(Method::PUT, BOOTSTRAP, "", "").await, 403, remote);

    let answer = ask(json!({ "BootstrapSecret": guarded.management })).await;
    let token = accepted(&answer);
    let (accessor, created, hash) =
        (text(&token, "AccessorID"), text(&token, "CreateTime"), "X2AgaFhnQGRhSSF/h0m6qpX1wj/HJWbyXcxkEM/5GrY=");
    let (create, modify, secret) = (&token["CreateIndex"], &token["ModifyIndex"], &guarded.management);
    assert_eq!(
        answer.body,
        format!(
            r#"{{"ID":"{secret}","AccessorID":"{accessor}","SecretID":"{secret}","Description":"Bootstrap Token (Global Management)","Policies":[{{"ID":"00000000-0000-0000-0000-000000000001","Name":"global-management"}}],"Local":false,"CreateTime":"{created}","Hash":"{hash}","CreateIndex":{create},"ModifyIndex":{modify}}}"#
        )
    );

    let again = ask(json!({ "BootstrapSecret": guarded.management })).await;
    let index: u64 = again.body.trim_end_matches(')').rsplit(' ').next().unwrap().parse().unwrap();
    assert!(index > 0);
    let over = format!("Permission denied: ACL bootstrap no longer allowed (reset index: {index})");
    refused(&again, 403, &over);
    refused(&ask(json!({ "BootstrapSecret": "foo" })).await, 403, &over);
    refused(
        &ask(json!({ "BootstrapSecret": 7 })).await,
        400,
        "Request decoding failed: json: cannot unmarshal number into Go struct field BootstrapRequest.BootstrapSecret of type string",
    );
}

#[tokio::test]
async fn the_servers_own_user_needs_no_secret_over_the_unix_socket() {
    let guarded = Guarded::start().await;
    let socket = guarded.directory.path().join("api.sock");
    let first = over_socket(&socket, "").await;
    assert!(first.starts_with("HTTP/1.1 200") && first.contains(&guarded.management), "{first}");
    let second = over_socket(&socket, "").await;
    assert!(second.contains("ACL bootstrap no longer allowed"), "{second}");
}

#[tokio::test]
async fn a_restart_keeps_tokens_and_policies_and_makes_no_second_management_token() {
    use peering_server::config::{AclMode, Config, StoreChoice};
    use peering_server::server::Server;

    let directory = peering_tests::site::private_directory();
    let data_dir = directory.path().join("data");
    let file = directory.path().join("management-token");
    let config = Config {
        acl: AclMode::Deny,
        management_token: Some(file.clone()),
        store: StoreChoice::Sqlite { keyring: data_dir.join("keyring"), data_dir: data_dir.clone() },
        ..Config::ephemeral(peering_core::name::Datacenter::parse("dc1").unwrap())
    };
    let server = Server::start(config.clone()).await.unwrap();
    let first = fs::read_to_string(&file).unwrap();
    let identity = |secret: &str| peering_server::service::access::Actor {
        token: Some(peering_core::secret::AclSecret::from_text(secret)),
        ..Default::default()
    };
    let accessor = server.service().identify(&identity(&first)).await.unwrap().accessor;
    server.shutdown().await;

    fs::remove_file(&file).unwrap();
    let server = Server::start(config.clone()).await.unwrap();
    assert!(!file.exists(), "the store has one, so none is made");
    assert_eq!(server.service().identify(&identity(&first)).await.unwrap().accessor, accessor);
    // Nothing of the secret is in the data directory in clear.
    for entry in fs::read_dir(&data_dir).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(first.len()).any(|window| window == first.as_bytes()));
    }
    server.shutdown().await;
}
