//! `peering issued` against a server that answers as ours does: requests, pages, failures.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::mock::{Mock, Seen, answer};
use super::{Ran, failed, peering, succeeded};
use crate::Exit;

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "22222222-2222-4222-8222-222222222222";
const THREE: &str = "33333333-3333-4333-8333-333333333333";

/// A token as the server lists it.
fn token(id: &str, state: &str, revocable: bool, index: u64) -> Value {
    json!({
        "TokenID": id,
        "PeerName": "cluster-02",
        "PeeringID": "106914d1-32dc-214c-a068-d068a8ef3144",
        "CreatedBy": "6a1253d2-1785-24fd-91c2-f8e78c745511",
        "CreatedAt": "2030-05-31T00:00:00.5Z",
        "State": state,
        "Revocable": revocable,
        "CreateIndex": index,
        "ModifyIndex": index
    })
}

fn redeemed() -> Value {
    let mut token = token(TWO, "redeemed", true, 8);
    token["ExpiresAt"] = "2030-06-02T00:00:00Z".into();
    token["RedeemedAt"] = "2030-05-31T00:01:00.25Z".into();
    token["RedeemedFrom"] = "2001:db8::7".into();
    token
}

fn ask(server: &Mock, words: &[&str]) -> Ran {
    peering(&[&["issued"], words].concat(), &[("PEERING_HTTP_ADDR", &server.address)])
}

/// Returns methods, paths and queries of what was asked.
fn asked(server: &Mock) -> Vec<String> {
    server.seen().iter().map(|seen| format!("{} {}", seen.method, seen.uri)).collect()
}

/// A list with the store's index.
fn list(tokens: &[Value], index: u64) -> Response<Body> {
    let mut list = answer(200, &Value::from(tokens).to_string());
    list.headers_mut().insert("X-Consul-Index", index.into());
    list
}

#[test]
fn a_list_is_a_table_of_what_became_of_each_token_or_json() {
    let mut gone = token(THREE, "revoked", false, 9);
    gone["RevokedAt"] = "2030-05-31T00:02:00Z".into();
    gone["PeerName"] = "a\u{1b}\n".into();
    let server = Mock::start(move |_| list(&[token(ONE, "unused", true, 7), redeemed(), gone.clone()], 9));
    assert_eq!(
        ask(&server, &["list"]),
        succeeded(
            "\
Token ID                              Peer        State     Created               Expires               Redeemed
11111111-1111-4111-8111-111111111111  cluster-02  unused    2030-05-31T00:00:00Z  never                 \n\
22222222-2222-4222-8222-222222222222  cluster-02  redeemed  2030-05-31T00:00:00Z  2030-06-02T00:00:00Z  2030-05-31T00:01:00Z from 2001:db8::7
33333333-3333-4333-8333-333333333333  a\\x1b\\n     revoked   2030-05-31T00:00:00Z  never                 \n"
        )
    );
    let json = ask(&server, &["list", "-peer", "a b", "-state=unused,redeemed", "-format=json"]).stdout;
    assert!(json.starts_with("[{\"TokenID\":\"11111111-1111-4111-8111-111111111111\",\"PeerName\""), "{json}");
    assert!(json.ends_with("}]\n") && json.lines().count() == 1, "{json}");
    assert_eq!(asked(&server), ["GET /v1/peering-tokens", "GET /v1/peering-tokens?peer=a+b&state=unused%2Credeemed"]);
}

#[test]
fn nothing_is_said_in_words_or_as_an_empty_list() {
    let server = Mock::start(|_| list(&[], 1));
    assert_eq!(ask(&server, &["list"]), succeeded("There are no issued tokens.\n"));
    assert_eq!(ask(&server, &["list", "-format=json"]), succeeded("[]\n"));
    assert_eq!(ask(&server, &["revoke", "-all"]), succeeded("There are no tokens to revoke.\n"));
    assert_eq!(ask(&server, &["revoke", "-all", "-dry-run"]), succeeded("There are no tokens to revoke.\n"));
    assert_eq!(ask(&server, &["revoke", "-all", "-dry-run", "-format=json"]), succeeded("[]\n"));
    assert_eq!(ask(&server, &["revoke", "-all", "-format=json"]), succeeded("[]\n"));
}

