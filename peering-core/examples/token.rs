//! Makes a peering token, as an acceptor does, and reads it, as a dialer does.
//!
//! Run it with `cargo run -p peering-core --example token`.

use std::error::Error;

use jiff::Timestamp;
use peering_core::remote::RemoteInfo;
use peering_core::secret::EstablishmentSecret;
use peering_core::token::{PeeringToken, UnverifiedToken, inspect};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // The caller brings time and randomness; a real acceptor draws the sixteen bytes and puts its own roots into `ca`.
    let now: Timestamp = "2030-01-01T00:00:00Z".parse()?;
    let token = PeeringToken {
        ca: Vec::new(),
        manual_server_addresses: vec!["cluster-01.example.com:8503".into()],
        server_addresses: vec!["10.0.0.5:8503".into()],
        server_name: "server.dc1.peering.11111111-2222-3333-4444-555555555555.consul".into(),
        peer_id: "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d".into(),
        establishment_secret: EstablishmentSecret::from_random([7; 16]),
        remote: RemoteInfo { datacenter: "dc1".into(), ..RemoteInfo::default() },
        peer_name: Some("cluster-02".into()),
        token_id: None,
        meta: [("env".to_owned(), "test".to_owned())].into(),
        expires_at: Some("2030-01-02T00:00:00Z".parse()?),
    };
    let text = token.encode();
    println!("hand this over: {text}");

    let verified = UnverifiedToken::decode(&text)?.verify(now)?;
    println!("dial {} for peering {}", verified.dial_addresses()[0], verified.remote_id);
    match &verified.trust {
        Some(trust) => println!("trust {} root certificates", trust.roots().len()),
        None => println!("there is no CA in it: a server dials this only with -allow-plaintext"),
    }
    for finding in inspect(&text, now).findings {
        println!("{}: {}; {}", finding.severity.as_str(), finding.cause, finding.next_step);
    }

    let refused = UnverifiedToken::decode(&text)?.verify("2030-01-02T00:00:00Z".parse()?).err();
    assert_eq!(
        refused.map(|error| error.to_string()).as_deref(),
        Some("peering token expired at 2030-01-02T00:00:00Z; generate a new token")
    );
    Ok(())
}
