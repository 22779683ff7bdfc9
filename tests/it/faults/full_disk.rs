//! A disk that is full: the server stays, says so, and goes on once there is space.

use std::fs;
use std::path::Path;
use std::process::Command;

use peering_core::audit::Verifier;
use peering_tests::cluster::{Cluster, STATE_WITHIN, peer};
use peering_tests::eventually::eventually;
use serde_json::json;
use tempfile::TempDir;

/// Enough for a database, its log and a few peerings.
const DISK_BYTES: usize = 4 << 20;
const FULL: &str = "the disk of the data directory is full; free space on it and try again";

/// A small disk of its own, given back at the end.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={DISK_BYTES},mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "peering-test"]).arg(directory.path()).status();
        assert!(mounted.unwrap().success(), "this test mounts a disk: run it as root");
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let full = fs::write(self.path().join("ballast"), vec![0; DISK_BYTES]);
        assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    fn make_space(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that fails still has files open.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the disk stays mounted");
    }
}

#[tokio::test]
#[ignore = "needs root, to mount a small disk"]
async fn a_server_on_a_full_disk_says_so_and_goes_on_once_there_is_space() {
    // 1. Two clusters are peers; one of them has a small disk.
    let disk = SmallDisk::new();
    let mut acceptor = Cluster::start_at_place("dc1", &disk.path().join("data")).await;
    // The other has its audit trail there.
    let trail = disk.path().join("audit.log");
    let dialer = Cluster::start_changed("dc2", |config| config.audit.file = Some(trail.clone())).await;
    peer(&acceptor, &dialer).await;
    let unused = acceptor.generate("unused").await;

    // 2. The disk is full: what changes something is refused with the cause and the remedy, what reads is not.
    disk.fill();
    let mut refused = 0;
    for round in 0..200 {
        let answer = acceptor.ask_token(json!({ "PeerName": format!("late-{round}") })).await;
        // The log of the database may have space left from before.
        if answer.status != 200 {
            answer.refuses(503, FULL);
            refused += 1;
        }
        if refused == 10 {
            break;
        }
    }
    assert_eq!(refused, 10, "the disk was never full");
    acceptor.http().delete("/v1/peering/unused").await.refuses(503, FULL);
    assert_eq!(acceptor.state("dc2").await, "ACTIVE", "reading and streams need no space");
    let failed = dialer.establish("of-unused", &unused).await;
    assert_eq!(failed.status, 500, "{}", failed.body);
    assert!(failed.body.contains(FULL), "{}", failed.body);

    // 3. There is space: everything works, also the token whose exchange could not be stored.
    disk.make_space();
    acceptor.generate("later").await;
    assert_eq!(dialer.establish("of-unused", &unused).await.accepts(), json!({}));
    dialer.reaches("of-unused", "ACTIVE").await;

    // 4. And a restart finds all of it.
    acceptor.restart().await;
    for name in ["dc2", "unused"] {
        acceptor.reaches(name, "ACTIVE").await;
    }
    assert_eq!(acceptor.state("later").await, "PENDING");
    acceptor.stop().await;

    // 5. What the audit trail could not take is in it now: nothing is lost, and the chain holds.
    eventually(STATE_WITHIN, async || {
        let text = fs::read_to_string(&trail).unwrap();
        let told = |event: &str| {
            let begins = format!("\"event\":\"{event}\"");
            text.lines().any(|line| line.contains(&begins) && line.contains("\"peer\":\"of-unused\""))
        };
        if told("establish_begun") && told("established") { Ok(()) } else { Err(text) }
    })
    .await;
    let mut verifier = Verifier::new(None, None);
    verifier.begin_file("audit.log");
    fs::read_to_string(&trail).unwrap().lines().for_each(|line| verifier.line(line.as_bytes(), true));
    assert!(verifier.finish().is_whole());
}