#[test]
fn what_matches_nothing_is_not_said_to_be_nothing_at_all() {
    let server = Mock::start(|_| list(&[], 1));
    let unmatched = succeeded("No issued token matches what was asked for.\n");
    for words in
        [&["list", "-peer", "nosuch"][..], &["list", "-state", "unused"], &["list", "-peer=a", "-state=revoked"]]
    {
        assert_eq!(ask(&server, words), unmatched, "{words:?}");
    }
    assert_eq!(ask(&server, &["list", "-peer", "", "-state="]), succeeded("There are no issued tokens.\n"));
    let unmatched = succeeded("No token that can be revoked matches what was asked for.\n");
    for words in [&["-peer", "nosuch"][..], &["-older-than", "24h"], &["-peer", "nosuch", "-dry-run"]] {
        assert_eq!(ask(&server, &[&["revoke", "-all"], words].concat()), unmatched, "{words:?}");
    }
    assert_eq!(ask(&server, &["list", "-peer", "nosuch", "-format=json"]), succeeded("[]\n"));
}

#[test]
fn a_list_that_was_cut_is_asked_for_to_its_end_and_never_in_a_circle() {
    let server = Mock::start(|seen| {
        let (token, next) = match seen.uri.query() {
            None => (token(ONE, "unused", true, 7), 7),
            Some("after=7") => (token(TWO, "unused", true, 8), 8),
            _ => (token(THREE, "unused", true, 9), 8),
        };
        let mut list = list(&[token], 9);
        list.headers_mut().insert("X-Peering-Next-After", next.into());
        list
    });
    assert_eq!(ask(&server, &["list"]).stdout.lines().count(), 4);
    let paths = ["GET /v1/peering-tokens", "GET /v1/peering-tokens?after=7", "GET /v1/peering-tokens?after=8"];
    assert_eq!(asked(&server), paths);
}

#[test]
fn one_token_is_shown_in_detail() {
    let server = Mock::start(|_| answer(200, &redeemed().to_string()));
    assert_eq!(
        ask(&server, &["read", TWO]),
        succeeded(
            "\
Token ID:      22222222-2222-4222-8222-222222222222
Peer Name:     cluster-02
Peering ID:    106914d1-32dc-214c-a068-d068a8ef3144
Created By:    6a1253d2-1785-24fd-91c2-f8e78c745511
Created At:    2030-05-31T00:00:00Z
Expires At:    2030-06-02T00:00:00Z
State:         redeemed
Revocable:     yes
Redeemed At:   2030-05-31T00:01:00Z
Redeemed From: 2001:db8::7
Create Index:  8
Modify Index:  8
"
        )
    );
    assert_eq!(asked(&server), [format!("GET /v1/peering-tokens/{TWO}")]);
    let json = ask(&server, &["read", "-format", "json", TWO]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), redeemed());
}

#[test]
fn tokens_named_are_revoked_one_by_one_and_what_was_not_is_told() {
    let server = Mock::start(|seen| match seen.uri.path() {
        path if path.ends_with(TWO) => answer(409, "token is revoked already"),
        path if path.ends_with(THREE) => answer(404, "no token"),
        _ => answer(200, ""),
    });
    assert_eq!(ask(&server, &["revoke", ONE]), succeeded(&format!("Revoked token {ONE}\n")));
    let ran = ask(&server, &["revoke", TWO, ONE, THREE]);
    assert_eq!((ran.exit, ran.stdout), (Exit::Failure, format!("Revoked token {ONE}\n")));
    assert_eq!(
        ran.stderr,
        format!(
            "Error revoking token {TWO}: Unexpected response code: 409 (token is revoked already)\n\
             Error revoking token {THREE}: Unexpected response code: 404 (no token)\n\
             2 of 3 tokens could not be revoked\n"
        )
    );
    let json = ask(&server, &["revoke", "-format=json", ONE, TWO]);
    let expected = format!(
        "[{{\"TokenID\":\"{ONE}\",\"Outcome\":\"revoked\"}},{{\"TokenID\":\"{TWO}\",\"Outcome\":\"failed\",\
         \"Error\":\"Unexpected response code: 409 (token is revoked already)\"}}]\n"
    );
    assert_eq!((json.exit, json.stdout), (Exit::Failure, expected));
    assert!(server.seen().iter().all(|seen| seen.method == Method::DELETE && seen.body.is_empty()));
}

