//! Hostile input to the whole program: from the network, and in what it carries.

mod answers;
mod crowds;
mod floods;
mod garbage;
mod http2;
mod peers;
mod replay;
mod slow;
mod tokens;

/// The long-lived call of the peer listener.
const STREAM: &str = "/hashicorp.consul.internal.peerstream.PeerStreamService/StreamResources";
/// Its short one.
const EXCHANGE: &str = "/hashicorp.consul.internal.peerstream.PeerStreamService/ExchangeSecret";

/// Returns the id of a client's HTTP/2 stream, counted from 0.
fn stream(number: u32) -> u32 {
    number * 2 + 1
}
