//! `peering quickstart`: two clusters become peers before one's eyes, and nothing is left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use peering_tests::process::Signal;
use peering_tests::redact::redact;
use peering_tests::site::private_directory;

use crate::under_test::program;

/// What is printed until both sides are ACTIVE.
const STEPS: &str = r#"1. Two clusters run on this machine, each with a certificate authority of its own:
     dc1  HTTP API http://<address>  peers <address>
     dc2  HTTP API http://<address>  peers <address>
2. dc1 generates a peering token for "cluster-02": <number> characters, a one-time secret inside.
     The same by hand: peering generate-token -name cluster-02 -http-addr http://<address>
3. dc2 uses the token as "cluster-01": it exchanged the one-time secret over TLS and dials.
     The same by hand: peering establish -name cluster-01 -peering-token-file FILE -http-addr http://<address>
4. Both clusters see the other:
     dc1  cluster-02  ACTIVE
     dc2  cluster-01  ACTIVE
"#;
/// What is printed after that if they stay up.
const TRY: &str = r"
They stay up until Ctrl-C. Try:
     peering list -http-addr http://<address>
     peering read -name cluster-01 -http-addr http://<address>
     peering delete -name cluster-02 -http-addr http://<address>
";

#[tokio::test]
async fn with_exit_it_shows_both_sides_active_and_exits_with_0() {
    let home = private_directory();
    let ran = program().call(["quickstart", "-exit"]).variable("TMPDIR", home.path()).finish().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(redact(&without_length(&ran.stdout)), STEPS);
    assert_eq!(entries(home.path()), 0, "a directory is left behind");
}

#[tokio::test]
async fn without_exit_it_stays_up_until_ctrl_c_with_commands_that_work() {
    for signal in [Signal::INT, Signal::TERM] {
        // 1. It prints its steps and what to try, and stays.
        let home = private_directory();
        let mut quickstart = program().call(["quickstart"]).variable("TMPDIR", home.path()).start();
        quickstart.line_with("peering delete").await;
        let printed = quickstart.stdout();
        assert_eq!(redact(&without_length(&printed)), format!("{STEPS}{TRY}"));

        // 2. What it keeps is for its owner alone.
        let kept = fs::read_dir(home.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o700);

        // 3. The commands that it names do what they say.
        let commands = printed.lines().filter_map(|line| line.trim_start().strip_prefix("peering "));
        let commands: Vec<Vec<&str>> = commands.map(|command| command.split(' ').collect()).collect();
        let [list, read, delete] = commands.as_slice() else { panic!("{commands:?}") };
        assert!(program().run(list).await.success().contains("cluster-02  ACTIVE"));
        assert!(program().run(read).await.success().contains("State:        ACTIVE"));
        program().run(delete).await.success();

        // 4. A signal ends it, in good order, with nothing left behind.
        let ended = quickstart.end(signal).await;
        assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
        assert_eq!(entries(home.path()), 0, "a directory is left behind after {signal:?}");
    }
}

#[tokio::test]
async fn it_says_where_it_cannot_make_its_directory() {
    let ran = program().call(["quickstart", "-exit"]).variable("TMPDIR", "/nowhere").finish().await;
    let expected = "Error preparing /nowhere: No such file or directory (os error 2)";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.starts_with(expected), "{ran:?}");
}

/// The length of a token depends on that of the port inside.
fn without_length(text: &str) -> String {
    let Some((before, after)) = text.split_once(" characters,") else { return text.to_owned() };
    format!("{}<number> characters,{after}", before.trim_end_matches(|char: char| char.is_ascii_digit()))
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}
