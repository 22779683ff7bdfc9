//! Request bodies, read and refused as Consul's agent does: by the rules of a Go `json.Decoder` that knows no other keys.

use thiserror::Error;

use super::v1::{EstablishRequest, GenerateTokenRequest};
use crate::gojson::{self, JsonError, Slot, Struct};

/// Says why a request body cannot be read. The text is the whole body of Consul's answer, which has status 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Body decoding failed: {cause}")]
#[non_exhaustive]
pub struct BodyError {
    /// What is wrong.
    pub cause: JsonError,
}

/// Reads the body of `POST /v1/peering/token`.
///
/// Keys match in any case, whatever follows the first JSON value is ignored, and `null` is an empty request. `TTL` is
/// ours; an empty one counts as absent.
///
/// # Errors
/// [`BodyError`] for a body that is empty or no JSON, an unknown key, or a value of another type.
///
/// # Examples
/// ```
/// use peering_core::api::body::decode_generate_token;
///
/// assert_eq!(decode_generate_token(br#"{"peername":"c2"}"#)?.peer_name, "c2");
/// let refused = decode_generate_token(br#"{"Peer":"c2"}"#).unwrap_err();
/// assert_eq!(refused.to_string(), r#"Body decoding failed: json: unknown field "Peer""#);
/// # Ok::<(), peering_core::api::body::BodyError>(())
/// ```
pub fn decode_generate_token(body: &[u8]) -> Result<GenerateTokenRequest, BodyError> {
    let mut request: GenerateTokenRequest = gojson::decode_first(body).map_err(|cause| BodyError { cause })?;
    request.ttl = request.ttl.filter(|ttl| !ttl.is_empty());
    Ok(request)
}

/// Reads the body of `POST /v1/peering/establish`.
///
/// # Errors
/// As for [`decode_generate_token`].
///
/// # Security
/// No error repeats the token.
pub fn decode_establish(body: &[u8]) -> Result<EstablishRequest, BodyError> {
    gojson::decode_first(body).map_err(|cause| BodyError { cause })
}

impl Struct for GenerateTokenRequest {
    const GO_TYPE: &'static str = "api.PeeringGenerateTokenRequest";
    const FIELDS: &'static [&'static str] = &["PeerName", "Partition", "Meta", "ServerExternalAddresses", "TTL"];

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "PeerName" => Slot::Text(&mut self.peer_name),
            "Partition" => Slot::Text(&mut self.partition),
            "Meta" => Slot::TextMap(&mut self.meta),
            "ServerExternalAddresses" => Slot::Texts(&mut self.server_external_addresses),
            "TTL" => Slot::OptionalText(&mut self.ttl),
            _ => Slot::Ignored,
        }
    }
}

