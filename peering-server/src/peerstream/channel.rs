//! A gRPC channel to one address of a peer, over a connection of ours.

use std::sync::Arc;

use peering_core::address::ServerAddress;
use peering_core::peering::Dialed;
use peering_core::peerstream::Trouble;
use thiserror::Error;
use tonic::transport::{Channel, Endpoint};

use super::proto::peerstream::peer_stream_service_client::PeerStreamServiceClient;
use crate::bounds::{DIALER_PING_INTERVAL, DIALER_PING_TIMEOUT, FRAME_BYTES_MAX};
use crate::clock::Clock;
use crate::dial::connect::once;
use crate::dial::{AddressOrigin, DialError, DialSecurity, Dialer};
use crate::tls::{RootsError, client_config};

/// Why there is no channel.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum ChannelError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// No root to trust.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The server name of the token is no DNS name.
    #[error("the server name of the peering token is not a DNS name; ask the peer for a new token")]
    ServerName,
    /// The connection was made and HTTP/2 did not start on it.
    #[error("HTTP/2 could not be started with the peer")]
    Http(#[source] tonic::transport::Error),
}

impl ChannelError {
    /// Sorts it.
    pub(super) fn trouble(&self) -> Trouble {
        match self {
            Self::Dial(error) => error.trouble(),
            Self::Roots(_) => Trouble::RootsUnusable,
            Self::ServerName => Trouble::ServerNameInvalid,
            Self::Http(_) => Trouble::Http2Failed,
        }
    }
}

/// Opens a channel to one address of a peer.
pub(super) async fn open(
    dialer: &Dialer,
    clock: &Arc<dyn Clock>,
    dialed: &Dialed,
    roots: &[String],
    address: &ServerAddress,
) -> Result<PeerStreamServiceClient<Channel>, ChannelError> {
    let security = if dialed.plaintext {
        DialSecurity::Plaintext
    } else {
        let clock = Arc::clone(clock);
        let config = client_config(roots.iter().map(String::as_str), move || clock.now())?;
        DialSecurity::tls(config, &dialed.server_name).map_err(|_| ChannelError::ServerName)?
    };
    let origin = if dialed.token_addresses.contains(address) {
        AddressOrigin::Token
    } else {
        AddressOrigin::Stream { nearest_in_token: dialer.nearest(&dialed.token_addresses).await }
    };
    let socket = dialer.dial(address, origin, &security).await?;
    let channel =
        endpoint(&dialed.server_name).connect_with_connector(once(socket)).await.map_err(ChannelError::Http)?;
    Ok(PeerStreamServiceClient::new(channel)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX))
}

/// Says how to speak with the acceptor of this name.
fn endpoint(server_name: &str) -> Endpoint {
    // The authority is not looked at by any acceptor; a name that cannot stand in a URI is replaced.
    Endpoint::from_shared(format!("http://{server_name}"))
        .unwrap_or_else(|_| Endpoint::from_static("http://peer"))
        .http2_keep_alive_interval(DIALER_PING_INTERVAL)
        .keep_alive_timeout(DIALER_PING_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use http::{Request, Uri};
    use hyper_util::rt::TokioIo;
    use tower::ServiceExt;

    use super::*;
    use crate::listen::wire::Wire;

    #[tokio::test(start_paused = true)]
    async fn an_acceptor_that_says_nothing_is_asked_and_left_when_it_does_not_answer() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let mut near = Some(TokioIo::new(near));
        let once =
            tower::service_fn(move |_: Uri| std::future::ready(near.take().ok_or_else(std::io::Error::last_os_error)));
        let channel = endpoint("peer").connect_with_connector(once).await.unwrap();
        let request = Request::post("http://peer/").body(tonic::body::Body::empty()).unwrap();
        let call = tokio::spawn(channel.clone().oneshot(request));
        Wire::server(far).await.expect_pings(DIALER_PING_INTERVAL, DIALER_PING_TIMEOUT).await;
        call.await.unwrap().unwrap_err();
    }
}
