//! Data directories, keyrings and sockets that a server must not use: each refused with its path, what was found and the
//! remedy, and left as it was.
//!
//! Run as a user for whom modes count: root may read and write whatever it likes.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use peering_tests::process::Signal;
use peering_tests::program::{Finished, Program};
use peering_tests::site::{Site, private_directory};
use tempfile::TempDir;

use crate::under_test::{program, server_words, start_in};

/// What `peering server` says before the cause.
const STORE: &str = "Error starting the server: the store in <dir> cannot be opened: ";
/// The same of a keyring.
const KEYRING: &str = "Error starting the server: the keyring cannot be used: ";
/// Where SQLite keeps the number that says which tables a database has; four bytes, the most significant first.
const USER_VERSION_AT: u64 = 60;

/// Refuses to go on as root, for whom nothing here is refused.
fn user() -> u32 {
    let user = fs::metadata("/proc/self").unwrap().uid();
    assert_ne!(user, 0, "run as a user without rights, as .ci/run does with setpriv");
    user
}

/// A place for a data directory that does not exist yet.
fn place() -> (TempDir, PathBuf) {
    let home = private_directory();
    let data = home.path().join("data");
    (home, data)
}

/// A data directory with a peering in it, which no server has open.
async fn at_rest() -> Site {
    let mut site = Site::start(&program(), "dc1").await;
    site.generate_token("cluster-02").await;
    site.stop(Signal::TERM).await;
    site
}

/// Starts a server that is refused with this text, and finds everything in `home` as it was.
async fn is_refused(home: &Path, data_dir: &Path, more: &[&str], text: &str) {
    let before = tree(home);
    let words: Vec<&str> = more.iter().copied().chain(["-log-level", "error"]).collect();
    start_in(data_dir, &words).await.expect(1, "", text);
    let after = tree(home);
    assert_eq!(after, before, "something was changed or left behind");
}

/// Lists everything in a directory, as far as this user may look: path, mode, and a hash of what is in it.
fn tree(directory: &Path) -> Vec<(PathBuf, u32, Option<u64>)> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return found,
        Err(error) => panic!("{}: {error}", directory.display()),
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            found.extend(tree(&path));
        }
        let content = metadata.is_file().then(|| fs::read(&path).ok()).flatten();
        found.push((path, metadata.mode(), content.map(|content| hash(&content))));
    }
    found.sort();
    found
}

fn hash(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Starts the server again, now that the remedy was applied, and finds the peering.
async fn is_well(site: &mut Site) {
    site.restart().await;
    assert_eq!(site.state("cluster-02").await, "PENDING");
    site.stop(Signal::TERM).await;
}

#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn a_data_directory_that_cannot_be_written_is_refused() {
    user();
    let cannot = |path: &str, cause: &str| {
        format!(
            "{STORE}{path} cannot be written: give this user the right to, or name another data directory: {cause}\n"
        )
    };
    // A new one, in a directory that nobody may write to.
    let (home, data) = place();
    set_mode(home.path(), 0o500);
    is_refused(home.path(), &data, &[], &cannot("<dir>", "Permission denied (os error 13)")).await;
    set_mode(home.path(), 0o700);

    let mut site = at_rest().await;
    let dir = site.data_dir().to_owned();
    for (name, mode) in [("", 0o500), ("", 0o600), ("/lock", 0o400), ("/store.sqlite", 0o400), ("/store.sqlite", 0)] {
        let path = PathBuf::from(format!("{}{name}", dir.display()));
        let before = fs::metadata(&path).unwrap().mode();
        set_mode(&path, mode);
        let cause = if name.is_empty() { "permission denied" } else { "Permission denied (os error 13)" };
        is_refused(&dir, &dir, &[], &cannot(&format!("<dir>{name}"), cause)).await;
        set_mode(&path, before);
    }
    is_well(&mut site).await;
}

