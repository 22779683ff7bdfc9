//! Frames ⇄ protobuf messages. What a frame means is decided in core; here it only changes its shape.

use peering_core::peerstream::{Frame, Open, Operation, Refusal, Request, ResourceUrl, Response};
use peering_core::remote::{Locality, RemoteInfo};
use peering_core::secret::StreamSecret;
use prost::Message;
use thiserror::Error;

use super::proto::peerstream::replication_message::{self as message, Payload};
use super::proto::peerstream::{Operation as WireOperation, ReplicationMessage};
use super::proto::{common, peering, status};
use super::resource;
use crate::bounds::FRAME_BYTES_MAX;

/// Says that a frame of ours cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum EncodeError {
    /// It is larger than any peer accepts; the resource in it must shrink.
    #[error("a frame may have {FRAME_BYTES_MAX} bytes, got {bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// This edge does not know its kind.
    #[error("a frame of this kind has no wire form")]
    Kind,
}

/// Gives a frame its wire form.
///
/// # Errors
/// [`EncodeError`] if no peer could take it.
///
/// # Security
/// The message of an `Open` holds the stream secret in clear; its `Debug` does not show it.
pub(crate) fn encode(frame: Frame) -> Result<ReplicationMessage, EncodeError> {
    let payload = match frame {
        Frame::Open(open) => Payload::Open(encode_open(open)),
        Frame::Request(request) => Payload::Request(encode_request(request)),
        Frame::Response(response) => Payload::Response(encode_response(response)?),
        Frame::Terminated => Payload::Terminated(message::Terminated {}),
        Frame::Heartbeat => Payload::Heartbeat(message::Heartbeat {}),
        _ => return Err(EncodeError::Kind),
    };
    let message = ReplicationMessage { payload: Some(payload) };
    let bytes = message.encoded_len();
    if bytes > FRAME_BYTES_MAX { Err(EncodeError::TooLarge { bytes }) } else { Ok(message) }
}

/// Reads a frame. Every message is one; what is wrong with it is for core to say.
pub(crate) fn decode(message: ReplicationMessage) -> Frame {
    match message.payload {
        Some(Payload::Open(open)) => Frame::Open(decode_open(open)),
        Some(Payload::Request(request)) => Frame::Request(decode_request(request)),
        Some(Payload::Response(response)) => Frame::Response(decode_response(response)),
        Some(Payload::Terminated(_)) => Frame::Terminated,
        Some(Payload::Heartbeat(_)) => Frame::Heartbeat,
        None => Frame::Unknown,
    }
}

fn encode_open(open: Open) -> message::Open {
    let RemoteInfo { partition, datacenter, locality } = open.remote;
    let locality = locality.map(|Locality { region, zone }| common::Locality { region, zone });
    message::Open {
        peer_id: open.peer_id,
        stream_secret_id: open.secret.expose().to_owned(),
        remote: Some(peering::RemoteInfo { partition, datacenter, locality }),
    }
}

fn decode_open(open: message::Open) -> Open {
    let peering::RemoteInfo { partition, datacenter, locality } = open.remote.unwrap_or_default();
    let locality = locality.map(|common::Locality { region, zone }| Locality { region, zone });
    Open {
        peer_id: open.peer_id,
        secret: StreamSecret::from_text(open.stream_secret_id),
        remote: RemoteInfo { partition, datacenter, locality },
    }
}

fn encode_request(request: Request) -> message::Request {
    let error = request.error.map(|Refusal { code, message }| status::Status { code: code.number(), message });
    message::Request {
        peer_id: request.peer_id,
        response_nonce: request.nonce,
        resource_url: request.url.as_str().to_owned(),
        error,
    }
}

fn decode_request(request: message::Request) -> Request {
    Request {
        peer_id: request.peer_id,
        nonce: request.response_nonce,
        url: ResourceUrl::from_text(&request.resource_url),
        error: request.error.map(|status| Refusal::from_peer(status.code, &status.message)),
    }
}

fn encode_response(response: Response) -> Result<message::Response, EncodeError> {
    use peering_core::peerstream::Content;

    let resource = match response.content {
        Content::Resource(resource) => resource::encode(resource),
        _ => None,
    };
    Ok(message::Response {
        nonce: response.nonce,
        resource_url: response.url.as_str().to_owned(),
        resource_id: response.resource_id,
        resource: Some(resource.ok_or(EncodeError::Kind)?),
        operation: match response.operation {
            Operation::Unspecified => WireOperation::Unspecified.into(),
            Operation::Upsert => WireOperation::Upsert.into(),
            Operation::Other(number) => number,
        },
    })
}

