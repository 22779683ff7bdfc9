//! The verbs against servers of ours: what they print for people and for programs, and how they exit.

use peering_tests::eventually::eventually;
use peering_tests::process::Signal;
use peering_tests::site::{HEALED_WITHIN, Site};
use serde_json::Value;

use crate::under_test::program;

/// What is said of a token that leads to a loopback address.
const WARNING: &str = "Warning: address \"<address>\" can be reached from this machine only; set -advertise or -server-external-addresses\n";

#[tokio::test]
async fn a_peering_is_made_looked_at_and_ended_by_hand() {
    let program = program();
    let (first, second) = tokio::join!(Site::start(&program, "dc1"), Site::start(&program, "dc2"));

    // 1. There is nothing yet, which is no failure.
    first.ask(&["list"]).await.expect(0, "There are no peering connections.\n", "");
    first.ask(&["list", "-format", "json"]).await.expect(0, "[]\n", "");

    // 2. A token is printed bare, or as JSON; what is wrong with it goes to standard error.
    #[rustfmt::skip]
    let generate = ["generate-token", "-name", "cluster-02", "-meta", "env=test", "-meta", "team=a b"];
    let generated = first.ask(&generate).await;
    generated.clone().expect(0, "<token>\n", WARNING);
    first.ask(&["read", "-name", "cluster-02"]).await.expect(0, PENDING, "");
    let json = first.ask(&["generate-token", "-name", "cluster-02", "-format", "json"]).await;
    json.clone().expect(0, "{\"PeeringToken\":\"<token>\"}\n", WARNING);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let token = json["PeeringToken"].as_str().unwrap();
    assert_ne!(token, generated.stdout.trim_end(), "each token is another");

    // 3. It is used from standard input, waiting for the stream.
    let establish = ["establish", "-name", "cluster-01", "-peering-token-file", "-", "-wait", "30s"];
    second.ask_with_input(&establish, token).await.expect(
        0,
        "Successfully established peering connection with cluster-01\n\
         The peering connection with cluster-01 is ACTIVE\n",
        "",
    );

    // 4. Both sides show the peering, for people and for programs.
    settled(&first, "cluster-02").await;
    settled(&second, "cluster-01").await;
    first.ask(&["list"]).await.expect(0, LIST, "");
    first.ask(&["read", "-name", "cluster-02"]).await.marking(NEVER, AT_SOME_TIME).expect(0, ACCEPTED, "");
    second.ask(&["read", "-name", "cluster-01"]).await.expect(0, DIALED, "");
    let list = first.ask(&["list", "-format", "json"]).await.marking(NEVER_JSON, AT_SOME_TIME_JSON);
    list.expect(0, &format!("[{ACCEPTED_JSON}]\n"), "");
    second.ask(&["read", "-name", "cluster-01", "-format", "json"]).await.expect(0, &format!("{DIALED_JSON}\n"), "");

    // 5. It ends, here and there.
    let submitted = "Successfully submitted peering connection, cluster-01, for deletion\n";
    second.ask(&["delete", "-name", "cluster-01"]).await.expect(0, submitted, "");
    second.reaches("cluster-01", "absent").await;
    first.reaches("cluster-02", "TERMINATED").await;

    // 6. Misuse: what is gone cannot be read; deleting it again is allowed, as in Consul.
    let absent = "No peering with name cluster-01 found.\n";
    second.ask(&["read", "-name", "cluster-01"]).await.expect(1, "", absent);
    second.ask(&["delete", "-name", "cluster-01"]).await.expect(0, submitted, "");
}

#[tokio::test]
async fn what_a_server_refuses_is_shown_with_its_text_and_exit_code_1() {
    let site = Site::start(&program(), "dc1").await;
    let token = site.generate_token("cluster-02").await;
    let establish = ["establish", "-name", "cluster-01", "-peering-token-file", "-"];
    for (words, input, refusal) in [
        (
            &["generate-token", "-name", "Bad"][..],
            "",
            "Error generating peering token for Bad: Unexpected response code: 500 (Bad is not a valid peer name: a valid \
             peering name must consist of lower case alphanumeric characters or '-', and must start and end with an \
             alphanumeric character)\n",
        ),
        (
            &establish,
            "no token",
            "Error establishing peering for cluster-01: Unexpected response code: 500 (failed to decode token: illegal \
             base64 data at input byte 2)\n\
             Note: it has the form of no token that is known here: check that the right text or file was given, or ask \
             whoever gave it to you what it is; peering inspect tells more\n",
        ),
        (
            &establish,
            &token,
            "Error establishing peering for cluster-01: Unexpected response code: 500 (cannot create a peering within \
             the same cluster \"server.dc1.peering.<id>.consul\". Refer to the `exported-services` documentation if you \
             want to export between partitions without peering)\n",
        ),
        (&establish, " \n", "Error reading the peering token from standard input: there is none\n"),
        (&establish[..3], "", "Missing the required -peering-token flag\n"),
        (&["read", "-name", "nope"], "", "No peering with name nope found.\n"),
        (&["read"], "", "Missing the required -name flag\n"),
        (&["list", "-format", "toml"], "", "Invalid format, valid formats are {json|pretty}\n"),
    ] {
        site.ask_with_input(words, input).await.expect(1, "", refusal);
    }
    assert_eq!(site.state("cluster-01").await, "absent", "a refusal leaves nothing behind");
}