/// The kernel lets a user without rights mount in a namespace of its own; some containers do not.
#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn a_file_system_that_is_read_only_is_refused() {
    user();
    let mut site = at_rest().await;
    let dir = site.data_dir().to_owned();
    let read_only = async |words: &[String]| -> Finished {
        let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
        let place = dir.display().to_string();
        let before = ["--user", "--map-root-user", "--mount", "sh", "-c", script, &place];
        let words = before.into_iter().chain(words.iter().map(String::as_str));
        Program::at("unshare").call(words).finish().await
    };
    let tried = read_only(&["true".to_owned()]).await;
    if tried.code != Some(0) {
        println!("a read-only file system is not to be had here: {}", tried.stderr.trim());
        return;
    }
    let before = tree(&dir);
    for (data_dir, path) in [(dir.clone(), "/lock"), (dir.join("new"), "")] {
        let words = [vec![program().path().display().to_string()], server_words(&data_dir)].concat();
        let refused = read_only(&words).await.marking(data_dir.display().to_string(), "<dir>");
        let text = format!(
            "{STORE}<dir>{path} cannot be written: give this user the right to, or name another data directory: \
             Read-only file system (os error 30)\n"
        );
        refused.expect(1, "", &text);
    }
    assert_eq!(tree(&dir), before);
    is_well(&mut site).await;
}

#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn of_two_servers_that_start_together_on_one_directory_one_serves() {
    user();
    let (_home, data) = place();
    let socket = data.join("api.sock").display().to_string();
    let start = || program().call(server_words(&data)).start();
    let mut both = [start(), start()];
    let [one, other] = &mut both;
    let ((status, text), survivor) = tokio::select! {
        ended = one.ended() => (ended, 1),
        ended = other.ended() => (ended, 0),
    };
    let text = text.replace(&data.display().to_string(), "<dir>");
    let expected = format!("{STORE}<dir> is in use by another server: stop that one, or name another data directory\n");
    assert_eq!((status.code(), text), (Some(1), expected));
    let [one, other] = both;
    let mut winner = if survivor == 0 { one } else { other };
    winner.line_with("ready").await;
    let socket = format!("unix://{socket}");
    program().run(&["list", "-http-addr", &socket]).await.expect(0, "There are no peering connections.\n", "");
    start_in(&data, &["-log-level", "error"]).await.expect(
        1,
        "",
        &format!("{STORE}<dir> is in use by another server: stop that one, or name another data directory\n"),
    );
    program().run(&["list", "-http-addr", &socket]).await.success();
    assert_eq!(winner.end(Signal::TERM).await.status.code(), Some(0));
}

#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn what_belongs_to_somebody_else_is_refused() {
    let user = user();
    let (home, data) = place();
    let whose = format!("belongs to user 0 and the server runs as user {user}");
    let other_directory = format!("{STORE}<dir> {whose}: run the server as user 0, or name another data directory\n");
    let file = |path: &str| format!("{STORE}{path} {whose}: run `chown {user} {path}`\n");
    let keyring = |path: &str| {
        let whose = format!("belongs to user 0 and this is user {user}");
        format!("{KEYRING}{path} {whose}: run this as user 0, or name a keyring of user {user}\n")
    };

    // Directories of the system stand for those of any other user.
    is_refused(home.path(), Path::new("/etc"), &[], &other_directory).await;
    // A link leads to somebody's file. It is not written to, and neither is what it leads to.
    let mut site = at_rest().await;
    let dir = site.data_dir().to_owned();
    for name in ["lock", "store.sqlite"] {
        let (path, kept) = (dir.join(name), home.path().join(name));
        fs::rename(&path, &kept).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        is_refused(&dir, &dir, &[], &file(&format!("<dir>/{name}"))).await;
        fs::rename(&kept, &path).unwrap();
    }
    is_refused(&dir, &dir, &["-keyring", "/etc/passwd"], &keyring("/etc/passwd")).await;
    is_well(&mut site).await;
    // A socket cannot be made where somebody else is at home, nor in the place of somebody's.
    let socket = start_in(&data, &["-http-addr", "unix:///etc/api.sock", "-log-level", "error"]).await;
    let text = "Error starting the server: the http listener cannot use its unix socket: could not make a socket in /etc: \
                give this user the right to, or choose another path: Permission denied (os error 13)\n";
    socket.expect(1, "", text);

    // Files that root left in a directory of this user, as after a first start with sudo.
    let Some(theirs) = env::var_os("PEERING_THEIRS").map(PathBuf::from) else {
        println!("PEERING_THEIRS does not say where files of another user are: they are left out");
        return;
    };
    is_refused(&theirs, &theirs.join("closed"), &[], &other_directory).await;
    is_refused(&theirs, &theirs.join("store"), &[], &file("<dir>/store.sqlite")).await;
    is_refused(&theirs, &theirs.join("log"), &[], &file("<dir>/store.sqlite-wal")).await;
    is_refused(&theirs, &theirs.join("lock"), &[], &file("<dir>/lock")).await;
    let ring = start_in(&theirs.join("keyring"), &["-log-level", "error"]).await;
    ring.expect(1, "", &keyring("<dir>/keyring"));
}

