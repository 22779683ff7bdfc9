//! `establish` with a token as people paste it: what is sent, what is told, and what is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::mock::Mock;
use super::{Ran, failed, peering, peering_with};
use crate::Exit;

/// Establishes with what is on standard input, and returns what was sent too.
fn establish_with(stdin: &[u8]) -> (Ran, Option<String>) {
    let server = Mock::always(200, "{}");
    let words = ["establish", "-name=c1", "-peering-token-file=-", "-http-addr", &server.address];
    let ran = peering_with(&words, &[], &mut &*stdin);
    let sent = server.seen().into_iter().next().map(|seen| {
        let request: serde_json::Value = serde_json::from_slice(seen.body.as_ref()).unwrap();
        request["PeeringToken"].as_str().unwrap().to_owned()
    });
    (ran, sent)
}

/// A peering token with this text for its peer id.
fn token_of(peer: &str) -> String {
    STANDARD.encode(format!(r#"{{"PeerID":"{peer}","ServerName":"a name that makes it longer than a line"}}"#))
}

#[test]
fn what_was_taken_off_a_token_is_told_and_the_result_stays_consuls() {
    let token = &token_of("p1");
    let folded = format!("{}\n  {}", &token[..60], &token[60..]);
    let zero_width = format!("{}\u{200b}{}", &token[..60], &token[60..]);
    let swarm = "SWMTKN-1-0b1tqc7e45saff2vy4kwwjzjpbgx9sgyvzc0zl9z55f2knhxo0-000avh9he7dy896m08s18udxr";
    for (text, told) in [
        (token.clone(), ""),
        (format!("\n {token} \r\n"), ""),
        (folded, "Note: line breaks and blanks within the token were taken out: 3\n"),
        (
            format!("$ token='{token}'\n$"),
            "Note: characters before the token were left out: 8; quotes around the token were taken off; \
             characters after the token were left out: 1\n",
        ),
        (zero_width, "Note: invisible characters were taken out: 1\n"),
        (format!("{{\"PeeringToken\":\"{token}\"}}"), "Note: the token was taken out of a JSON object\n"),
        (format!("{token}\n{token}\n"), &format!("Note: characters after the token were left out: {}\n", token.len())),
        (format!("abcdef.0123456789abcdef\n{token}"), "Note: characters before the token were left out: 23\n"),
        (format!("{swarm}\n{token}"), "Note: characters before the token were left out: 85\n"),
    ] {
        let (ran, sent) = establish_with(text.as_bytes());
        assert_eq!(
            (ran.exit, ran.stdout.as_str()),
            (Exit::Success, "Successfully established peering connection with c1\n")
        );
        assert_eq!((sent.as_ref(), ran.stderr.as_str()), (Some(token), told), "{text}");
    }
}

#[test]
fn of_several_peering_tokens_none_is_chosen() {
    let (first, second) = (token_of("p1"), token_of("p2"));
    let several = "there are several, give only the one that is meant";
    for text in [
        format!("{first}\n{second}\n"),
        format!("{first} {second} {first}"),
        format!("{{\"PeeringToken\":\"{first}\"}}\n{{\"PeeringToken\":\"{second}\"}}\n"),
    ] {
        let (ran, sent) = establish_with(text.as_bytes());
        assert_eq!(sent, None, "nothing is sent");
        assert_eq!(ran, failed(&format!("Error reading the peering token from standard input: {several}")));
        let ran = peering(&["establish", "-name=c1", "-peering-token", &text], &[]);
        assert_eq!(ran, failed(&format!("Error reading the peering token from -peering-token: {several}")));
    }
}

#[test]
fn a_text_in_utf_16_without_a_token_is_sent_as_text() {
    let units = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for text in ["\u{feff}no token", "no token\r\n"] {
        let (ran, sent) = establish_with(&units(text));
        assert_eq!((sent.as_deref(), ran.stderr.as_str()), (Some("no token"), "Note: the text was UTF-16\n"));
    }
    let (ran, sent) = establish_with(b"\xff\xfea\0\0\xdc");
    let text = "Error reading the peering token from standard input: byte 4 belongs to no text in UTF-8 or UTF-16";
    assert_eq!((ran, sent), (failed(text), None));
}

#[test]
fn mail_that_quotes_every_line_is_read_without_its_marks() {
    let token = &token_of("p1");
    let quoted = format!("> {}\n> {}\n", &token[..60], &token[60..]);
    let (ran, sent) = establish_with(quoted.as_bytes());
    assert_eq!((ran.exit, sent.as_ref()), (Exit::Success, Some(token)), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("Note: marks of quoted lines were taken off: 2; "), "{}", ran.stderr);
}

/// Establishes with a server that answers so, and returns what is on standard error.
fn refused_with(text: &str, code: u16, body: &'static str) -> String {
    let server = Mock::always(code, body);
    let words = ["establish", "-name=c1", "-peering-token-file=-", "-http-addr", &server.address];
    let ran = peering_with(&words, &[], &mut text.as_bytes());
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""));
    ran.stderr
}

#[test]
fn a_refused_token_is_explained_under_the_servers_words() {
    let token = token_of("p1");
    let swarm = "SWMTKN-1-0b1tqc7e45saff2vy4kwwjzjpbgx9sgyvzc0zl9z55f2knhxo0-000avh9he7dy896m08s18udxr";
    let again = "copy the whole token again, from the first to the last character";
    for (text, body, cause, next) in [
        (token[..80].to_owned(), "unexpected end of JSON input", "it looks cut off after character 80", again),
        (token[8..].to_owned(), "illegal base64", "its beginning is missing", again),
        (
            format!("{{\"PeeringToken\":\"{}\"}}", &token[..80]),
            "invalid character",
            "it looks cut off after character 80",
            again,
        ),
        (
            swarm.to_owned(),
            "illegal base64 data at input byte 6",
            "this is a token of another kind (Docker Swarm join token), and `establish` takes peering tokens only",
            "give it to the program that it is for",
        ),
        (
            "hello".to_owned(),
            "illegal base64 data at input byte 4",
            "it has the form of no token that is known here",
            "check that the right text or file was given, or ask whoever gave it to you what it is",
        ),
    ] {
        let told = refused_with(&text, 500, body);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        assert_eq!(lines[0], format!("Error establishing peering for c1: Unexpected response code: 500 ({body})"));
        assert!(lines[1].starts_with(&format!("Note: {cause}")), "{told}");
        assert!(lines[1].ends_with(&format!(": {next}; peering inspect tells more")), "{told}");
        assert!(!told.contains("000avh9he7dy896m08s18udxr"), "{told}");
    }
}

#[test]
fn of_a_refusal_that_has_nothing_to_do_with_the_token_nothing_more_is_said() {
    let token = include_str!("../../../tests/data/tokens/consul/one-root.token");
    let told = refused_with(token, 500, "failed to dial");
    assert_eq!(told, "Error establishing peering for c1: Unexpected response code: 500 (failed to dial)\n");
    // A server that allows plaintext could not dial.
    let plaintext = include_str!("../../../tests/data/tokens/consul/plaintext.token");
    assert_eq!(refused_with(plaintext, 500, "failed to dial").lines().count(), 1);
    let told = refused_with("hello", 403, "Permission denied");
    assert_eq!(told, "Error establishing peering for c1: Unexpected response code: 403 (Permission denied)\n");
}
