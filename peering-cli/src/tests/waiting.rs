//! `-wait`, on a clock that jumps.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use peering_core::api::v1::Peering;
use peering_core::duration::GoDuration;
use tokio::time::{Instant, sleep};

use super::mock::{Mock, answer};
use super::{failed, peering, succeeded};
use crate::client::error::ClientError;
use crate::commands::progress::Progress;
use crate::commands::wait::{WaitError, until_active};
use crate::{Output, Terminals};

type Answer = Result<Option<&'static str>, u16>;

fn peering_in(state: &str) -> Peering {
    serde_json::from_value(serde_json::json!({"ID": "i", "Name": "n", "State": state})).unwrap()
}

/// Waits at most two seconds on these answers, the last of which is given for ever.
async fn wait(answers: &[Answer]) -> (Result<(), WaitError>, Duration) {
    let answers = RefCell::new(answers.iter().copied().peekable());
    let started = Instant::now();
    let read = async || {
        let mut answers = answers.borrow_mut();
        let answer = *answers.peek().unwrap();
        if answers.len() > 1 {
            answers.next();
        }
        answer.map(|state| state.map(peering_in)).map_err(|code| ClientError::Status { code, body: "no".to_owned() })
    };
    let outcome = until_active(read, GoDuration::from_nanos(2_000_000_000), |_, _| {}).await;
    (outcome, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn active_ends_the_wait_at_once() {
    let (outcome, after) = wait(&[Ok(Some("ESTABLISHING")), Ok(Some("FAILING")), Ok(Some("ACTIVE"))]).await;
    assert!(outcome.is_ok());
    assert_eq!(after.as_millis(), 400);
}

#[tokio::test(start_paused = true)]
async fn time_runs_out_with_the_last_state() {
    let (outcome, after) = wait(&[Ok(Some("PENDING")), Ok(Some("ESTABLISHING"))]).await;
    assert_eq!(outcome.unwrap_err().to_string(), "still ESTABLISHING after 2s; the servers go on trying");
    assert_eq!(after.as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_peering_that_ends_will_not_become_active() {
    for state in ["TERMINATED", "DELETING"] {
        let (outcome, after) = wait(&[Ok(Some(state))]).await;
        assert_eq!(outcome.unwrap_err().to_string(), format!("it is {state}"));
        assert_eq!(after, Duration::ZERO);
    }
    let (outcome, _) = wait(&[Ok(None)]).await;
    assert!(matches!(outcome, Err(WaitError::Gone)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_wait_and_a_failing_server_does_not() {
    let (outcome, after) = wait(&[Err(403)]).await;
    assert!(matches!(outcome, Err(WaitError::Read(ClientError::Status { code: 403, .. }))));
    assert_eq!(after, Duration::ZERO);
    assert!(wait(&[Err(500), Err(503), Ok(Some("ACTIVE"))]).await.0.is_ok());
    let (outcome, after) = wait(&[Err(500)]).await;
    assert!(matches!(outcome, Err(WaitError::Read(ClientError::Status { code: 500, .. }))));
    assert_eq!(after.as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_does_not_hold_the_wait() {
    let read = async || {
        sleep(Duration::from_secs(3600)).await;
        Ok(None)
    };
    let outcome = until_active(read, GoDuration::from_nanos(1_500_000_000), |_, _| {}).await;
    assert_eq!(outcome.unwrap_err().to_string(), "its state is unknown after 1.5s");
}

#[test]
fn establish_waits_until_the_peering_is_active() {
    let server = Mock::start(|seen| match seen.uri.path() {
        "/v1/peering/establish" => answer(200, "{}"),
        _ => answer(200, r#"{"ID":"i","Name":"c","State":"ACTIVE"}"#),
    });
    let words = ["establish", "-name=c", "-peering-token=t", "-wait=30s", "-http-addr", &server.address];
    let stdout = "Successfully established peering connection with c\nThe peering connection with c is ACTIVE\n";
    assert_eq!(peering(&words, &[]), succeeded(stdout));
    let paths: Vec<String> = server.seen().iter().map(|seen| seen.uri.path().to_owned()).collect();
    assert_eq!(paths, ["/v1/peering/c", "/v1/peering/establish", "/v1/peering/c"]);
}

#[test]
fn establish_fails_when_the_peering_ends_meanwhile() {
    let server = Mock::start(|seen| match seen.uri.path() {
        "/v1/peering/establish" => answer(200, "{}"),
        _ => answer(200, r#"{"ID":"i","Name":"c","State":"TERMINATED"}"#),
    });
    let words = ["establish", "-name=c", "-peering-token=t", "-wait=30s", "-http-addr", &server.address];
    let mut expected = failed("Error waiting for peering with c: it is TERMINATED");
    expected.stdout = "Successfully established peering connection with c\n".to_owned();
    assert_eq!(peering(&words, &[]), expected);
}

/// A peering in a state, with the last error of a server of ours.
fn explained(state: &str, code: &str) -> Peering {
    let error = serde_json::json!({
        "Time": "2030-06-01T00:00:00Z", "Code": code, "Text": "127.0.0.1:1: no\u{1b}[2J", "Remedy": "start it"
    });
    let detail = serde_json::json!({ "LastError": error });
    serde_json::from_value(serde_json::json!({"ID": "i", "Name": "n", "State": state, "Detail": detail})).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_time_out_names_the_last_error_and_the_remedy() {
    let read = async || Ok(Some(explained("FAILING", "connection-refused")));
    let outcome = until_active(read, GoDuration::from_nanos(1_000_000_000), |_, _| {}).await;
    assert_eq!(
        outcome.unwrap_err().to_string(),
        "still FAILING after 1s; the servers go on trying\n\
         Last error, at 2030-06-01T00:00:00Z: connection-refused: 127.0.0.1:1: no\\x1b[2J\n\
         What to do: start it"
    );
}

/// Shows peerings one second apart; returns what was written to standard error.
fn progress(seen: &[Peering], is_terminal: bool) -> String {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let terminals = Terminals { stdout: false, stderr: is_terminal };
    let mut output = Output::new(&mut stdout, &mut stderr).on(terminals);
    let mut progress = Progress::new("n");
    progress.begin(&mut output);
    for (second, peering) in (0..).zip(seen) {
        progress.see(&mut output, peering, Duration::from_millis(second * 1_000 + 10));
    }
    progress.end(&mut output);
    assert_eq!(stdout, b"", "standard output is for the result");
    String::from_utf8(stderr).unwrap()
}

#[test]
fn without_a_terminal_each_change_is_a_line_and_what_goes_well_is_none() {
    let well = ["ESTABLISHING", "ESTABLISHING", "ACTIVE"].map(peering_in);
    assert_eq!(progress(&well, false), "");
    let seen = [
        peering_in("ESTABLISHING"),
        explained("ESTABLISHING", "connection-refused"),
        explained("ESTABLISHING", "connection-refused"),
        explained("ESTABLISHING", "not-tls"),
        explained("FAILING", "not-tls"),
        explained("ACTIVE", "not-tls"),
    ];
    assert_eq!(
        progress(&seen, false),
        "n is ESTABLISHING after 1s: connection-refused: 127.0.0.1:1: no\\x1b[2J; start it\n\
         n is ESTABLISHING after 3s: not-tls: 127.0.0.1:1: no\\x1b[2J; start it\n\
         n is FAILING after 4s: not-tls: 127.0.0.1:1: no\\x1b[2J; start it\n"
    );
    assert_eq!(progress(&["PENDING", "FAILING"].map(peering_in), false), "n is FAILING after 1s\n", "a Consul's");
}

#[test]
fn on_a_terminal_one_line_is_written_over_and_taken_away() {
    let seen = [peering_in("ESTABLISHING"), explained("FAILING", &"x".repeat(100))];
    let cut = format!("n is FAILING after 1s: {}", "x".repeat(56));
    assert_eq!(
        progress(&seen, true),
        format!("\r\u{1b}[Kcalling the servers of n\r\u{1b}[Kn is ESTABLISHING after 0s\r\u{1b}[K{cut}\r\u{1b}[K")
    );
}

#[test]
fn establish_says_what_keeps_the_peering_from_being_active() {
    let is_begun = AtomicBool::new(false);
    let server = Mock::start(move |seen| match seen.uri.path() {
        "/v1/peering/establish" => {
            is_begun.store(true, Ordering::SeqCst);
            answer(200, "{}")
        }
        _ if !is_begun.load(Ordering::SeqCst) => answer(404, "no such peering"),
        _ => answer(200, &serde_json::to_string(&explained("ESTABLISHING", "connection-refused")).unwrap()),
    });
    let words = ["establish", "-name=c", "-peering-token=t", "-wait=300ms", "-http-addr", &server.address];
    let expected = "c is ESTABLISHING after 0s: connection-refused: 127.0.0.1:1: no\\x1b[2J; start it\n\
                    Error waiting for peering with c: still ESTABLISHING after 300ms; the servers go on trying\n\
                    Last error, at 2030-06-01T00:00:00Z: connection-refused: 127.0.0.1:1: no\\x1b[2J\n\
                    What to do: start it\n";
    let ran = peering(&words, &[]);
    assert_eq!((ran.exit.code(), ran.stderr.as_str()), (1, expected));
    assert_eq!(ran.stdout, "Successfully established peering connection with c\n");
}

#[test]
fn an_error_from_before_is_not_shown_as_one_of_this_attempt() {
    let reads = AtomicUsize::new(0);
    let server = Mock::start(move |seen| match seen.uri.path() {
        "/v1/peering/establish" => answer(200, "{}"),
        // The old error before and after, then one of the same kind from a later attempt.
        _ => {
            let mut peering = explained("ESTABLISHING", "connection-refused");
            if reads.fetch_add(1, Ordering::SeqCst) >= 3 {
                let error = peering.detail.as_mut().unwrap().last_error.as_mut().unwrap();
                error.time = "2030-06-01T00:00:09Z".parse().unwrap();
            }
            answer(200, &serde_json::to_string(&peering).unwrap())
        }
    });
    let words = ["establish", "-name=c", "-peering-token=t", "-http-addr", &server.address];
    let soon = peering(&[&words[..], &["-wait=100ms"]].concat(), &[]);
    let expected = "Error waiting for peering with c: still ESTABLISHING after 100ms; the servers go on trying\n";
    assert_eq!((soon.exit.code(), soon.stderr.as_str()), (1, expected));
    let later = peering(&[&words[..], &["-wait=900ms"]].concat(), &[]);
    assert!(later.stderr.contains("Last error, at 2030-06-01T00:00:09Z: connection-refused"), "{later:?}");
}