#[test]
fn a_dry_run_shows_what_would_go_and_asks_for_nothing_else() {
    let server = Mock::start(|_| list(&[token(ONE, "unused", true, 7), token(TWO, "redeemed", false, 8)], 9));
    let words = ["revoke", "-all", "-dry-run", "-peer=cluster-02", "-older-than", "24h"];
    assert_eq!(
        ask(&server, &words),
        succeeded(
            "\
Token ID                              Peer        State   Created               Expires  Redeemed
11111111-1111-4111-8111-111111111111  cluster-02  unused  2030-05-31T00:00:00Z  never    \n\
\n\
1 token would be revoked.\n"
        )
    );
    let query = "older-than=24h0m0s&peer=cluster-02&state=unused%2Credeemed";
    assert_eq!(asked(&server), [format!("GET /v1/peering-tokens?{query}")]);
}

/// A server whose tokens can be revoked, and on which somebody issues a token whenever one is.
struct Shop(Mutex<Vec<(String, u64)>>);

impl Shop {
    fn answer(&self, seen: &Seen) -> Response<Body> {
        let mut tokens = self.0.lock().unwrap();
        let index = tokens.iter().map(|(_, index)| *index).max().unwrap_or(0);
        if seen.method == Method::GET {
            let values: Vec<Value> = tokens.iter().map(|(id, index)| token(id, "unused", true, *index)).collect();
            return list(&values, index);
        }
        tokens.retain(|(id, _)| !seen.uri.path().ends_with(id.as_str()));
        if index < 12 {
            tokens.push((format!("33333333-3333-4333-8333-3333333333{index:02}"), index + 1));
        }
        answer(200, "")
    }
}

#[test]
fn all_means_all_that_were_there_when_it_began() {
    let shop = Shop(Mutex::new(vec![(ONE.to_owned(), 9), (TWO.to_owned(), 10)]));
    let server = Mock::start(move |seen| shop.answer(seen));
    let ran = ask(&server, &["revoke", "-all"]);
    assert_eq!((ran.exit, ran.stdout), (Exit::Success, format!("Revoked token {ONE}\nRevoked token {TWO}\n")));
    assert_eq!(ran.stderr, "Warning: 2 tokens issued since this began can still be used\n");
    let listed = "GET /v1/peering-tokens?state=unused%2Credeemed".to_owned();
    // Named with its peering, a token is found at once.
    let revoked = |id| format!("DELETE /v1/peering-tokens/{id}?peering=106914d1-32dc-214c-a068-d068a8ef3144");
    assert_eq!(asked(&server), [listed.clone(), revoked(ONE), revoked(TWO), listed]);
}

#[test]
fn a_token_that_ended_meanwhile_is_no_failure_of_all_and_one_whose_secret_is_in_use_is() {
    let server = Mock::start(|seen| match (&seen.method, seen.uri.path()) {
        (&Method::GET, "/v1/peering-tokens") => {
            list(&[token(ONE, "unused", true, 7), token(TWO, "redeemed", true, 8)], 9)
        }
        (&Method::GET, path) if path.ends_with(ONE) => answer(200, &token(ONE, "superseded", false, 7).to_string()),
        (&Method::GET, _) => answer(200, &token(TWO, "redeemed", false, 8).to_string()),
        _ => answer(409, "refused"),
    });
    let ran = ask(&server, &["revoke", "-all"]);
    assert_eq!((ran.exit, ran.stdout), (Exit::Failure, format!("Token {ONE} had ended by itself\n")));
    let refused = format!("Error revoking token {TWO}: Unexpected response code: 409 (refused)\n");
    assert_eq!(ran.stderr, format!("{refused}1 of 2 tokens could not be revoked\n"));
}

