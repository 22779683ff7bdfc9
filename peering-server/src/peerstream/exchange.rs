//! Asks an acceptor for a stream secret, on a connection of its own.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;

use async_trait::async_trait;
use peering_core::address::ServerAddress;
use peering_core::foreign;
use peering_core::peerstream::{PEER_MESSAGE_CHARS_MAX, Refusal, Said, Trouble};
use peering_core::secret::StreamSecret;
use tokio::time::timeout;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Request, Status};

use super::accept::REDEMPTION_KEY;
use super::channel::{self, ChannelError};
use super::proto::peerstream::ExchangeSecretRequest;
use crate::bounds::EXCHANGE_MAX;
use crate::causes::chain;
use crate::clock::Clock;
use crate::dial::{DialError, Dialer};
use crate::service::establish::{CallCode, CallError, ExchangeAsk, ExchangeClient};

/// Exchanges secrets over gRPC.
pub(crate) struct GrpcExchange {
    pub(crate) dialer: Dialer,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl ExchangeClient for GrpcExchange {
    async fn exchange(&self, ask: ExchangeAsk<'_>) -> Result<StreamSecret, CallError> {
        let mut client = channel::open(&self.dialer, &self.clock, ask.dialed, ask.roots, ask.address)
            .await
            .map_err(|error| channel_error(&error, ask.address))?;
        let mut request = Request::new(ExchangeSecretRequest {
            peer_id: ask.dialed.remote_id.clone(),
            establishment_secret: ask.establishment.expose().to_owned(),
        });
        let redemption = AsciiMetadataValue::try_from(ask.redemption.expose()).map_err(|_| {
            let message = "the redemption is not ASCII".to_owned();
            CallError { code: CallCode::Internal, trouble: Trouble::Internal, message }
        })?;
        request.metadata_mut().insert(REDEMPTION_KEY, redemption);
        let answer = timeout(EXCHANGE_MAX, client.exchange_secret(request)).await.map_err(|_| CallError {
            code: CallCode::Unavailable,
            trouble: Trouble::DialTimeout,
            message: format!("no answer within {} s", EXCHANGE_MAX.as_secs()),
        })?;
        let answer = answer.map_err(|status| call_error(&status))?;
        Ok(StreamSecret::from_text(answer.into_inner().stream_secret))
    }
}

fn channel_error(error: &ChannelError, address: &ServerAddress) -> CallError {
    let (code, message) = match error {
        ChannelError::Roots(_) | ChannelError::ServerName => (CallCode::Setup, chain(error)),
        // In the words of gRPC's Go library, for which operators search.
        ChannelError::Dial(DialError::Connect(cause)) if cause.kind() == ErrorKind::ConnectionRefused => {
            let address = foreign::escaped(address.as_str(), PEER_MESSAGE_CHARS_MAX);
            let what = format!("Error while dialing: dial tcp {address}: connect: connection refused");
            (CallCode::Unavailable, format!("connection error: desc = \"transport: {what}\""))
        }
        ChannelError::Dial(_) | ChannelError::Http(_) => (CallCode::Unavailable, chain(error)),
    };
    CallError { code, trouble: error.trouble(), message }
}

fn call_error(status: &Status) -> CallError {
    let code = match status.code() {
        Code::Unavailable => CallCode::Unavailable,
        Code::PermissionDenied => CallCode::PermissionDenied,
        Code::ResourceExhausted => CallCode::ResourceExhausted,
        Code::Internal => CallCode::Internal,
        _ => CallCode::Unknown,
    };
    let trouble = match status.code() {
        Code::PermissionDenied => Trouble::TokenRefused,
        // The status was made here, of what became of the connection.
        _ if status.source().is_some() => Trouble::ConnectionLost,
        code => Trouble::of(&Refusal::from_peer(code as i32, status.message()), Said::Peer),
    };
    CallError { code, trouble, message: foreign::escaped(status.message(), PEER_MESSAGE_CHARS_MAX) }
}