#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn open_modes_are_refused() {
    user();
    let mut site = at_rest().await;
    let dir = site.data_dir().to_owned();
    for (name, mode, before) in [
        ("", 0o755, STORE),
        ("", 0o710, STORE),
        ("/lock", 0o644, STORE),
        ("/store.sqlite", 0o644, STORE),
        ("/store.sqlite", 0o606, STORE),
        ("/store.sqlite-wal", 0o640, STORE),
        ("/keyring", 0o644, KEYRING),
        ("/keyring", 0o660, KEYRING),
    ] {
        let path = PathBuf::from(format!("{}{name}", dir.display()));
        if name == "/store.sqlite-wal" {
            fs::write(&path, "").unwrap();
            set_mode(&path, 0o600);
        }
        let good = fs::metadata(&path).unwrap().mode() & 0o777;
        set_mode(&path, mode);
        let text = format!(
            "{before}<dir>{name} has mode {mode:04o}, so that others may use it: run `chmod {good:o} <dir>{name}`\n"
        );
        is_refused(&dir, &dir, &[], &text).await;
        if name == "/store.sqlite-wal" {
            fs::remove_file(&path).unwrap();
        } else {
            set_mode(&path, good);
        }
    }
    is_well(&mut site).await;
}

#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn a_store_of_a_newer_release_is_refused() {
    user();
    let mut site = at_rest().await;
    let dir = site.data_dir().to_owned();
    let set_version = |version: u32| {
        let mut file = fs::OpenOptions::new().write(true).open(dir.join("store.sqlite")).unwrap();
        file.seek(SeekFrom::Start(USER_VERSION_AT)).unwrap();
        file.write_all(&version.to_be_bytes()).unwrap();
    };
    set_version(2);
    let text =
        format!("{STORE}<dir>/store.sqlite has schema version 2, this program knows up to 1: run a newer release\n");
    is_refused(&dir, &dir, &[], &text).await;
    set_version(1);
    is_well(&mut site).await;
}

