//! `list -watch`, on a clock that jumps.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use peering_core::api::v1::Peering;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::mock::{Mock, answer};
use super::{failed, peering};
use crate::client::error::ClientError;
use crate::commands::error::CommandError;
use crate::commands::format::Format;
use crate::commands::list::watch::{Screen, watch};
use crate::{Output, Terminals};

/// One look: peerings by name and state, or the status of a failure.
type Look = Result<&'static [(&'static str, &'static str)], u16>;

fn listed(look: &[(&str, &str)]) -> Vec<Peering> {
    let peering = |(name, state): &(&str, &str)| -> Peering {
        let mut value = json!({"ID": "i", "Name": name, "State": state});
        if *state == "FAILING" {
            let last =
                json!({"Time": "2030-06-01T00:00:00Z", "From": "ACTIVE", "To": "FAILING", "Cause": "connection-lost"});
            value["Detail"] = json!({ "Transitions": [last] });
        }
        serde_json::from_value(value).unwrap()
    };
    look.iter().map(peering).collect()
}

/// Watches these looks, and ends with the last one.
async fn watched(looks: &[Look], format: Format, is_terminal: bool) -> (Result<(), CommandError>, String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let terminals = Terminals { stdout: is_terminal, stderr: is_terminal };
    let mut output = Output::new(&mut stdout, &mut stderr).on(terminals);
    let waiting: RefCell<VecDeque<Look>> = RefCell::new(looks.iter().copied().collect());
    let list = async || match waiting.borrow_mut().pop_front() {
        Some(Ok(look)) => Ok(Some(listed(look))),
        Some(Err(code)) => Err(ClientError::Status { code, body: "no".to_owned() }),
        None => panic!("nobody looks after the end"),
    };
    let seconds = looks.len() as u64 - 1;
    let stop = sleep(Duration::from_millis(seconds * 1_000 + 500));
    let clock = || super::NOW.parse().unwrap();
    let screen = Screen { format, output: &mut output, clock: &clock, drawn: None };
    let outcome = watch(list, screen, stop).await;
    (outcome, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

const STORY: [Look; 7] = [
    Ok(&[("a", "ACTIVE"), ("b", "PENDING")]),
    Ok(&[("a", "ACTIVE"), ("b", "PENDING")]),
    Ok(&[("b", "ACTIVE"), ("a", "FAILING")]),
    Err(500),
    Err(503),
    Ok(&[("a", "FAILING"), ("c\u{1b}", "PENDING")]),
    Ok(&[]),
];

#[tokio::test(start_paused = true)]
async fn each_change_is_a_line_and_an_outage_is_told_once() {
    let (outcome, stdout, stderr) = watched(&STORY, Format::Pretty, false).await;
    outcome.unwrap();
    assert_eq!(
        stdout,
        "2030-06-01T00:00:00Z  a  - → ACTIVE\n\
         2030-06-01T00:00:00Z  b  - → PENDING\n\
         2030-06-01T00:00:00Z  a  ACTIVE → FAILING  (connection-lost)\n\
         2030-06-01T00:00:00Z  b  PENDING → ACTIVE\n\
         2030-06-01T00:00:00Z  b  ACTIVE → -\n\
         2030-06-01T00:00:00Z  c\\x1b  - → PENDING\n\
         2030-06-01T00:00:00Z  a  FAILING → -\n\
         2030-06-01T00:00:00Z  c\\x1b  PENDING → -\n"
    );
    assert_eq!(
        stderr,
        "The server does not answer, it is asked again each second: Unexpected response code: 500 (no)\n\
         The server answers again\n"
    );
}

#[tokio::test(start_paused = true)]
async fn in_json_each_change_is_an_object_of_its_own() {
    for is_terminal in [false, true] {
        let (outcome, stdout, _) = watched(&STORY[..3], Format::Json, is_terminal).await;
        outcome.unwrap();
        let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let change =
            |name: &str, from: Value, to: &str| json!({"Time": super::NOW, "Name": name, "From": from, "To": to});
        let mut failing = change("a", json!("ACTIVE"), "FAILING");
        failing["Cause"] = json!("connection-lost");
        let expected = [change("a", Value::Null, "ACTIVE"), change("b", Value::Null, "PENDING"), failing];
        assert_eq!(lines[..3], expected);
        assert_eq!(lines[3..], [change("b", json!("PENDING"), "ACTIVE")]);
    }
}

#[tokio::test(start_paused = true)]
async fn on_a_terminal_the_table_is_drawn_anew_when_it_changes() {
    let (outcome, stdout, stderr) = watched(&STORY, Format::Pretty, true).await;
    outcome.unwrap();
    let clear = "\u{1b}[H\u{1b}[2J";
    let heading = "Imported Svcs  Exported Svcs  Meta\n";
    let why = "a is FAILING since 2030-06-01T00:00:00Z (connection-lost)\n";
    let tables: Vec<&str> = stdout.split(clear).collect();
    assert_eq!(
        tables,
        [
            "",
            &format!(
                "Name  State    {heading}a     ACTIVE   0              0              \nb     PENDING  0              0              \n"
            ),
            &format!(
                "Name  State    {heading}a     FAILING  0              0              \nb     ACTIVE   0              0              \n\n{why}"
            ),
            &format!(
                "Name   State    {heading}a      FAILING  0              0              \nc\\x1b  PENDING  0              0              \n\n{why}"
            ),
            "There are no peering connections.\n\n",
        ]
    );
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

#[tokio::test(start_paused = true)]
async fn on_a_terminal_it_is_said_under_the_table_why_a_peering_is_not_active() {
    let error = |code: &str| json!({"Time": "2030-05-31T23:59:00Z", "Code": code, "Text": "a\u{1b}b", "Remedy": "r"});
    let last =
        |to: &str| json!({"Time": "2030-05-31T23:58:00Z", "From": "ACTIVE", "To": to, "Cause": "connection-lost"});
    let one = |name: &str, state: &str, error: Value, last: Option<Value>| {
        let detail = json!({"LastError": error, "Transitions": last.into_iter().collect::<Vec<_>>()});
        serde_json::from_value(json!({"ID": "i", "Name": name, "State": state, "Detail": detail})).unwrap()
    };
    let peerings: Vec<Peering> = vec![
        one("a", "ACTIVE", error("old"), Some(last("ACTIVE"))),
        one("b", "PENDING", error("name-unresolved"), None),
        one("c", "FAILING", error("connection-refused"), Some(last("FAILING"))),
        one("d", "PENDING", Value::Null, None),
        one("e\u{1b}", "FAILING", Value::Null, Some(last("FAILING"))),
    ];
    let mut stdout = Vec::new();
    let mut stderr = Vec::new();
    let mut output = Output::new(&mut stdout, &mut stderr).on(Terminals { stdout: true, stderr: true });
    let clock = || super::NOW.parse().unwrap();
    let screen = Screen { format: Format::Pretty, output: &mut output, clock: &clock, drawn: None };
    let list = async || Ok(Some(peerings.clone()));
    watch(list, screen, sleep(Duration::from_millis(500))).await.unwrap();
    let shown = String::from_utf8(stdout).unwrap();
    let (_, under) = shown.split_once("\n\n").unwrap_or_else(|| panic!("nothing is under the table: {shown}"));
    assert!(
        under.starts_with(
            "b is PENDING; last error 2030-05-31T23:59:00Z name-unresolved: a\\x1bb\n\
             c is FAILING since 2030-05-31T23:58:00Z (connection-lost); last error 2030-05-31T23:59:00Z connection-refused: a\\x1bb\n\
             e\\x1b is FAILING since 2030-05-31T23:58:00Z (connection-lost)\n"
        ),
        "{under}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_first_look_that_fails_and_a_refusal_at_any_time_are_errors() {
    let (outcome, stdout, _) = watched(&[Err(500)], Format::Pretty, false).await;
    assert_eq!(outcome.unwrap_err().to_string(), "Error listing peerings: Unexpected response code: 500 (no)");
    assert_eq!(stdout, "");
    let (outcome, ..) = watched(&[Ok(&[]), Err(403), Ok(&[])], Format::Pretty, false).await;
    assert_eq!(outcome.unwrap_err().to_string(), "Error listing peerings: Unexpected response code: 403 (no)");
}

#[test]
fn the_whole_verb_asks_and_ends_when_it_is_refused() {
    let server = Mock::start(|_| answer(403, "Permission denied"));
    let ran = peering(&["list", "-watch", "-http-addr", &server.address], &[]);
    assert_eq!(ran, failed("Error listing peerings: Unexpected response code: 403 (Permission denied)"));
    assert_eq!(server.only().uri.path(), "/v1/peerings");
    assert_eq!(
        peering(&["list", "-watch", "-format=toml"], &[]),
        failed("Invalid format, valid formats are {json|pretty}")
    );
}
