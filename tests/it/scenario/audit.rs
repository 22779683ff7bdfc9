//! A token's life in the audit trail, and what becomes of somebody who changes it.

use std::fs;
use std::path::{Path, PathBuf};

use peering_tests::process::Signal;
use peering_tests::program::Finished;
use peering_tests::site::{Site, private_directory};
use peering_tests::token;

use super::{ACCEPTOR, ESTABLISHED, NEW_TOKEN_NEEDED, both_active, two_sites};
use crate::under_test::program;

/// Verifies the trail of a server that has stopped.
async fn verify(log: &Path, key: &Path, more: &[&str]) -> Finished {
    let words = ["audit", "verify", "-key", key.to_str().unwrap()];
    let log = log.display().to_string();
    program().run(&[&words, more, &[log.as_str()]].concat()).await
}

/// Writes the trail anew with something changed in it, elsewhere.
fn changed(log: &Path, change: impl FnOnce(&mut Vec<String>)) -> PathBuf {
    let mut lines: Vec<String> = fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    let path = log.with_file_name("changed.log");
    fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    path
}

/// Returns what stands in a page behind a label.
fn field(page: &str, label: &str) -> String {
    let line = page.lines().find(|line| line.starts_with(label)).unwrap_or_else(|| panic!("no {label} in {page}"));
    line.split_once(':').unwrap().1.trim().to_owned()
}

#[tokio::test]
async fn a_tokens_life_is_told_and_whoever_edits_it_is_found() {
    // 1. A token is generated, used, and used again by somebody else.
    let (mut acceptor, dialer) = two_sites().await;
    let token = acceptor.generate_token("cluster-02").await;
    let id = token::claim(&token, "TokenID");
    dialer.establish(ACCEPTOR, &token).await.expect(0, ESTABLISHED, "");
    both_active(&acceptor, &dialer).await;
    let thief = Site::start(&program(), "dc3").await;
    thief.establish(ACCEPTOR, &token).await.expect(1, "", NEW_TOKEN_NEEDED);

    // 2. The operator keeps the public key elsewhere. The server stops, and says what the refusals of its last minute were.
    let elsewhere = private_directory();
    let key = elsewhere.path().join("audit-key.pem");
    fs::write(&key, acceptor.ask(&["audit", "key"]).await.success()).unwrap();
    acceptor.stop(Signal::TERM).await;
    let data_dir = acceptor.data_dir().display().to_string();
    let log = acceptor.data_dir().join("audit.log");
    let offline = program().run(&["audit", "key", "-keyring", &format!("{data_dir}/keyring")]).await.success();
    let online = fs::read_to_string(&key).unwrap().replace("signs now", "the newest, signs from the next start on");
    assert_eq!(offline, online, "the keyring has the same key");
    let head = program().run(&["audit", "head", "-data-dir", &data_dir]).await.success();
    let head = head.trim();

    // 3. The trail tells the token's story, and not its secret.
    let log_text = log.display().to_string();
    let story = program().run(&["audit", "show", "-token", &id, &log_text]).await.success();
    assert!(story.starts_with(&format!("Token:  {id}\nPeer:   cluster-02 (peering ")), "{story}");
    let lines: Vec<&str> = story.lines().skip(3).collect();
    let told: Vec<&str> = lines.iter().map(|line| line.trim_start().splitn(3, "  ").nth(2).unwrap()).collect();
    assert_eq!(told[0], "generated from 127.0.0.1", "{story}");
    assert!(told[1].starts_with("redeemed from 127."), "{story}");
    assert!(told[2].starts_with("its stream secret was used for the first time from 127."), "{story}");
    assert!(told[3].starts_with("refused (spent) from 127.") || told[3].starts_with("refused (spent) "), "{story}");
    assert_eq!(told.len(), 4, "{story}");
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains(&token::claim(&token, "EstablishmentSecret")), "the secret is in the trail");

    // 4. Signatures vouch for all of it.
    let page = verify(&log, &key, &["-head", head]).await.success();
    assert_eq!(field(&page, "Chain"), "whole");
    assert_eq!(field(&page, "Head"), "reached, nothing is cut off");
    assert!(!page.contains("Not signed"), "a stop signs everything: {page}");
    let seq = head.split(':').next().unwrap();
    assert!(field(&page, "Vouched for").starts_with(&format!("seq 1 to {seq}, until ")), "{page}");

    // 5. Somebody edits the line of the redemption: it is named.
    let at = text.lines().position(|line| line.contains("token_redeemed")).unwrap() + 1;
    let edited = changed(&log, |lines| lines[at - 1] = lines[at - 1].replace("\"done\"", "\"refused\""));
    let page = verify(&edited, &key, &[]).await;
    assert_eq!((page.code, page.stderr.as_str()), (Some(5), "This audit trail is not as it was written\n"), "{page:?}");
    let named = format!("changed.log line {at} (seq {at}) was changed: the line after it names another hash\n");
    assert!(page.stdout.ends_with(&named), "{page:?}");

    // 6. Or takes it away, with every hash computed anew in vain: see the tests of the chain. Or cuts the end off: that is
    // found with the head, and without it the page says how far it vouches.
    let removed = changed(&log, |lines| drop(lines.remove(at - 1)));
    assert!(verify(&removed, &key, &[]).await.stdout.contains(&format!("seq {at} is missing before ")));
    let cut = changed(&log, |lines| lines.truncate(at));
    assert_eq!(verify(&cut, &key, &["-head", head]).await.code, Some(5));
    let page = verify(&cut, &key, &[]).await;
    assert!(page.stdout.contains("not given: if lines were cut off at the end, nobody can tell"), "{page:?}");

    // 7. The key of another server vouches for nothing here, and an id that there is not has no story.
    let other = elsewhere.path().join("other.pem");
    fs::write(&other, dialer.ask(&["audit", "key"]).await.success()).unwrap();
    let page = verify(&log, &other, &[]).await;
    assert_eq!(page.code, Some(4));
    assert_eq!(field(&page.stdout, "Chain"), "whole");
    let vouched = field(&page.stdout, "Vouched for");
    assert!(vouched.starts_with("nothing: signed with key ") && vouched.ends_with(", which was not given"), "{page:?}");
    let unknown = "00000000-0000-4000-8000-000000000000";
    program().run(&["audit", "show", "-token", unknown, &log_text]).await.expect(
        1,
        "",
        "No line tells of the token <id>: is it of another server, or in a file that was rotated away?\n",
    );
}