impl Struct for EstablishRequest {
    const GO_TYPE: &'static str = "api.PeeringEstablishRequest";
    const FIELDS: &'static [&'static str] = &["PeerName", "PeeringToken", "Partition", "Meta"];

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "PeerName" => Slot::Text(&mut self.peer_name),
            "PeeringToken" => Slot::Text(&mut self.peering_token),
            "Partition" => Slot::Text(&mut self.partition),
            "Meta" => Slot::TextMap(&mut self.meta),
            _ => Slot::Ignored,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::gojson::vectors::{Vector, read};

    fn refusal(body: &str) -> String {
        decode_generate_token(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_verdict_and_value_is_gos() {
        for Vector { input, error, value } in read(include_str!("../../../tests/data/gojson/decoder.jsonl")) {
            let shown = String::from_utf8_lossy(&input);
            match (decode_generate_token(&input), error) {
                (Ok(ours), None) => {
                    let theirs: serde_json::Value = serde_json::from_str(&value.unwrap()).unwrap();
                    let text = |key: &str| theirs[key].as_str().unwrap().to_owned();
                    let meta: Option<BTreeMap<String, String>> =
                        serde_json::from_value(theirs["Meta"].clone()).unwrap();
                    let addresses: Option<Vec<String>> =
                        serde_json::from_value(theirs["ServerExternalAddresses"].clone()).unwrap();
                    let theirs = GenerateTokenRequest {
                        peer_name: text("PeerName"),
                        partition: text("Partition"),
                        meta: meta.unwrap_or_default(),
                        server_external_addresses: addresses.unwrap_or_default(),
                        ttl: None,
                    };
                    assert_eq!(ours, theirs, "{shown}");
                }
                (Err(ours), Some(theirs)) => {
                    assert_eq!(ours.to_string(), format!("Body decoding failed: {theirs}"), "{shown}");
                }
                (ours, theirs) => panic!("{shown}: {ours:?}, Go says {theirs:?}"),
            }
        }
    }

    #[test]
    fn our_ttl_is_read_and_must_be_text() {
        let ttl = |body: &str| decode_generate_token(body.as_bytes()).unwrap().ttl;
        assert_eq!(ttl(r#"{"TTL":"24h"}"#), Some("24h".into()));
        assert_eq!(ttl(r#"{"ttl":"24h","TTL":null}"#), None);
        assert_eq!(ttl(r#"{"TTL":""}"#), None);
        assert_eq!(ttl(r#"{"PeerName":"a"}"#), None);
        assert_eq!(
            refusal(r#"{"TTL":24}"#),
            "Body decoding failed: json: cannot unmarshal number into Go struct field PeeringGenerateTokenRequest.TTL of type string"
        );
    }

    #[test]
    fn an_establish_body_is_read_in_any_case_and_refused_by_its_own_name() {
        let body = br#"{"peername":"c","PEERINGTOKEN":"t","Partition":"p","meta":{"a":"b"}} trailing"#;
        let request = decode_establish(body).unwrap();
        assert_eq!((request.peer_name.as_str(), request.peering_token.as_str()), ("c", "t"));
        assert_eq!((request.partition.as_str(), request.meta["a"].as_str()), ("p", "b"));
        for (body, text) in [
            ("[]", "json: cannot unmarshal array into Go value of type api.PeeringEstablishRequest"),
            (
                r#"{"PeeringToken":[]}"#,
                "json: cannot unmarshal array into Go struct field PeeringEstablishRequest.PeeringToken of type string",
            ),
            (r#"{"TTL":"1h"}"#, r#"json: unknown field "TTL""#),
        ] {
            let refused = decode_establish(body.as_bytes()).err().unwrap();
            assert_eq!(refused.to_string(), format!("Body decoding failed: {text}"));
        }
    }

    #[test]
    fn a_long_unknown_key_is_cut_in_the_answer() {
        let text = refusal(&format!(r#"{{"{}":1}}"#, "é".repeat(100_000)));
        assert!(text.len() < 1200, "{} bytes", text.len());
    }

    #[test]
    fn arrays_within_arrays_end_at_gos_limit_and_never_in_a_crash() {
        let nested = |depth: usize| format!(r#"{{"Meta":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let wrong_type = "json: cannot unmarshal array into Go struct field PeeringGenerateTokenRequest.Meta of type map[string]string";
        assert_eq!(refusal(&nested(9_999)), format!("Body decoding failed: {wrong_type}"));
        for depth in [10_000, 300_000] {
            assert_eq!(refusal(&nested(depth)), "Body decoding failed: invalid character '[' exceeded max depth");
        }
    }

    #[test]
    fn what_our_own_client_sends_is_read() {
        let sent = GenerateTokenRequest {
            peer_name: "c2".into(),
            partition: "default".into(),
            meta: BTreeMap::from([("a".into(), "<b>".into())]),
            server_external_addresses: vec!["h:1".into()],
            ttl: Some("1h".into()),
        };
        let body = gojson::to_string(&sent).unwrap();
        assert_eq!(decode_generate_token(body.as_bytes()), Ok(sent));
        let sent =
            EstablishRequest { peer_name: "c2".into(), peering_token: "e30=".into(), ..EstablishRequest::default() };
        let body = gojson::to_string(&sent).unwrap();
        assert!(decode_establish(body.as_bytes()).unwrap() == sent);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body: Vec<u8>) {
            let _ = decode_generate_token(&body);
            let _ = decode_establish(&body);
        }
    }
}
