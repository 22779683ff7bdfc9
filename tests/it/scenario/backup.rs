//! A backup of a server that works, brought back: what was answered before it is there, the peer comes back by itself.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peering_tests::http::Http;
use peering_tests::process::Signal;
use peering_tests::site::private_directory;
use serde_json::json;

use super::{ACCEPTOR, DIALER, both_active, peer, two_sites};
use crate::under_test::program;

/// Removes everything that a server has kept but its lock.
fn lose_everything(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

fn put_back(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_backup_of_a_busy_server_brings_back_what_was_answered_before_it() {
    // 1. Two clusters are peers, and tokens are asked for as fast as they come.
    let (mut acceptor, dialer) = two_sites().await;
    peer(&acceptor, &dialer).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let (http, stop) = (Http::new(acceptor.http().parse().unwrap()), Arc::clone(&is_over));
    let (answered, answers) = tokio::sync::watch::channel(0);
    let asking = tokio::spawn(async move {
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let body = json!({ "PeerName": format!("peer-{number}") }).to_string();
            assert!(http.post("/v1/peering/token", body).await.accepts()["PeeringToken"].is_string());
            number += 1;
            answered.send_replace(number);
        }
    });
    let mut waiting = answers.clone();
    waiting.wait_for(|number| *number >= 20).await.unwrap();

    // 2. A backup is made meanwhile, of the running server, and a copy of its keyring elsewhere.
    let place = private_directory();
    let (file, keyring) = (place.path().join("backup"), place.path().join("keyring"));
    let data_dir = acceptor.data_dir().to_owned();
    let words = ["backup", "-data-dir", data_dir.to_str().unwrap(), file.to_str().unwrap()];
    let before = *answers.borrow();
    let made = program().run(&words).await.success();
    let start = format!("Backed up the store in {} to {}: revision ", data_dir.display(), file.display());
    let kept = format!(
        "\n{}/keyring is not in it: keep a copy of the keyring apart, a backup is of no use without it\n",
        data_dir.display()
    );
    assert!(made.starts_with(&start) && made.ends_with(&kept), "{made}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    put_back(&data_dir.join("keyring"), &keyring);
    is_over.store(true, Ordering::Relaxed);
    asking.await.unwrap();

    // 3. A backup overwrites nothing.
    let taken = format!(
        "Error making the backup: there is something at {} already: a backup overwrites nothing, name another file\n",
        file.display()
    );
    program().run(&words).await.expect(1, "", &taken);

    // 4. The server is lost with its disk. The backup alone does not start another.
    acceptor.stop(Signal::KILL).await;
    lose_everything(&data_dir);
    put_back(&file, &data_dir.join("store.sqlite"));
    let again = ["server", "-acl", "off", "-data-dir", data_dir.to_str().unwrap(), "-http-addr", "127.0.0.1:0"];
    let refused = program().call(again.iter().chain(&["-peer-addr", "127.0.0.1:0"])).finish().await;
    let lost = format!(
        "Error starting the server: the keyring {}/keyring is missing and the store is not empty: put back the keyring \
         that the store was made with, a new one could not open it\n",
        data_dir.display()
    );
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.ends_with(&lost), "{refused:?}");

    // 5. With the keyring it does: every token that was answered before the backup is there, and the dialer comes back.
    put_back(&keyring, &data_dir.join("keyring"));
    acceptor.restart().await;
    let listed = acceptor.ask(&["list"]).await.success();
    let names: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    for number in 0..before {
        assert!(names.contains(format!("peer-{number}").as_str()), "peer-{number} of {before} is lost");
    }
    both_active(&acceptor, &dialer).await;

    // 6. Misuse: the keyring of another cluster does not open the store.
    acceptor.stop(Signal::TERM).await;
    put_back(&dialer.data_dir().join("keyring"), &data_dir.join("keyring"));
    let refused = program().call(again.iter().chain(&["-peer-addr", "127.0.0.1:0"])).finish().await;
    let foreign = "is not the one that this store was made with: put that one back, or name it with -keyring: key ";
    assert!(refused.code == Some(1) && refused.stderr.contains(foreign), "{refused:?}");
}

#[tokio::test]
async fn a_keyring_is_rotated_under_tokens_and_streams_that_go_on() {
    // 1. A token is out and a stream runs.
    let (mut acceptor, mut dialer) = two_sites().await;
    peer(&acceptor, &dialer).await;
    let before = acceptor.generate_token("cluster-03").await;

    // 2. Both keyrings get a new key, under their servers.
    let mut ids = vec![];
    for site in [&acceptor, &dialer] {
        let data_dir = site.data_dir().to_str().unwrap().to_owned();
        let said = program().run(&["keyring", "rotate", "-data-dir", &data_dir]).await.success();
        assert!(said.contains(&format!("is the current one of {data_dir}/keyring now, of 2 keys\n")), "{said}");
        let listed = program().run(&["keyring", "list", "-data-dir", &data_dir]).await.success();
        let rows: Vec<_> = listed.lines().skip(1).map(|row| row.split_once("  ").unwrap()).collect();
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), ["opens what it sealed", "current"]);
        assert!(said.contains(rows[1].0));
        ids.push(rows[0].0.to_owned());
    }
    both_active(&acceptor, &dialer).await;

    // 3. Started again, they go on: the stream, and a token from before.
    dialer.stop(Signal::TERM).await;
    acceptor.stop(Signal::TERM).await;
    acceptor.restart().await;
    dialer.restart().await;
    both_active(&acceptor, &dialer).await;
    let third = peering_tests::site::Site::start(&program(), "dc3").await;
    third.establish(ACCEPTOR, &before).await.success();
    acceptor.reaches("cluster-03", "ACTIVE").await;
    assert_eq!(acceptor.state(DIALER).await, "ACTIVE");

    // 4. Misuse: a keyring whose old key somebody removed does not open what that key sealed, and is told so by name.
    acceptor.stop(Signal::TERM).await;
    let path = acceptor.data_dir().join("keyring");
    let mut ring: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    ring["keys"].as_array_mut().unwrap().remove(0);
    fs::write(&path, ring.to_string()).unwrap();
    let data_dir = acceptor.data_dir().to_str().unwrap().to_owned();
    let words = ["server", "-data-dir", &data_dir, "-http-addr", "127.0.0.1:0", "-peer-addr", "127.0.0.1:0"];
    let refused = program().run(&words).await;
    let expected = format!("key {} is not on this keyring: use the keyring that this store was made with\n", ids[0]);
    assert!(refused.code == Some(1) && refused.stderr.ends_with(&expected), "{refused:?}");
}
