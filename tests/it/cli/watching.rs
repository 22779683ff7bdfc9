//! `list -watch` over the life of a server, and what `-wait` says when nobody answers.

use std::time::Duration;

use peering_tests::eventually::eventually;
use peering_tests::process::{Process, Signal};
use peering_tests::redact::redact;
use peering_tests::site::Site;

use crate::under_test::program;

/// Waits until a process has written this on standard output, times redacted.
async fn prints(process: &Process, expected: &str) {
    eventually(Duration::from_secs(15), async || {
        let printed = redact(&process.stdout());
        if printed == expected { Ok(()) } else { Err(format!("{printed}\n{}", process.stderr())) }
    })
    .await;
}

#[tokio::test]
async fn a_watch_outlives_its_server_and_ends_with_0_at_an_interrupt() {
    let program = program();
    let (mut first, second) = tokio::join!(Site::start(&program, "dc1"), Site::start(&program, "dc2"));
    let token = first.generate_token("cluster-02").await;
    // The socket stays where it is when the server is started again.
    let socket = format!("unix://{}/api.sock", first.data_dir().display());
    let watch = program.call(["list", "-watch", "-http-addr", &socket]).start();
    let mut expected = "<time>  cluster-02  - → PENDING\n".to_owned();
    prints(&watch, &expected).await;
    second.establish("cluster-01", &token).await.success();
    expected += "<time>  cluster-02  PENDING → ACTIVE  (peer-heard)\n";
    prints(&watch, &expected).await;

    first.stop(Signal::KILL).await;
    let lost = "The server does not answer, it is asked again each second: ";
    eventually(Duration::from_secs(10), async || {
        let log = watch.stderr();
        if log.starts_with(lost) { Ok(()) } else { Err(log) }
    })
    .await;
    first.restart().await;
    eventually(Duration::from_secs(10), async || {
        let log = watch.stderr();
        if log.ends_with("\nThe server answers again\n") { Ok(()) } else { Err(log) }
    })
    .await;
    first.reaches("cluster-02", "ACTIVE").await;
    first.ask(&["delete", "-name", "cluster-02"]).await.success();
    eventually(Duration::from_secs(10), async || {
        let printed = watch.stdout();
        if printed.ends_with(" → -\n") { Ok(()) } else { Err(printed) }
    })
    .await;
    let ended = watch.end(Signal::INT).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 2, "{ended:?}");
}

#[tokio::test]
async fn what_keeps_a_peering_from_being_active_is_told_with_the_remedy() {
    let program = program();
    let (mut first, second) = tokio::join!(Site::start(&program, "dc1"), Site::start(&program, "dc2"));
    let token = first.generate_token("cluster-02").await;
    second.establish("cluster-01", &token).await.success();
    second.reaches("cluster-01", "ACTIVE").await;
    first.stop(Signal::KILL).await;
    second.reaches("cluster-01", "FAILING").await;
    eventually(Duration::from_secs(10), async || {
        let page = redact(&second.ask(&["read", "-name", "cluster-01"]).await.success());
        let detail = page.split_once("\nDetail:\n").map(|(_, detail)| detail.to_owned()).ok_or(page)?;
        if detail.contains(REFUSED) && detail.contains("    Next Redial:         in <age>, after ") {
            Ok(())
        } else {
            Err(detail)
        }
    })
    .await;
    // What was answered to the first use is told to nobody else, so the wait is for the peering that there is.
    let json = second.ask(&["read", "-name", "cluster-01", "-format", "json"]).await.success();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    let error = &read["Detail"]["LastError"];
    assert_eq!(error["Code"], "connection-refused", "{json}");
    assert!(error["Remedy"].as_str().unwrap().starts_with("see whether"), "{json}");
    let last = read["Detail"]["Transitions"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["From"], &last["To"]), (&"ACTIVE".into(), &"FAILING".into()), "{json}");
}

const REFUSED: &str = "    Last Error:          <time> connection-refused: <address>: could not connect: Connection \
    refused (os error 111)\n    What To Do:          see whether the peer's server runs and listens at this address\n";