#[test]
fn when_nobody_answers_any_more_what_was_not_tried_is_told() {
    let server = Mock::start(|_| answer(302, ""));
    let address = server.address.clone();
    drop(server);
    let words = ["issued", "revoke", ONE, TWO, THREE, "-http-addr", &address];
    let ran = peering(&words, &[]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""));
    let url = format!("http://{address}/v1/peering-tokens/{ONE}");
    assert_eq!(
        ran.stderr,
        format!(
            "Error revoking token {ONE}: Delete \"{url}\": dial tcp {address}: connect: connection refused\n\
             0 revoked before, 2 tokens not tried\n"
        )
    );
}

#[test]
fn a_server_without_issued_tokens_is_told_apart_from_a_token_that_is_not_there() {
    let consul = Mock::always(404, "Invalid URL path: not a recognized HTTP API endpoint\n");
    let message =
        "This server does not list issued tokens: a Consul does not, and nor did the first release of peering";
    for words in [&["list"][..], &["read", ONE], &["revoke", ONE, TWO], &["revoke", "-all"]] {
        assert_eq!(ask(&consul, words), failed(message), "{words:?}");
    }
    assert_eq!(consul.seen().len(), 4);
    let ours = Mock::always(404, "no token was issued");
    let message = format!("Error reading token {ONE}: Unexpected response code: 404 (no token was issued)");
    assert_eq!(ask(&ours, &["read", ONE]), failed(&message));
    let denied = Mock::always(403, "Permission denied");
    let message = "Error listing issued tokens: Unexpected response code: 403 (Permission denied)";
    assert_eq!(ask(&denied, &["list"]), failed(message));
}

#[test]
fn mistakes_are_told_before_anything_is_sent_and_no_secret_is_repeated() {
    let server = Mock::always(200, "[]");
    let missing = "Missing the id of a token: 'peering issued list' shows the ids, 'peering inspect' that of a token";
    let not_an_id = |bytes: usize| {
        format!(
            "Not the id of a token: expected a UUID of 36 characters such as 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d, got \
             {bytes} bytes of another form; 'peering inspect' shows the id of a token"
        )
    };
    for (words, message) in [
        (&["read"][..], missing.to_owned()),
        (&["read", ONE, TWO], "This command takes one id, got 2".to_owned()),
        (&["read", "eyJDQSI6bnVsbH0="], not_an_id(16)),
        (&["read", ""], not_an_id(0)),
        (&["read", ONE, "-format=toml"], "Invalid format, valid formats are {json|pretty}".to_owned()),
        (&["revoke"], missing.to_owned()),
        (&["revoke", ONE, "../token"], not_an_id(8)),
        (&["revoke", "-all", ONE], "Give either ids or -all, not both".to_owned()),
        (&["revoke", ONE, "-dry-run"], "-dry-run goes with -all".to_owned()),
        (&["revoke", "-peer=a"], "-peer goes with -all".to_owned()),
        (&["revoke", "-all=false", "-older-than=1h"], "-older-than goes with -all".to_owned()),
        (&["list", "-format=toml"], "Invalid format, valid formats are {json|pretty}".to_owned()),
    ] {
        assert_eq!(ask(&server, words), failed(&message), "{words:?}");
    }
    for (words, message) in [
        (
            &["revoke", "-all", "-older-than=-1s"][..],
            "invalid value \"-1s\" for flag -older-than: expected a duration of 0 or more",
        ),
        (
            &["revoke", "-all", "-older-than=1y"],
            "invalid value \"1y\" for flag -older-than: time: unknown unit \"y\" in duration \"1y\"",
        ),
        (&["revoke", "-all=perhaps"], "invalid boolean value \"perhaps\" for -all: parse error"),
        (&["list", "-x"], "flag provided but not defined: -x"),
    ] {
        let ran = ask(&server, words);
        assert_eq!((ran.exit, ran.stderr.lines().next()), (Exit::Failure, Some(message)), "{words:?}");
    }
    assert!(server.seen().is_empty());
    let ran = peering(&["issued"], &[]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Exit::Failure, ""));
    assert!(ran.stderr.starts_with("Usage: peering issued <subcommand> [options] [args]\n"), "{}", ran.stderr);
}

