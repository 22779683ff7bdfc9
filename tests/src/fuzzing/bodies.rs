//! Bodies of HTTP: requests as the server reads them, answers as the command line does.

use std::fmt::Debug;

use peering_core::api::body::{decode_establish, decode_generate_token};
use peering_core::api::v1::{EstablishRequest, GenerateTokenRequest, GenerateTokenResponse, Peering};
use peering_core::duration::GoDuration;
use peering_core::gojson;
use peering_core::meta::Meta;
use peering_core::name::PeerName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::is_fit_to_show;

/// Longest answer to a body that cannot be read: it repeats a text of 1 KiB, twice at most, four bytes for each byte.
const ANSWER_BYTES_MAX: usize = 9 << 10;

/// Keys and pieces of a body.
pub(super) const WORDS: [&str; 20] = [
    "{\"PeerName\":\"",
    "\"peername\":",
    "\"Partition\":\"\"",
    "\"Meta\":{\"a\":\"b\"}",
    "\"ServerExternalAddresses\":[\"h:1\"]",
    "\"TTL\":\"1h30m\"",
    "\"PeeringToken\":\"e30=\"",
    "{\"ID\":\"\",\"Name\":\"\"",
    "\"StreamStatus\":{\"ImportedServices\":null}",
    "\"LastHeartbeat\":\"2026-01-01T00:00:00.5Z\"",
    "\"Remote\":{\"Locality\":{\"Region\":\"\"}}",
    "\"CreateIndex\":18446744073709551615",
    "null",
    "1e999",
    "\\ud800",
    "\u{202e}",
    "\u{0}",
    "[[[[[[[[[[[[[[[[",
    "K",
    "9223372036854775807ns",
];

/// Checks bytes as every body that there is.
pub fn check(data: &[u8]) {
    match decode_generate_token(data) {
        Ok(request) => {
            assert_eq!(decode_generate_token(&written(&request)).unwrap(), request);
            check_request(&request);
        }
        Err(error) => is_refused_well(data, &error.to_string()),
    }
    match decode_establish(data) {
        Ok(request) => {
            assert!(decode_establish(&written(&request)).unwrap() == request, "an establish body changes on its way");
            assert!(bytes_of(&request) <= 3 * data.len());
        }
        Err(error) => is_refused_well(data, &error.to_string()),
    }
    is_read_again_as_the_same::<GenerateTokenRequest>(data);
    is_read_again_as_the_same::<Peering>(data);
    is_read_again_as_the_same::<Vec<Peering>>(data);
    if let Ok(answer) = serde_json::from_slice::<GenerateTokenResponse>(data) {
        let again: GenerateTokenResponse = serde_json::from_slice(&written(&answer)).unwrap();
        assert!(again == answer, "an answer with a token changes on its way");
    }
}

/// What the server does with a request before it looks at its store.
fn check_request(request: &GenerateTokenRequest) {
    if let Some(ttl) = &request.ttl {
        match GoDuration::parse(ttl) {
            Ok(duration) => assert_eq!(GoDuration::parse(&duration.to_string()), Ok(duration)),
            Err(error) => is_fit_to_show(&error.to_string(), ANSWER_BYTES_MAX),
        }
    }
    match PeerName::parse(&request.peer_name) {
        Ok(name) => assert_eq!(PeerName::parse(name.as_str()).unwrap(), name),
        Err(error) => is_short(&error.to_string()),
    }
    match Meta::parse(request.meta.clone()) {
        Ok(meta) => assert_eq!(meta.pairs(), &request.meta),
        Err(error) => is_short(&error.to_string()),
    }
}

/// Checks a text that repeats the caller's own name or pair to the caller, raw, as Consul does. Whoever prints it escapes
/// it.
fn is_short(text: &str) {
    assert!(text.len() <= ANSWER_BYTES_MAX, "an answer repeats {} bytes", text.len());
}

fn is_refused_well(data: &[u8], text: &str) {
    assert!(text.starts_with("Body decoding failed: "), "{text}");
    is_fit_to_show(text, ANSWER_BYTES_MAX.min(256 + 8 * data.len()));
}

fn is_read_again_as_the_same<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(data) else { return };
    let text = written(&value);
    assert_eq!(serde_json::from_slice::<T>(&text).unwrap(), value);
    let pretty = gojson::to_string_pretty(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&pretty).unwrap(), value);
}

fn written(value: &impl Serialize) -> Vec<u8> {
    gojson::to_string(value).unwrap().into_bytes()
}

fn bytes_of(request: &EstablishRequest) -> usize {
    let pairs: usize = request.meta.iter().map(|(key, value)| key.len() + value.len()).sum();
    request.peer_name.len() + request.peering_token.len() + request.partition.len() + pairs
}
