//! The socket in a data directory: whoever runs the server need not name an address.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use peering_tests::process::Signal;
use peering_tests::program::Program;
use peering_tests::site::{Site, private_directory};
use tempfile::TempDir;

use crate::under_test::program;

/// The user called nobody on Debian and its kin: root keeps its data elsewhere, so the story is told as somebody else.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn the_client_finds_the_server_of_its_own_user_without_an_address() {
    let Some((program, home, user)) = unprivileged().await else { return };
    for (variable, place, data_dir) in
        [("XDG_STATE_HOME", "state", "state/peering"), ("HOME", "home", "home/.local/state/peering")]
    {
        // 1. A server keeps its data where the user's state belongs, in a directory for that user alone.
        let place = home.path().join(place);
        let words = ["server", "-acl", "off", "-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0"];
        let mut server = program.call(words).variable(variable, &place).user(user).start();
        server.line_with("ready").await;
        let data_dir = home.path().join(data_dir);
        let socket = fs::symlink_metadata(data_dir.join("api.sock")).unwrap();
        assert!(socket.file_type().is_socket());
        assert_eq!((socket.uid(), socket.mode() & 0o777), (user, 0o600));
        assert_eq!(fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);

        // 2. The client of the same user needs no address.
        let ask = |words: &'static [&'static str]| program.call(words).variable(variable, &place).user(user);
        ask(&["generate-token", "-name", "cluster-02"]).finish().await.success();
        let listed = ask(&["list"]).finish().await.success();
        assert!(listed.contains("cluster-02  PENDING"), "{listed}");

        // 3. An address that somebody named goes before it.
        let elsewhere = ask(&["list"]).variable("PEERING_HTTP_ADDR", "127.0.0.1:1").finish().await;
        let refused = "Error listing peerings: Get \"http://<address>/v1/peerings\": dial tcp <address>: connect: \
                       connection refused\n";
        elsewhere.expect(1, "", refused);

        // 4. Once the server is gone, so is the socket.
        assert_eq!(server.end(Signal::TERM).await.status.code(), Some(0));
        assert!(!data_dir.join("api.sock").exists());
    }
}

#[tokio::test]
async fn the_client_takes_the_management_token_to_the_socket_beside_it_and_nowhere_else() {
    let Some((program, home, user)) = unprivileged().await else { return };
    let place = home.path().join("state");
    // 1. A server with access control, which is on unless somebody says otherwise, leaves a token for its own user.
    let words = ["server", "-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0"];
    let mut server = program.call(words).variable("XDG_STATE_HOME", &place).user(user).start();
    let ready = server.line_with("ready").await;
    let http = ready.split("http ").nth(1).unwrap().split([' ', ',']).next().unwrap().to_owned();
    let data_dir = place.join("peering");
    let file = data_dir.join("management-token");
    let found = fs::symlink_metadata(&file).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (user, 0o600));

    // 2. Its user needs neither address nor token.
    let ask = |words: &[&str]| program.call(words).variable("XDG_STATE_HOME", &place).user(user);
    ask(&["generate-token", "-name", "cluster-02"]).finish().await.success();
    ask(&["list"]).finish().await.success();

    // 3. To an address that somebody named, the same one too, no token goes by itself.
    let anonymous = "Error listing peerings: Unexpected response code: 403 (Permission denied: anonymous token lacks \
                     permission 'peering:read'. The anonymous token is used implicitly when a request does not specify \
                     a token.)\n";
    let socket = format!("unix://{}", data_dir.join("api.sock").display());
    for address in [http.as_str(), &socket] {
        ask(&["list", "-http-addr", address]).finish().await.expect(1, "", anonymous);
        ask(&["list"]).variable("CONSUL_HTTP_ADDR", address).finish().await.expect(1, "", anonymous);
    }
    let file = file.display().to_string();
    ask(&["list", "-http-addr", &http, "-token-file", &file]).finish().await.success();
    assert_eq!(server.end(Signal::TERM).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_socket_can_be_named_as_an_address() {
    let site = Site::start(&program(), "dc1").await;
    let socket = format!("unix://{}/api.sock", site.data_dir().display());
    let none = "There are no peering connections.\n";
    program().run(&["list", "-http-addr", &socket]).await.expect(0, none, "");
    for variable in ["PEERING_HTTP_ADDR", "CONSUL_HTTP_ADDR"] {
        program().call(["list"]).variable(variable, &socket).finish().await.expect(0, none, "");
    }
    let absent = program().run(&["list", "-http-addr", &format!("{socket}.not")]).await;
    absent.marking(site.data_dir().display().to_string(), "<dir>").expect(
        1,
        "",
        "Error listing peerings: Get \"http://localhost/v1/peerings\": dial unix <dir>/api.sock.not: connect: no such \
         file or directory\n",
    );
}

/// Returns the program, a home directory and a user who is not root and can use both; none where root may not become
/// another user, as in some containers.
async fn unprivileged() -> Option<(Program, TempDir, u32)> {
    let home = private_directory();
    let user = fs::metadata(home.path()).unwrap().uid();
    if user != 0 {
        return Some((program(), home, user));
    }
    // The program may lie where only root can go.
    let copy = home.path().join("peering");
    fs::copy(program().path(), &copy).unwrap();
    let may = chown(home.path(), Some(NOBODY), Some(NOBODY)).is_ok() && can_become(NOBODY, &copy).await;
    may.then(|| (Program::at(copy), home, NOBODY))
}

async fn can_become(user: u32, program: &Path) -> bool {
    let tried = tokio::process::Command::new(program).arg("version").uid(user).gid(user).output().await;
    tried.is_ok_and(|output| output.status.success())
}