#[test]
fn help_says_what_each_verb_does_and_which_flags_it_has() {
    let group = peering(&["issued", "-h"], &[]).stdout;
    assert!(group.ends_with(
        "Subcommands:\n    list      List issued tokens\n    read      Read an issued token\n    revoke    Revoke issued \
         tokens\n"
    ));
    let own = |verb: &str| {
        let page = peering(&["issued", verb, "-h"], &[]).stdout;
        let (head, rest) = page.split_once("HTTP API Options\n").unwrap();
        format!("{head}{}", rest.split_once("Command Options\n").unwrap().1)
    };
    assert_eq!(own("list"), LIST_HELP);
    assert_eq!(own("read"), READ_HELP);
    assert_eq!(own("revoke"), REVOKE_HELP);
}

const LIST_HELP: &str = "\
Usage: peering issued list [options]

  List the peering tokens that were issued, in the order of their issue, with what
  became of each: unused, redeemed, superseded by a newer one, expired or revoked.
  Tokens that ended are listed until the server sweeps them, those of deleted
  peerings too.

  Example:

    $ peering issued list -peer cluster-02 -state unused,redeemed


  -format=<string>
     How the list is printed: pretty or json.

  -partition=<default>
     Admin partition to work in. Consul Enterprise alone has more
     than `default`, and other servers refuse this flag. Also
     PEERING_PARTITION or CONSUL_PARTITION.

  -peer=<string>
     List the tokens for this peer alone.

  -state=<string>
     List tokens in these states alone, separated by commas: unused,
     redeemed, superseded, expired, revoked.
";

const READ_HELP: &str = "\
Usage: peering issued read [options] ID

  Show what is known of one issued token: for whom and by whom it was issued, and
  when and from where it was redeemed.

  Example:

    $ peering issued read 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d


  -format=<string>
     How the token is printed: pretty or json.

  -partition=<default>
     Admin partition to work in. Consul Enterprise alone has more
     than `default`, and other servers refuse this flag. Also
     PEERING_PARTITION or CONSUL_PARTITION.
";

const REVOKE_HELP: &str = "\
Usage: peering issued revoke [options] ID...
       peering issued revoke [options] -all

  Take peering tokens back. A token that was not used becomes void. If it was
  redeemed, its stream secret becomes void, unless the peer has used that already:
  then only 'peering delete' ends the peering. Running peerings are not disturbed.

  Examples:

    $ peering issued revoke 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d

  See what would be revoked of all tokens that are older than a day:

    $ peering issued revoke -all -older-than 24h -dry-run


  -all
     Revoke every token that can be: the unused ones, and those whose
     stream secret was not used.

  -dry-run
     With -all: show what would be revoked, and revoke nothing.

  -format=<string>
     How it is told what was revoked: pretty or json.

  -older-than=<duration>
     With -all: revoke tokens alone that were issued at least this
     `duration` ago, such as 24h.

  -partition=<default>
     Admin partition to work in. Consul Enterprise alone has more
     than `default`, and other servers refuse this flag. Also
     PEERING_PARTITION or CONSUL_PARTITION.

  -peer=<string>
     With -all: revoke the tokens for this peer alone.
";