#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn a_keyring_that_is_not_the_stores_is_refused() {
    user();
    let mut site = at_rest().await;
    let (dir, mut other) = (site.data_dir().to_owned(), at_rest().await);
    let ring = dir.join("keyring");
    let good = fs::read(&ring).unwrap();
    let put = |bytes: &[u8]| {
        fs::write(&ring, bytes).unwrap();
        set_mode(&ring, 0o600);
    };

    fs::remove_file(&ring).unwrap();
    let lost = "Error starting the server: the keyring <dir>/keyring is missing and the store is not empty: put back the \
                keyring that the store was made with, a new one could not open it\n";
    is_refused(&dir, &dir, &[], lost).await;
    DirBuilder::new().mode(0o700).create(&ring).unwrap();
    let text = format!("{KEYRING}<dir>/keyring is not a keyring: expected a file; restore it\n");
    is_refused(&dir, &dir, &[], &text).await;
    fs::remove_dir(&ring).unwrap();

    let foreign = fs::read(other.data_dir().join("keyring")).unwrap();
    put(&foreign);
    let id = serde_json::from_slice::<serde_json::Value>(&good).unwrap()["current"].as_str().unwrap().to_owned();
    let text = format!(
        "Error starting the server: the keyring <dir>/keyring is not the one that this store was made with: put that one \
         back, or name it with -keyring: key {id} is not on this keyring: use the keyring that this store was made with\n"
    );
    is_refused(&dir, &dir, &[], &text).await;

    for length in [0, 1, good.len() / 2, good.len() - 3] {
        put(&good[..length]);
        let lines: Vec<&[u8]> = good[..length].split(|byte| *byte == b'\n').collect();
        let (line, column) = (lines.len(), lines[lines.len() - 1].len());
        let text = format!(
            "{KEYRING}<dir>/keyring is not a keyring: expected an object with `version`, `current` and `keys`, failed at \
             line {line}, column {column}; restore it\n"
        );
        is_refused(&dir, &dir, &[], &text).await;
    }
    put(br#"{"version": 2, "rings": {}}"#);
    let text =
        format!("{KEYRING}<dir>/keyring has keyring version 2, this program knows up to 1: run a newer release\n");
    is_refused(&dir, &dir, &[], &text).await;

    put(&good);
    set_mode(&ring, 0o200);
    let denied = |operation: &str, path: &str| {
        format!(
            "{KEYRING}could not {operation} {path}: give this user the right to, or name another keyring: Permission denied (os error 13)\n"
        )
    };
    is_refused(&dir, &dir, &[], &denied("open", "<dir>/keyring")).await;
    set_mode(&ring, 0o600);
    let (home, closed) = place();
    DirBuilder::new().mode(0o000).create(&closed).unwrap();
    let hidden = closed.join("keyring").display().to_string();
    is_refused(&dir, &dir, &["-keyring", &hidden], &denied("look at", &hidden)).await;
    set_mode(&closed, 0o700);

    // A keyring elsewhere is used, and a new one is not made where this user may not.
    fs::rename(&ring, &hidden).unwrap();
    let moved = program().call(server_words(&dir).into_iter().chain(["-keyring".to_owned(), hidden.clone()]));
    let mut moved = moved.start();
    moved.line_with("ready").await;
    assert_eq!(moved.end(Signal::TERM).await.status.code(), Some(0));
    fs::rename(&hidden, &ring).unwrap();
    set_mode(&closed, 0o500);
    let fresh = start_in(&home.path().join("fresh"), &["-keyring", &hidden, "-log-level", "error"]).await;
    let remedy = ".draft: give this user the right to, or name another keyring: Permission denied (os error 13)\n";
    let draft = format!("{KEYRING}could not write {}/.keyring-", closed.display());
    assert!(fresh.code == Some(1) && fresh.stderr.starts_with(&draft) && fresh.stderr.ends_with(remedy), "{fresh:?}");
    assert_eq!(tree(&closed), []);
    is_well(&mut site).await;
    is_well(&mut other).await;
}

#[tokio::test]
#[ignore = "needs an unprivileged user"]
async fn what_is_no_directory_or_no_file_is_refused_and_a_link_is_followed() {
    user();
    let (home, data) = place();
    fs::write(&data, "precious").unwrap();
    let no_directory = format!("{STORE}<dir> is not a directory: name another data directory\n");
    is_refused(home.path(), &data, &[], &no_directory).await;
    is_refused(home.path(), &data.join("below"), &[], &no_directory).await;
    fs::remove_file(&data).unwrap();
    symlink(home.path().join("nowhere"), &data).unwrap();
    is_refused(home.path(), &data, &[], &no_directory).await;
    fs::remove_file(&data).unwrap();

    let mut site = at_rest().await;
    let dir = site.data_dir().to_owned();
    for name in ["lock", "store.sqlite"] {
        let (path, kept) = (dir.join(name), home.path().join(name));
        fs::rename(&path, &kept).unwrap();
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        let text = format!("{STORE}<dir>/{name} is not a file: move it away, or name another data directory\n");
        is_refused(&dir, &dir, &[], &text).await;
        fs::remove_dir(&path).unwrap();
        fs::rename(&kept, &path).unwrap();
    }
    symlink(&dir, &data).unwrap();
    let mut linked = program().call(server_words(&data)).start();
    linked.line_with("ready").await;
    assert_eq!(linked.end(Signal::TERM).await.status.code(), Some(0));
    is_well(&mut site).await;
}