fn decode_response(response: message::Response) -> Response {
    let url = ResourceUrl::from_text(&response.resource_url);
    let content = resource::decode(&url, response.resource);
    let operation = match WireOperation::try_from(response.operation) {
        Ok(WireOperation::Unspecified) => Operation::Unspecified,
        Ok(WireOperation::Upsert) => Operation::Upsert,
        Err(_) => Operation::Other(response.operation),
    };
    Response { nonce: response.nonce, url, resource_id: response.resource_id, operation, content }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::FRAME_BYTES_BEFORE_OPEN_MAX;
    use crate::peerstream::proto::peerstream::LeaderAddress;
    use peering_core::peerstream::{Content, ExportedService, Resource, StatusCode, TrustBundle};

    const ID: &str = "5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d";
    const SECRET: &str = "11111111-2222-3333-4444-555555555555";

    fn open() -> Frame {
        let remote = RemoteInfo { datacenter: "dc2".into(), ..RemoteInfo::default() };
        Frame::Open(Open { peer_id: ID.into(), secret: StreamSecret::from_text(SECRET), remote })
    }

    fn bytes(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn samples() -> Vec<(Frame, Vec<u8>)> {
        let services = ResourceUrl::ExportedService;
        let bundle = ResourceUrl::TrustBundle;
        vec![
            (Frame::Heartbeat, vec![0x2a, 0x00]),
            (Frame::Terminated, vec![0x22, 0x00]),
            (
                Frame::Request(Request::subscribe("", services.clone())),
                bytes(&[&[0x12, 0x4a, 0x1a, 0x48], services.as_str().as_bytes()]),
            ),
            (
                Frame::Request(Request::reply(bundle.clone(), "00000001".into(), Ok(()))),
                bytes(&[b"\x12\x54\x12\x0800000001\x1a\x48", bundle.as_str().as_bytes()]),
            ),
            (
                open(),
                bytes(&[b"\x0a\x53\x0a\x24", ID.as_bytes(), b"\x12\x24", SECRET.as_bytes(), b"\x1a\x05\x12\x03dc2"]),
            ),
        ]
    }

    #[test]
    fn frames_have_the_bytes_of_consul() {
        for (frame, expected) in samples() {
            assert_eq!(encode(frame.clone()).unwrap().encode_to_vec(), expected, "{frame:?}");
        }
        let lengths: Vec<_> = samples().iter().map(|(_, sample)| sample.len()).collect();
        assert_eq!(lengths, [2, 2, 76, 86, 85]);
    }

    #[test]
    fn the_bytes_of_consul_are_read_as_these_frames() {
        for (expected, sample) in samples() {
            assert_eq!(decode(ReplicationMessage::decode(sample.as_slice()).unwrap()), expected);
        }
    }

    #[test]
    fn a_leader_address_has_the_bytes_of_consul() {
        let address = LeaderAddress { address: "10.0.0.5:8300".into() };
        assert_eq!(address.encode_to_vec(), b"\x0a\x0d10.0.0.5:8300");
    }

    #[test]
    fn every_frame_round_trips_through_bytes() {
        let refusal = Refusal::new(StatusCode::Internal, "disk full");
        let locality = Some(Locality { region: "eu".into(), zone: String::new() });
        let remote = RemoteInfo { partition: "p".into(), datacenter: "dc1".into(), locality };
        let bundle = TrustBundle { trust_domain: "d.consul".into(), root_pems: vec!["pem\n".into()] };
        let service = ExportedService { instances: 0, encoded: vec![] };
        let responses = [
            Resource::TrustBundle(bundle),
            Resource::ServerAddresses(vec!["h:1".into()]),
            Resource::ExportedServiceList(vec![]),
            Resource::ExportedService(service),
        ];
        let mut frames = vec![
            Frame::Open(Open { peer_id: "x".into(), secret: StreamSecret::from_text(""), remote }),
            Frame::Request(Request::subscribe(ID, ResourceUrl::Unknown("a.b/C".into()))),
            Frame::Request(Request::reply(ResourceUrl::TrustBundle, "1".into(), Err(refusal))),
        ];
        frames.extend(responses.map(|resource| Frame::Response(Response::upsert("0000000a".into(), "id", resource))));
        for frame in frames {
            let sent = encode(frame.clone()).unwrap().encode_to_vec();
            assert_eq!(decode(ReplicationMessage::decode(sent.as_slice()).unwrap()), frame);
        }
    }

    #[test]
    fn an_empty_status_is_a_refusal_and_an_absent_one_is_none() {
        let read = |error: Option<status::Status>| {
            let request = message::Request { error, ..message::Request::default() };
            let sent = ReplicationMessage { payload: Some(Payload::Request(request)) }.encode_to_vec();
            match decode(ReplicationMessage::decode(sent.as_slice()).unwrap()) {
                Frame::Request(request) => request.error,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(read(None), None);
        assert_eq!(read(Some(status::Status::default())), Some(Refusal::new(StatusCode::Other(0), "")));
    }

    #[test]
    fn an_empty_message_and_one_of_an_unknown_kind_count_for_nothing() {
        for sample in [b"".as_slice(), b"\x3a\x00", b"\x3a\x02\x08\x01"] {
            assert_eq!(decode(ReplicationMessage::decode(sample).unwrap()), Frame::Unknown);
        }
    }

    #[test]
    fn operations_other_than_upsert_keep_their_number() {
        for (number, operation) in [(0, Operation::Unspecified), (1, Operation::Upsert), (2, Operation::Other(2))] {
            let response = message::Response { operation: number, ..message::Response::default() };
            assert_eq!(decode_response(response).operation, operation);
        }
    }

    #[test]
    fn a_frame_at_the_bound_is_sent_and_a_larger_one_is_not() {
        let of = |bytes: usize| {
            let pem = "x".repeat(bytes);
            let bundle = TrustBundle { trust_domain: "d".into(), root_pems: vec![pem] };
            encode(Frame::Response(Response::upsert("00000001".into(), "roots", Resource::TrustBundle(bundle))))
        };
        let overhead = of(FRAME_BYTES_MAX / 2).unwrap().encoded_len() - FRAME_BYTES_MAX / 2;
        assert_eq!(of(FRAME_BYTES_MAX - overhead).unwrap().encoded_len(), FRAME_BYTES_MAX);
        assert_eq!(of(FRAME_BYTES_MAX - overhead + 1), Err(EncodeError::TooLarge { bytes: FRAME_BYTES_MAX + 1 }));
    }

    #[test]
    fn frames_that_only_arrive_are_not_sent() {
        assert_eq!(encode(Frame::Unknown), Err(EncodeError::Kind));
        let mut response = Response::upsert("1".into(), "x", Resource::ServerAddresses(vec![]));
        response.content = Content::Absent;
        assert_eq!(encode(Frame::Response(response)), Err(EncodeError::Kind));
    }

    #[test]
    fn an_open_that_says_all_it_may_fits_before_acceptance() {
        let text = "x".repeat(peering_core::peerstream::REMOTE_FIELD_BYTES_MAX);
        let locality = Some(Locality { region: text.clone(), zone: text.clone() });
        let remote = RemoteInfo { partition: text.clone(), datacenter: text, locality };
        let frame = Frame::Open(Open { peer_id: ID.into(), secret: StreamSecret::from_text(SECRET), remote });
        assert!(encode(frame).unwrap().encoded_len() < FRAME_BYTES_BEFORE_OPEN_MAX / 8);
    }

    #[test]
    fn damaged_bytes_are_an_error_or_a_frame_that_round_trips() {
        let mut seed = 0x5eed_u64;
        let mut frames_read = 0;
        for round in 0..20_000 {
            let (_, mut sample) = samples().swap_remove(round % 5);
            for _ in 0..1 + round % 3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (seed >> 33) as usize % sample.len();
                sample[at] = (seed >> 24) as u8;
            }
            if let Ok(message) = ReplicationMessage::decode(sample.as_slice()) {
                frames_read += 1;
                let frame = decode(message);
                if let Ok(again) = encode(frame.clone()) {
                    assert_eq!(decode(again), frame, "round {round}");
                }
            }
        }
        assert!(frames_read > 1_000, "{frames_read}");
    }
}
