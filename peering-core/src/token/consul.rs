//! The peering token: what is in it, and the way between it and its text.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::DecodeError;
use super::wire::{Read, Written};
use crate::gojson::{self, base64};
use crate::remote::RemoteInfo;
use crate::secret::EstablishmentSecret;
use crate::wiped::Wiped;

/// Most bytes in the text of a token. A real one has 1 to 4 KiB; [`CA_ENTRIES_MAX`](super::CA_ENTRIES_MAX) large
/// certificates and all addresses fit many times over.
pub const TOKEN_BYTES_MAX: usize = 512 * 1024;

/// Everything that a peering token holds, checked by nobody.
///
/// # Shape
/// The token's text is base64 (standard, padded, one line) of a compact JSON object: Consul's seven keys in Consul's
/// order, always present, then `PeerName`, `TokenID`, `Meta` and `ExpiresAt` when they are there. Consul ignores those.
///
/// # Security
/// `Debug` does not show the establishment secret. There is no `Serialize`; [`Self::encode`] is the one way out.
///
/// # Source
/// The seven keys are those of Consul 1.16 and later; earlier tokens lack some, which is the same as empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeeringToken {
    /// Root certificates of the acceptor, one PEM text each; none means plaintext.
    pub ca: Vec<String>,
    /// Addresses that an operator gave; if there are any, only these are dialed.
    pub manual_server_addresses: Vec<String>,
    /// Addresses that the acceptor knows itself by.
    pub server_addresses: Vec<String>,
    /// TLS name of the acceptor.
    pub server_name: String,
    /// The acceptor's id of the peering: `PeerID` in the text.
    pub peer_id: String,
    /// The one-time secret.
    pub establishment_secret: EstablishmentSecret,
    /// Where the acceptor says it is.
    pub remote: RemoteInfo,
    /// The acceptor's name for the peer that the token is meant for.
    pub peer_name: Option<String>,
    /// Public name of this token, by which it is listed and revoked.
    pub token_id: Option<String>,
    /// Metadata that was given when the token was made.
    pub meta: BTreeMap<String, String>,
    /// From when on the acceptor refuses the token; written in whole seconds.
    pub expires_at: Option<Timestamp>,
}

impl PeeringToken {
    /// Writes the token.
    ///
    /// # Security
    /// The text is a credential: whoever holds it can join as the peer. The JSON in between is wiped.
    ///
    /// # Examples
    /// See `examples/token.rs`.
    #[must_use]
    pub fn encode(&self) -> String {
        base64::encode(&self.to_json())
    }

    fn to_json(&self) -> Wiped {
        #[expect(clippy::unwrap_used, reason = "texts, lists of texts and maps of texts always print")]
        let json = gojson::to_vec(&Written::of(self)).unwrap();
        Wiped::new(json)
    }
}

/// A token that was read and not checked: to look at, not to act on.
///
/// # Examples
/// ```
/// use peering_core::token::{DecodeError, UnverifiedToken};
///
/// let refused = UnverifiedToken::decode("+++/+++").unwrap_err();
/// assert_eq!(refused, DecodeError::Base64 { offset: 4 });
/// assert_eq!(refused.to_string(), "failed to decode token: illegal base64 data at input byte 4");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedToken {
    claims: PeeringToken,
    has_unreadable_end: bool,
}