#[tokio::test]
async fn an_acceptor_that_cannot_be_reached_is_named_with_the_reason() {
    let program = program();
    let (mut first, second) = tokio::join!(Site::start(&program, "dc1"), Site::start(&program, "dc2"));
    let token = first.generate_token("cluster-02").await;
    let establish = ["establish", "-name", "cluster-01", "-peering-token-file", "-", "-wait", "30s"];
    second.ask_with_input(&establish, &token).await.success();

    // The acceptor goes away: what it would answer about the spent token cannot be known any more.
    first.stop(Signal::KILL).await;
    let refused = second.ask_with_input(&establish, &token).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    let expected = "Error establishing peering for cluster-01: Unexpected response code: 503 (";
    assert!(refused.stderr.starts_with(expected), "{refused:?}");
    let address = first.peer_address();
    let reason =
        format!("failed to exchange peering secret through address \"{address}\": rpc error: code = Unavailable");
    assert!(refused.stderr.contains(&reason), "{refused:?}");
}

/// Waits until the first exchange over a new stream is over: the other side's roots are here, and for the dialer a
/// heartbeat, which the acceptor sends at once.
async fn settled(site: &Site, name: &str) {
    eventually(HEALED_WITHIN, async || {
        let peering = site.read(name).await.unwrap();
        let has_roots = peering.peer_ca_pems.is_some();
        let has_heartbeat = peering.peer_id.is_empty() || peering.stream_status.last_heartbeat.is_some();
        let is_settled = peering.state == "ACTIVE" && has_roots && has_heartbeat;
        if is_settled { Ok(()) } else { Err(format!("{peering:?}")) }
    })
    .await;
}

const PENDING: &str = "\
Name:         cluster-02
ID:           <id>
State:        PENDING
Meta:
    env=test
    team=a b

Peer ID:               \n\
Peer Server Name:      \n\
Peer CA Pems:          0

Imported Services: 0
Exported Services: 0

Last Heartbeat:    <nil>
Last Send:         <nil>
Last Receive:      <nil>

Create Index: <index>
Modify Index: <index>

";

const LIST: &str = "\
Name        State   Imported Svcs  Exported Svcs  Meta
cluster-02  ACTIVE  0              0              env=test,team=a b
";

/// Whether the dialer's first heartbeat has arrived is a matter of chance.
const NEVER: &str = "Last Heartbeat:    <nil>";
const AT_SOME_TIME: &str = "Last Heartbeat:    <time>";
const NEVER_JSON: &str = r#""LastHeartbeat":null"#;
const AT_SOME_TIME_JSON: &str = r#""LastHeartbeat":"<time>""#;

const ACCEPTED: &str = "\
Name:         cluster-02
ID:           <id>
State:        ACTIVE
Meta:
    env=test
    team=a b

Peer ID:               \n\
Peer Server Name:      \n\
Peer CA Pems:          1

Imported Services: 0
Exported Services: 0

Last Heartbeat:    <time>
Last Send:         <time>
Last Receive:      <time>

Create Index: <index>
Modify Index: <index>

Detail:
    Last Frame Received: <age> ago
    Last Frame Sent:     <age> ago
    Transitions:
        <time>  PENDING → ACTIVE  peer-heard

";

const DIALED: &str = "\
Name:         cluster-01
ID:           <id>
State:        ACTIVE

Peer ID:               <id>
Peer Server Name:      server.dc1.peering.<id>.consul
Peer CA Pems:          1
Peer Server Addresses:
    <address>
Imported Services: 0
Exported Services: 0

Last Heartbeat:    <time>
Last Send:         <time>
Last Receive:      <time>

Create Index: <index>
Modify Index: <index>

Detail:
    Last Frame Received: <age> ago
    Last Frame Sent:     <age> ago
    Transitions:
        <time>  PENDING → ESTABLISHING  secret-exchanged
        <time>  ESTABLISHING → ACTIVE   peer-heard

";

const ACCEPTED_JSON: &str = concat!(
    r#"{"ID":"<id>","Name":"cluster-02","Meta":{"env":"test","team":"a b"},"State":"ACTIVE","#,
    r#""PeerCAPems":["<certificate>\n"],"StreamStatus":{"ImportedServices":null,"ExportedServices":null,"#,
    r#""LastHeartbeat":"<time>","LastReceive":"<time>","LastSend":"<time>"},"CreateIndex":<index>,"ModifyIndex":<index>,"#,
    r#""Remote":{"Partition":"","Datacenter":"dc2"},"Detail":{"LastReceiveAge":"<age>","LastSendAge":"<age>","#,
    r#""Transitions":[{"Time":"<time>","From":"PENDING","To":"ACTIVE","Cause":"peer-heard"}]}}"#
);

const DIALED_JSON: &str = concat!(
    r#"{"ID":"<id>","Name":"cluster-01","State":"ACTIVE","PeerID":"<id>","PeerCAPems":["<certificate>\n"],"#,
    r#""PeerServerName":"server.dc1.peering.<id>.consul","PeerServerAddresses":["<address>"],"#,
    r#""StreamStatus":{"ImportedServices":null,"ExportedServices":null,"#,
    r#""LastHeartbeat":"<time>","LastReceive":"<time>","LastSend":"<time>"},"CreateIndex":<index>,"ModifyIndex":<index>,"#,
    r#""Remote":{"Partition":"","Datacenter":"dc1"},"Detail":{"LastReceiveAge":"<age>","LastSendAge":"<age>","#,
    r#""Transitions":[{"Time":"<time>","From":"PENDING","To":"ESTABLISHING","Cause":"secret-exchanged"},"#,
    r#"{"Time":"<time>","From":"ESTABLISHING","To":"ACTIVE","Cause":"peer-heard"}]}}"#
);
