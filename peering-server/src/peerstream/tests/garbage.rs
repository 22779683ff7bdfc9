//! What answers instead of an acceptor: bytes of a stranger, of which an operator reads the category.

use peering_core::foreign::may_deceive;
use peering_core::peering::state::Reported;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::clock::soon;
use super::foreign_acceptor::{ForeignAcceptor, Manners, Mode};
use super::home::Home;

/// Bytes that must be read by nobody.
const MARK: &str = "\u{1b}[2JMARK\u{202e}";

/// An HTTP/2 frame without flags on the connection itself.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0, 0, 0, 0, 0], payload].concat()
}

/// A good-bye for every stream, with a reason and bytes for whoever debugs.
fn go_away(reason: u8, debug_data: &[u8]) -> Vec<u8> {
    let settings = frame(4, &[]);
    let payload = [&[0, 0, 0, 0, 0, 0, 0, reason], debug_data].concat();
    [settings, frame(7, &payload)].concat()
}

/// Answers every connection with these bytes, once something was said on it.
async fn answering(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let _ = socket.read_buf(&mut Vec::with_capacity(1 << 14)).await;
                let _ = socket.write_all(&bytes).await;
                // Closed after the rest was read, since a reset would overtake what was written.
                let _ = socket.shutdown().await;
                let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
            });
        }
    });
    address
}

/// Uses a token that leads to these bytes, and looks at what an operator reads.
async fn establish_with(bytes: Vec<u8>) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
    let home = Home::start_with("dc1", Default::default(), |config| config.allow_plaintext = true).await;
    let address = answering(bytes).await;
    let acceptor = ForeignAcceptor::start().await;
    let mut token = acceptor.token(&[address]);
    token.ca.clear();
    let failed = soon("a failure", home.establish("peer", &token.encode())).await.unwrap_err().to_string();
    assert!(failed.contains("failed to exchange peering secret through address"), "{shown:?}: {failed}");
    assert!(!failed.contains("MARK"), "{shown:?}: {failed}");
    assert!(!failed.chars().any(|c| may_deceive(c) && !matches!(c, '\n' | '\t')), "{failed:?}");
    assert_eq!(home.state("peer").await, Some(Reported::Pending));
}

#[tokio::test]
async fn what_is_no_acceptor_is_named_by_its_category_and_none_of_its_bytes() {
    let http = format!("HTTP/1.1 403 {MARK}\r\nServer: {MARK}\r\nContent-Length: 3\r\n\r\n{MARK}");
    let cases = [
        go_away(0, MARK.as_bytes()),
        go_away(11, MARK.as_bytes()),
        http.into_bytes(),
        MARK.repeat(10_000).into_bytes(),
        frame(4, MARK.as_bytes()),
        vec![],
    ];
    // Side by side, since each is tried again for three seconds.
    for case in cases.map(|bytes| tokio::spawn(establish_with(bytes))) {
        case.await.unwrap();
    }
}

#[tokio::test]
async fn what_answers_a_redial_instead_of_the_acceptor_is_named_by_its_category_too() {
    let home = Home::start("dc1").await;
    let manners = Manners { after_exchange: Mode::Stall, ..Manners::default() };
    let mut acceptor = ForeignAcceptor::start_with(manners).await;
    home.establish("peer", &acceptor.token_text()).await.unwrap();
    let mut socket = acceptor.stalled().await;
    socket.read_buf(&mut Vec::with_capacity(1 << 14)).await.unwrap();
    socket.write_all(format!("HTTP/1.1 200 {MARK}\r\n\r\n{MARK}").as_bytes()).await.unwrap();
    let error = async || home.last_error("peer").await;
    super::clock::until("the failure is shown", async || error().await.is_some()).await;
    let category = "the TLS handshake failed: what answered does not speak TLS: is this the TLS port of the peer?";
    assert_eq!(error().await.unwrap(), format!("{}: {category}", acceptor.address()));
}

#[tokio::test]
async fn an_address_in_a_failure_is_cut() {
    let home = Home::start("dc1").await;
    let acceptor = ForeignAcceptor::start().await;
    let address = format!("{}\u{202e}\n{}:8503", "a".repeat(100), "b".repeat(100_000));
    let failed = home.establish("peer", &acceptor.token(&[address]).encode()).await.unwrap_err().to_string();
    assert!(failed.lines().all(|line| line.len() < 2_000), "{}", failed.len());
    assert!(failed.contains(r"\u202e\n") && !failed.contains('\u{202e}'), "{failed}");
}