impl UnverifiedToken {
    /// Reads a token as Consul does: line breaks anywhere, keys in any case, unknown keys ignored.
    ///
    /// A wrong type in one of our four keys counts as absent, because Consul does not look at them.
    ///
    /// # Errors
    /// [`DecodeError`] for a text that is too long, no base64, no JSON, or has a wrong type in one of Consul's keys.
    ///
    /// # Security
    /// No error repeats more of the token than one byte.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(DecodeError::TooLong { bytes: text.len() });
        }
        let json = base64::decode(text).map_err(|offset| DecodeError::Base64 { offset })?;
        let read: Read = gojson::unmarshal(&json)?;
        let has_unreadable_end = read.has_unreadable_end();
        Ok(Self { claims: read.into(), has_unreadable_end })
    }

    /// Returns what the token says.
    #[must_use]
    pub const fn claims(&self) -> &PeeringToken {
        &self.claims
    }

    /// Says whether there is an `ExpiresAt` that is no time, which counts as absent.
    #[must_use]
    pub const fn has_unreadable_end(&self) -> bool {
        self.has_unreadable_end
    }

    pub(super) fn into_claims(self) -> PeeringToken {
        self.claims
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gojson::vectors::{self, Vector};
    use crate::remote::Locality;
    use crate::token::samples::{self, Sample};

    fn read(json: &[u8]) -> Result<UnverifiedToken, DecodeError> {
        UnverifiedToken::decode(&base64::encode(json))
    }

    fn decoded(json: &[u8]) -> Result<PeeringToken, DecodeError> {
        read(json).map(UnverifiedToken::into_claims)
    }

    #[test]
    fn tokens_of_consul_are_read_and_written_back_to_the_byte() {
        for Sample { text, json } in samples::ALL {
            let token = UnverifiedToken::decode(text).unwrap().into_claims();
            assert_eq!(*token.to_json(), *json.as_bytes());
            assert_eq!(token.encode(), text);
        }
    }

    #[test]
    fn every_verdict_and_value_is_gos() {
        for Vector { input, error, value } in vectors::read(include_str!("../../../tests/data/gojson/unmarshal.jsonl"))
        {
            let shown = String::from_utf8_lossy(&input);
            match (decoded(&input), error) {
                (Ok(mut token), None) => {
                    token.peer_name = None;
                    token.token_id = None;
                    token.meta.clear();
                    token.expires_at = None;
                    assert_eq!(*token.to_json(), *value.unwrap().as_bytes(), "{shown}");
                }
                (Err(ours), Some(theirs)) => assert_eq!(ours.to_string(), theirs, "{shown}"),
                (ours, theirs) => panic!("{shown}: {ours:?}, Go says {theirs:?}"),
            }
        }
    }

    #[test]
    fn our_keys_follow_consuls() {
        let mut token = UnverifiedToken::decode(samples::PLAINTEXT.text).unwrap().into_claims();
        token.peer_name = Some("cluster-02".into());
        token.token_id = Some("11111111-2222-3333-4444-555555555555".into());
        token.meta = BTreeMap::from([("b".into(), "2".into()), ("a".into(), "1".into())]);
        token.expires_at = Some("2030-01-02T03:04:05.678Z".parse().unwrap());
        let ours = r#","PeerName":"cluster-02","TokenID":"11111111-2222-3333-4444-555555555555","Meta":{"a":"1","b":"2"},"ExpiresAt":"2030-01-02T03:04:05Z"}"#;
        let consuls = samples::PLAINTEXT.json.strip_suffix('}').unwrap();
        assert_eq!(*token.to_json(), *format!("{consuls}{ours}").as_bytes());
    }

    #[test]
    fn a_wrong_type_in_our_keys_is_absence() {
        for (key, value) in [("PeerName", "5"), ("TokenID", "[1e999]"), ("Meta", "\"x\""), ("ExpiresAt", "{\"a\":[]}")]
        {
            let token = decoded(format!(r#"{{"{key}":{value},"PeerID":"p"}}"#).as_bytes()).unwrap();
            assert_eq!(token.peer_id, "p");
            assert_eq!((token.peer_name, token.token_id, token.expires_at), (None, None, None));
            assert!(token.meta.is_empty());
        }
        let token = decoded(br#"{"Meta":{"a":"1","b":2,"c":null},"ExpiresAt":"soon","TOKENID":"t"}"#).unwrap();
        assert_eq!(token.meta, BTreeMap::from([("a".into(), "1".into())]));
        assert_eq!((token.expires_at, token.token_id), (None, Some("t".into())));
    }

    #[test]
    fn an_end_that_is_no_time_is_known_as_such() {
        for (end, is_unreadable) in [
            ("\"2030-01-02T03:04:05Z\"", false),
            ("null", false),
            ("\"soon\"", true),
            ("\"\"", true),
            ("5", true),
            ("[]", true),
            ("true", true),
        ] {
            let token = read(format!(r#"{{"ExpiresAt":{end}}}"#).as_bytes()).unwrap();
            assert_eq!(token.has_unreadable_end(), is_unreadable, "{end}");
            assert!(!is_unreadable || token.claims().expires_at.is_none(), "{end}");
        }
        assert!(!read(b"{}").unwrap().has_unreadable_end());
    }

    #[test]
    fn a_token_may_be_folded_and_may_not_be_spaced_or_stripped() {
        let text = samples::ONE_ROOT.text;
        let folded: Vec<&str> = (0..text.len()).step_by(76).map(|at| &text[at..text.len().min(at + 76)]).collect();
        assert_eq!(UnverifiedToken::decode(&folded.join("\r\n")), UnverifiedToken::decode(text));
        assert_eq!(
            UnverifiedToken::decode(&folded.join(" ")).unwrap_err().to_string(),
            "failed to decode token: illegal base64 data at input byte 76"
        );
        let plaintext = samples::PLAINTEXT.text;
        let stripped = plaintext.trim_end_matches('=');
        assert!(matches!(UnverifiedToken::decode(stripped), Err(DecodeError::Base64 { offset: 396 })));
    }

    #[test]
    fn a_text_that_is_too_long_is_refused_before_anything_else() {
        let longest = "A".repeat(TOKEN_BYTES_MAX);
        assert!(matches!(UnverifiedToken::decode(&longest), Err(DecodeError::Json(_))));
        let refused = UnverifiedToken::decode(&format!("{longest}!")).unwrap_err();
        assert_eq!(refused, DecodeError::TooLong { bytes: TOKEN_BYTES_MAX + 1 });
    }

    #[test]
    fn deep_nesting_ends_at_gos_limit_and_never_in_a_crash() {
        let nested = |depth: usize| format!(r#"{{"PeerID":"p","X":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(decoded(nested(9_999).as_bytes()).unwrap().peer_id, "p");
        let refused = decoded(nested(10_000).as_bytes()).unwrap_err();
        assert_eq!(refused.to_string(), "invalid character '[' exceeded max depth");
        assert!(decoded("[".repeat(300_000).as_bytes()).is_err());
    }

    #[test]
    fn the_secret_is_in_no_debug_text_and_in_no_error() {
        let token = UnverifiedToken::decode(samples::ONE_ROOT.text).unwrap();
        let secret = token.claims().establishment_secret.expose().to_owned();
        assert!(!format!("{token:?}").contains(&secret));
        let json = samples::ONE_ROOT.json;
        for broken in
            [json.replace("\"Remote\":{", "\"Remote\":5,{"), json.replace("\"PeerID\":\"", "\"PeerID\":[],\"")]
        {
            let refused = decoded(broken.as_bytes()).unwrap_err();
            assert!(!format!("{refused:?} {refused}").contains(&secret[..8]));
        }
    }

    fn any_token() -> impl Strategy<Value = PeeringToken> {
        let list = || prop::collection::vec(any::<String>(), 0..4);
        let lists = (list(), list(), list());
        let texts = (any::<String>(), any::<String>(), any::<String>(), any::<String>(), any::<String>());
        let locality = any::<Option<(String, String)>>();
        let ours = (
            any::<Option<String>>(),
            any::<Option<String>>(),
            prop::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        );
        let expires_at = prop::option::of(0..253_402_000_000_i64);
        (lists, texts, locality, ours, expires_at).prop_map(|(lists, texts, locality, ours, expires_at)| PeeringToken {
            ca: lists.0,
            manual_server_addresses: lists.1,
            server_addresses: lists.2,
            server_name: texts.0,
            peer_id: texts.1,
            establishment_secret: EstablishmentSecret::from_text(texts.2),
            remote: RemoteInfo {
                partition: texts.3,
                datacenter: texts.4,
                locality: locality.map(|(region, zone)| Locality { region, zone }),
            },
            peer_name: ours.0,
            token_id: ours.1,
            meta: ours.2,
            expires_at: expires_at.map(|seconds| Timestamp::from_second(seconds).unwrap()),
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_to_the_same(token in any_token()) {
            prop_assert_eq!(UnverifiedToken::decode(&token.encode()).unwrap().into_claims(), token);
        }

        #[test]
        fn arbitrary_bytes_never_panic(text: String, json: Vec<u8>) {
            let _ = UnverifiedToken::decode(&text);
            let _ = read(&json).map(|token| token.verify(Timestamp::UNIX_EPOCH));
        }

        #[test]
        fn a_changed_token_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
            let mut json = samples::ONE_ROOT.json.as_bytes().to_vec();
            let at = at.index(json.len());
            json[at] = byte;
            let _ = read(&json).map(|token| token.verify(Timestamp::UNIX_EPOCH));
        }
    }
}
